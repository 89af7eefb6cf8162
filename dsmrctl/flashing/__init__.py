"""Bytes on a board's flash: bundles, the file system, and the way there."""
