"""Run a script in a container with aiodocker, as its documentation shows.

https://aiodocker.readthedocs.io/en/latest/containers.html
"""

import asyncio
import sys

import aiodocker

FAILED = 125  # as the Docker CLI ends when the failure is not the container's


async def run(image: str, script: str) -> int:
    async with aiodocker.Docker() as docker:
        config = {"Image": image, "Cmd": ["sh", "-c", script]}
        container = await docker.containers.create(config=config)
        await container.start()
        async for text in container.log(stdout=True, stderr=True, follow=True):
            print(text, end="", flush=True)
        result = await container.wait()
        return int(result["StatusCode"])


try:
    status = asyncio.run(run(*sys.argv[1:]))
except Exception as error:
    print(f"{type(error).__name__}: {error}", flush=True)
    status = FAILED
sys.exit(status)
