"""A pipeline's job → the job payload: its variables and scripts. Pure."""
