"""Run a script in a container with docker-py, as its documentation shows.

https://docker-py.readthedocs.io/en/stable/containers.html
"""

import sys

import docker

FAILED = 125  # as the Docker CLI ends when the failure is not the container's

image, script = sys.argv[1:]
try:
    client = docker.from_env()
    container = client.containers.run(image, ["sh", "-c", script], detach=True)
    for chunk in container.logs(stream=True, follow=True):
        sys.stdout.buffer.write(chunk)
        sys.stdout.flush()
    status = container.wait()["StatusCode"]
except Exception as error:
    print(f"{type(error).__name__}: {error}", flush=True)
    status = FAILED
sys.exit(status)
