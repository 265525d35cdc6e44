"""Rewrites, a file each: a contraction turned into an easier one, before an algorithm computes it."""
