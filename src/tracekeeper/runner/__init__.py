"""The runner: runs a job payload with an executor and keeps its trace."""
