"""Contracting windows with kernels: a problem, a plan, an algorithm."""
