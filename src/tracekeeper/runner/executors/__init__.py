"""What runs a job's scripts: one file per executor, and the interface they share."""
