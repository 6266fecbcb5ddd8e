"""A job's services: containers beside the job's own, on a network that they share.

A service is ready when something in it listens on a port that its image exposes. No helper image
is needed to see that: a container of the job's image looks from inside the service's network.
Source: GitLab docs, "Services", "How the health check of services works".
"""

import asyncio
from collections.abc import Mapping, Sequence

import msgspec

from tracekeeper.engine.client import Engine
from tracekeeper.engine.errors import EngineRefused
from tracekeeper.engine.frames import FrameDecoder
from tracekeeper.engine.references import service_aliases
from tracekeeper.engine.tasks import UNANSWERED, first, to_its_end
from tracekeeper.errors import EngineError, JobError
from tracekeeper.pipeline.variables import expand
from tracekeeper.protocol.payload import ImageSpec
from tracekeeper.runner.docker.container import Attachment, Setup, service_body
from tracekeeper.runner.docker.policy import is_privileged_service
from tracekeeper.runner.docker.refusals import about_key
from tracekeeper.runner.executors.base import Output
from tracekeeper.runner.executors.service_lines import last_lines

WAIT = 30.0
"""Seconds that services have to be ready, by default; as gitlab-runner's."""
MOST_PORTS = 20
"""Ports of one service that are looked at, as gitlab-runner does."""
SHOWN_LINES = 50
LOG_CONFIG = {"Type": "json-file", "Config": {"max-size": "10m", "max-file": "2"}}
"""The host's own log driver may be one that cannot be read."""
PORT_VARIABLE = "HEALTHCHECK_TCP_PORT"

_MODES_WITHOUT_NAMES = ("default", "bridge", "host")

_LISTENS = """\
while :; do
  for table in /proc/net/tcp /proc/net/tcp6; do
    [ -r "$table" ] || continue
    while read -r _ address _ state _; do
      case "$state:$address" in
        0A:0100007F:* | 0A:00000000000000000000000001000000:*) ;;
        %s) exit 0 ;;
      esac
    done <"$table"
  done
  sleep 0.1 2>/dev/null || sleep 1
done
"""
"""Ends when a port is open. State 0A is LISTEN; who listens on loopback only is not counted.
Written for any POSIX shell with no other program but sleep."""


class Service(msgspec.Struct, frozen=True):
    """A service of a job, its image at hand."""

    spec: ImageSpec
    image: str
    aliases: tuple[str, ...]
    environment: Mapping[str, str]

    @property
    def called(self) -> str:
        """One name for the trace."""
        return self.aliases[0] if self.aliases else self.image


def describe(spec: ImageSpec, variables: Mapping[str, str]) -> Service:
    """A service as the job's `variables` complete it. It has the job's variables and its own."""
    image = expand(spec.name, variables)
    given = expand(spec.alias, variables).replace(",", " ").split()
    environment = dict(variables)
    for variable in spec.variables:
        value = variable.value if variable.raw else expand(variable.value, environment)
        environment[variable.key] = value
    aliases = tuple(dict.fromkeys((*given, *service_aliases(image))))
    return Service(spec, image, aliases, environment)


