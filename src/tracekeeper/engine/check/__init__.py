"""`tracekeeper engine check`: everything on the way to an engine that can break a job."""
