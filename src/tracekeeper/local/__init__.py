"""`tracekeeper run`: jobs from this checkout, in one process, with the runner's own code."""
