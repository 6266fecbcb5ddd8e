"""What a job has on an engine beside its own container: images, network, volumes and services;
and what that container is told of them."""

from collections.abc import Mapping, Sequence
from contextlib import AbstractAsyncContextManager, nullcontext

import msgspec

from tracekeeper.engine.client import Engine, agreed_version
from tracekeeper.engine.errors import EngineRefused
from tracekeeper.engine.models import Image
from tracekeeper.engine.tasks import UNANSWERED, to_its_end
from tracekeeper.errors import JobError
from tracekeeper.pipeline.variables import expand
from tracekeeper.protocol.payload import ImageSpec, JobPayload
from tracekeeper.runner.docker import policy
from tracekeeper.runner.docker.config import DockerSettings
from tracekeeper.runner.docker.container import (
    OWN_NETWORK,
    Attachment,
    Body,
    Setup,
    job_body,
    network_body,
    network_mode,
    service_spec,
)
from tracekeeper.runner.docker.refusals import about_key
from tracekeeper.runner.docker.volumes import Owner
from tracekeeper.runner.executors.base import Output
from tracekeeper.runner.executors.failures import Subject
from tracekeeper.runner.executors.pulling import obtain_image
from tracekeeper.runner.executors.registries import VARIABLE, Registries
from tracekeeper.runner.executors.service_logs import ServiceLogs
from tracekeeper.runner.executors.services import Service, Services, describe
from tracekeeper.runner.executors.volumes import JobVolumes


