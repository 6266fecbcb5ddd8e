"""The Docker Engine API: frames and follow (pure), drivers over h11 and our own transport."""
