"""Training LeNet: config, data, step, loop and the record of a run."""