class Services:
    """The services of one job on its network.

    `probe_image` is the job's image. Everything made is known to `containers` as soon as it
    exists, so that it can be removed whatever happens.
    """

    def __init__(self, engine: Engine, setup: Setup, network: Attachment, probe_image: str) -> None:
        self._engine = engine
        self._setup = setup
        self._network = network
        self._probe_image = probe_image
        self.containers: list[str] = []
        self._named: list[tuple[Service, str]] = []

    async def start(self, services: Sequence[Service], output: Output) -> None:
        """Start every service. Raises JobError if one cannot be started."""
        taken: set[str] = set()
        for service in services:
            output.note(f"Starting service {service.image}")
            if double := taken.intersection(service.aliases):
                names = ", ".join(sorted(double))
                output.note(f"WARNING: it is not called {names}: another service is")
            aliases = tuple(alias for alias in service.aliases if alias not in taken)
            taken.update(aliases)
            service = msgspec.structs.replace(service, aliases=aliases)
            await to_its_end(self._start(service), within=UNANSWERED)

    async def wait(self, output: Output, *, seconds: float = WAIT) -> None:
        """Wait until all are ready; 0 seconds are the default, fewer mean not at all. One that is
        not in time is a warning, with its last words."""
        if seconds < 0:
            return
        output.note("Waiting for services to be up and running")
        await asyncio.gather(
            *(self._ready(*named, output=output, seconds=seconds or WAIT) for named in self._named)
        )

    async def hosts(self) -> tuple[str, ...]:
        """The services' names for the job's /etc/hosts, where its network gives it none."""
        if self._network.mode not in _MODES_WITHOUT_NAMES:
            return ()
        entries: list[str] = []
        for service, container in self._named:
            address = "127.0.0.1"
            if self._network.mode != "host":
                address = (await self._engine.containers.inspect(container)).address
            entries += [f"{alias}:{address}" for alias in service.aliases if address]
        return tuple(entries)

    @property
    def names(self) -> Sequence[tuple[str, str]]:
        """What each service is called, and its container."""
        return [(service.called, container) for service, container in self._named]

    async def remove(self) -> None:
        """Remove the containers, and their anonymous volumes if they are not to stay."""
        volumes = not self._setup.config.volume_keep
        await asyncio.gather(
            *(
                self._engine.containers.remove(container, volumes=volumes)
                for container in self.containers
            )
        )

    async def _start(self, service: Service) -> None:
        try:
            container = await self._create(service)
            self._named.append((service, container))
            await self._engine.containers.start(container)
        except EngineRefused as error:
            about = about_key(self._setup.config, error.reason, service=True)
            raise JobError(
                f"service {service.image} cannot be started: {error.reason}{about}",
                reason="runner_configuration_error" if about else "runner_system_failure",
            ) from error

    async def _create(self, service: Service) -> str:
        setup, network = self._setup, self._network
        aliases = service.aliases if network.is_named else ()
        body = service_body(
            setup,
            service.image,
            service.spec,
            Attachment(network.mode, aliases),
            LOG_CONFIG,
            environment=service.environment,
            privileged=is_privileged_service(setup.config, service.image),
        )
        platform = expand(service.spec.executor_opts.docker.platform, setup.variables)
        return await self._made(body, platform)

    async def _made(self, config: Mapping[str, object], platform: str = "") -> str:
        container = await self._engine.containers.create(config, platform=platform)
        self.containers.append(container)
        return container

    async def _ready(
        self, service: Service, container: str, *, output: Output, seconds: float
    ) -> None:
        ports = await self._ports(service, container)
        if not ports:
            output.note(f"Service {service.image} exposes no TCP port; not waiting for it")
            return
        try:
            async with asyncio.timeout(seconds):
                trouble = await first(self._ended(container), self._listening(container, ports))
        except TimeoutError:
            listed = ", ".join(map(str, ports))
            trouble = f"nothing listens on its port {listed} after {seconds:.0f} s"
        except EngineError as error:
            trouble = error.message
        if trouble:
            await self._warn(service, container, trouble, output)

    async def _ports(self, service: Service, container: str) -> list[int]:
        chosen = service.environment.get(PORT_VARIABLE, "")
        if chosen.isdecimal():
            return [int(chosen)]
        exposed = (await self._engine.containers.inspect(container)).config.exposed_ports or {}
        ports = [port.partition("/") for port in exposed]
        return sorted(int(port) for port, _, kind in ports if kind == "tcp")[:MOST_PORTS]

    async def _ended(self, container: str) -> str:
        async with self._engine.containers.wait(container, "not-running") as waiting:
            return f"it ended with status {await waiting.exit_code()}"

    async def _listening(self, container: str, ports: Sequence[int]) -> str:
        patterns = " | ".join(f"0A:*:{port:04X}" for port in ports)
        config = {
            "Image": self._probe_image,
            "Entrypoint": ["sh", "-c", _LISTENS % patterns],
            "Cmd": [],
            "Labels": self._setup.labels,
            "HostConfig": {"NetworkMode": f"container:{container}"},
        }
        probe = await to_its_end(self._made(config), within=UNANSWERED)
        try:
            async with self._engine.containers.wait(probe, "next-exit") as waiting:
                await self._engine.containers.start(probe)
                status = await waiting.exit_code()
        finally:
            await self._engine.containers.remove(probe)
        return f"it cannot be probed from image {self._probe_image}" if status else ""

    async def _warn(self, service: Service, container: str, trouble: str, output: Output) -> None:
        output.note(f"WARNING: service {service.image} is probably not ready: {trouble}")
        try:
            lines = await self._last_words(container)
        except EngineError as error:
            lines = [f"its log cannot be read: {error.message}"]
        for line in lines:
            output.note(f"{service.called}: {line}")

    async def _last_words(self, container: str) -> list[str]:
        decoder = FrameDecoder()
        asked = SHOWN_LINES + 2  # of each stream the first may be the end of a line
        ended = not (await self._engine.containers.inspect(container)).state.running
        async with self._engine.containers.logs(
            container, follow=False, tail=asked, timestamps=False
        ) as chunks:
            frames = [frame async for chunk in chunks for frame in decoder.feed(chunk)]
        return last_lines(frames, asked, ended=ended)[-SHOWN_LINES:]
