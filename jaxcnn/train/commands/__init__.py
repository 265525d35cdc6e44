"""The commands that people type, a file each."""
