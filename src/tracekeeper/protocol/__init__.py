"""The messages of GitLab's Runner API, for both sides. Pure."""
