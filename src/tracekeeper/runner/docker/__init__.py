"""What a gitlab-runner config.toml says of docker jobs, and what an engine is told of it. Pure."""
