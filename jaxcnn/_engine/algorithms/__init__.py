"""Algorithms, a file each: they contract the windows of all groups at once."""
