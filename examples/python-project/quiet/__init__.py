"""Finds the silences in a log."""

__version__ = "1.0"
