"""The ways to contract windows with kernels: one function of one signature in a file each, and the chooser."""
