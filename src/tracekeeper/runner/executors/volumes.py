"""The volumes of a job on an engine: those of the project, kept, and those of the job alone."""

from collections.abc import Mapping

from tracekeeper.engine.client import Engine
from tracekeeper.errors import JobError
from tracekeeper.runner.docker.config import DockerConfig
from tracekeeper.runner.docker.volumes import Owner, Volume, cache_name, mounted

CACHE_LABEL = "tracekeeper.cache"
"""On volumes that outlive their job: the directory that they are for. They have no label of a run,
so that no clean-up of runs removes them."""
OWNER_LABEL, PROJECT_LABEL = "tracekeeper.owner", "tracekeeper.project"
"""On the same: whose they are, for who looks through an engine."""


class JobVolumes:
    """Makes what `volumes` asks for. `owner` says whose the kept volumes are, `job` names those
    that go with the job, `labels` are for these."""

    def __init__(
        self,
        engine: Engine,
        config: DockerConfig,
        *,
        owner: Owner,
        job: str,
        labels: Mapping[str, str],
    ) -> None:
        self._engine = engine
        self._config = config
        self._owner = owner
        self._job = job
        self._labels = dict(labels)
        self._temporary: list[str] = []
        self.binds: tuple[str, ...] = ()
        """For ``HostConfig.Binds``."""
        self.caches: tuple[str, ...] = ()
        """The directories that cache volumes are mounted on."""

    async def make(self, variables: Mapping[str, str]) -> None:
        """Make the volumes. Raises JobError for an entry that cannot be used."""
        try:
            volumes = mounted(self._config.volumes, variables)
        except ValueError as error:
            raise JobError(
                f"volumes in [runners.docker] {error}", reason="runner_configuration_error"
            ) from error
        self.binds = tuple([await self._bind(volume) for volume in volumes])
        self.caches = tuple(volume.destination for volume in volumes if not volume.source)

    async def remove(self) -> None:
        """Remove what was for the job alone."""
        for name in self._temporary:
            await self._engine.volumes.remove(name)

    async def _bind(self, volume: Volume) -> str:
        if volume.source:
            return volume.bind
        source = await self._cache(volume.destination)
        return Volume(volume.destination, source, volume.mode).bind

    async def _cache(self, destination: str) -> str:
        config, name = self._config, cache_name(self._owner.id, destination)
        if config.disable_cache:
            name = cache_name(self._job, destination)
            self._temporary.append(name)
            return await self._create(name, self._labels)
        if config.cache_dir:
            return f"{config.cache_dir.rstrip('/')}/{name}"
        labels = {
            CACHE_LABEL: destination,
            OWNER_LABEL: self._owner.id,
            PROJECT_LABEL: self._owner.project,
        }
        return await self._create(name, labels)

    async def _create(self, name: str, labels: Mapping[str, str]) -> str:
        config = self._config
        return await self._engine.volumes.create(
            name, labels=labels, driver=config.volume_driver, options=config.volume_driver_ops
        )