class Surroundings:
    """Makes and removes it all for one job. `name` is for what is the job's alone, `owner` says
    whose the volumes are that outlive it, `labels` are put on everything else."""

    def __init__(
        self,
        engine: Engine,
        payload: JobPayload,
        variables: Mapping[str, str],
        settings: DockerSettings,
        *,
        name: str,
        owner: Owner,
        labels: Mapping[str, str],
    ) -> None:
        self._engine = engine
        self._payload = payload
        self._variables = variables
        self._settings = settings
        self._config = settings.config
        self._name = name
        self._labels = dict(labels)
        self._network = Attachment()
        self._has_own_network = False
        self._registries = Registries(variables.get(VARIABLE) or settings.auth, payload.credentials)
        self.volumes = JobVolumes(engine, settings.config, owner=owner, job=name, labels=labels)
        self.services: Services | None = None
        self._logs: ServiceLogs | None = None

    async def prepare(self, output: Output) -> Subject:
        """Get the images, make network and volumes, start the services. Raises JobError."""
        config = self._config
        subject = await self._subject(output)
        described = self._described()
        for service in described:
            await self._obtain(service.spec, service.image, output)
        await to_its_end(self._make_network(services=bool(described)), within=UNANSWERED)
        await to_its_end(self.volumes.make(self._variables), within=UNANSWERED)
        if described:
            await self._start(described, subject.name, output)
        if config.disable_entrypoint_overwrite and self._spec.entrypoint:
            output.note("The entrypoint of the job's image is not taken: it may not be overwritten")
        return subject

    def body(self, subject: Subject, command: Sequence[str], log: Mapping[str, object]) -> Body:
        """What the engine is told of the job's container. Raises JobError."""
        options = self._spec.executor_opts.docker
        return job_body(
            self._setup,
            subject.name,
            command,
            self._network,
            log,
            entrypoint=self._entrypoint,
            user=policy.chosen_user(self._config, expand(options.user, self._variables)),
            privileged=policy.is_privileged(self._config, subject.name),
        )

    @property
    def platform(self) -> str:
        """The platform of the job's image, empty for the engine's own."""
        return expand(self._spec.executor_opts.docker.platform, self._variables)

    def refused(self, reason: str) -> JobError | None:
        """The engine's refusal of the job's container, where its `reason` tells of a key."""
        about = about_key(self._config, reason)
        if not about:
            return None
        return JobError(
            f"the Docker Engine refused the job's container: {reason}{about}",
            reason="runner_configuration_error",
        )

    def logs_shown(self, output: Output) -> AbstractAsyncContextManager[None]:
        """Shows the services' logs while this lasts, if the job asks for them."""
        return nullcontext() if self._logs is None else self._logs.shown(output)

    async def remove(self) -> None:
        """Remove it all, once the job's container is gone."""
        if self.services is not None:
            await self.services.remove()
        if self._has_own_network:
            await self._engine.networks.remove(self._name)
        await self.volumes.remove()

    @property
    def _spec(self) -> ImageSpec:
        spec = self._payload.image or (
            ImageSpec(self._config.image) if self._config.image else None
        )
        if spec is None:
            raise JobError(
                "the job names no image", reason="runner_configuration_error", hint="add `image:`"
            )
        return spec

    @property
    def _entrypoint(self) -> Sequence[str] | None:
        return None if self._config.disable_entrypoint_overwrite else self._spec.entrypoint

    @property
    def _setup(self) -> Setup:
        version = agreed_version(self._engine.version)
        major, _, minor = version.partition(".")
        return Setup(
            self._config,
            self._variables,
            self._labels,
            binds=self.volumes.binds,
            api=(int(major), int(minor)),
        )

    async def _subject(self, output: Output) -> Subject:
        spec, config = self._spec, self._config
        name = expand(spec.name, self._variables)
        own = expand(config.image, self._variables)
        policy.check_allowed(name, "allowed_images", config.allowed_images, (own,))
        policy.chosen_user(config, expand(spec.executor_opts.docker.user, self._variables))
        image = await self._obtain(spec, name, output)
        built_in = image.config.entrypoint if image.config else None
        entrypoint = built_in if self._entrypoint is None else self._entrypoint
        platform = f"{self._engine.version.os}/{self._engine.version.arch}"
        return Subject(name, image, [part for part in entrypoint or () if part], platform)

    async def _obtain(self, spec: ImageSpec, name: str, output: Output) -> Image:
        return await obtain_image(
            self._engine,
            name,
            policy.pull_policies(self._config, name, spec.pull_policy, self._settings.pull_policy),
            output,
            auth=lambda: self._registries.header(name, output),
            platform=expand(spec.executor_opts.docker.platform, self._variables),
        )

    def _described(self) -> list[Service]:
        """The services of the configuration, then the job's. Raises JobError."""
        config = self._config
        own = [describe(service_spec(each), self._variables) for each in config.services]
        asked = [describe(spec, self._variables) for spec in self._payload.services]
        for service in asked:
            policy.check_allowed(
                service.image,
                "allowed_services",
                config.allowed_services,
                {each.image for each in own},
            )
        policy.check_services(config, len(own) + len(asked))
        return [*own, *asked]

    async def _make_network(self, *, services: bool) -> None:
        mode = network_mode(self._config, services=services)
        if mode != OWN_NETWORK:
            self._network = Attachment(mode)
            return
        self._has_own_network = True
        more = network_body(self._config)
        try:
            await self._engine.networks.create(self._name, labels=self._labels, more=more)
        except EngineRefused as error:
            raise self._refused_network(error) from error
        self._network = Attachment(self._name)

    def _refused_network(self, error: EngineRefused) -> Exception:
        about = about_key(self._config, error.reason)
        if not about:
            return error
        return JobError(
            f"the Docker Engine refused the job's network: {error.reason}{about}",
            reason="runner_configuration_error",
        )

    async def _start(self, described: Sequence[Service], probe: str, output: Output) -> None:
        self.services = Services(self._engine, self._setup, self._network, probe)
        await self.services.start(described, output)
        if _is_true(self._variables.get("CI_DEBUG_SERVICES", "")):
            self._logs = ServiceLogs(self._engine, self.services.names)
        async with self.logs_shown(output):
            await self.services.wait(output, seconds=self._config.wait_for_services_timeout)
        hosts = await self.services.hosts()
        self._network = msgspec.structs.replace(self._network, hosts=hosts)


def _is_true(value: str) -> bool:
    return value.lower() in ("1", "t", "true")
