"""Tracekeeper runs CI jobs from a `.gitlab-ci.yml` and keeps every byte of their logs."""

__version__ = "0.1.0"
