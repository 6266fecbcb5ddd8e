"""Socket options: the only place where they are chosen."""
