"""The ways to contract windows with kernels, all of one signature, what makes their work easier, and the chooser."""
