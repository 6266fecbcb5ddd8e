"""What the engine answers, as far as it is used. Field names are the API's, in snake case."""

import msgspec


class Version(msgspec.Struct, frozen=True, rename="pascal"):
    """``GET /version``."""

    version: str = ""
    api_version: str = msgspec.field(name="ApiVersion", default="")
    min_api_version: str = msgspec.field(name="MinAPIVersion", default="1.0")
    os: str = ""
    arch: str = ""


class Created(msgspec.Struct, frozen=True, rename="pascal"):
    """The answer to a creation. Networks and execs have an Id, volumes a Name."""

    id: str = ""
    name: str = ""


class ImageConfig(msgspec.Struct, frozen=True, rename="pascal"):
    """What an image says about its containers. `exposed_ports` has keys such as ``80/tcp``."""

    entrypoint: list[str] | None = None
    exposed_ports: dict[str, object] | None = None


class Image(msgspec.Struct, frozen=True, rename="pascal"):
    """``GET /images/{name}/json``."""

    id: str
    os: str = ""
    architecture: str = ""
    config: ImageConfig | None = None


class ContainerState(msgspec.Struct, frozen=True, rename="pascal"):
    """The state of a container. `exit_code` counts once it has been started and has exited."""

    status: str
    running: bool
    exit_code: int
    error: str = ""
    oom_killed: bool = msgspec.field(name="OOMKilled", default=False)
    started_at: str = ""


class ContainerConfig(msgspec.Struct, frozen=True, rename="pascal"):
    """What a container's configuration came to."""

    entrypoint: list[str] | None = None
    exposed_ports: dict[str, object] | None = None
    labels: dict[str, str] | None = None
    env: list[str] | None = None
    image: str = ""

    @property
    def variables(self) -> dict[str, str]:
        """Its environment."""
        pairs = (entry.partition("=") for entry in self.env or ())
        return {key: value for key, _, value in pairs}


class Endpoint(msgspec.Struct, frozen=True, rename="pascal"):
    """A container on one network."""

    ip_address: str = msgspec.field(name="IPAddress", default="")


class NetworkSettings(msgspec.Struct, frozen=True, rename="pascal"):
    """A container's networks by their names."""

    networks: dict[str, Endpoint] | None = None


class Container(msgspec.Struct, frozen=True, rename="pascal"):
    """``GET /containers/{id}/json``."""

    id: str
    name: str
    state: ContainerState
    config: ContainerConfig
    network_settings: NetworkSettings = NetworkSettings()

    @property
    def address(self) -> str:
        """Its IP address; empty where it has none of its own."""
        endpoints = (self.network_settings.networks or {}).values()
        return next((end.ip_address for end in endpoints if end.ip_address), "")

    exec_ids: list[str] | None = msgspec.field(name="ExecIDs", default=None)


class Listed(msgspec.Struct, frozen=True, rename="pascal"):
    """An entry of a list. Containers and networks have an Id, volumes only a Name."""

    id: str = ""
    name: str = ""
    labels: dict[str, str] | None = None


class WaitError(msgspec.Struct, frozen=True, rename="pascal"):
    """Why waiting failed."""

    message: str = ""


class Exit(msgspec.Struct, frozen=True, rename="pascal"):
    """``POST /containers/{id}/wait``."""

    status_code: int
    error: WaitError | None = None


class ExecState(msgspec.Struct, frozen=True, rename="pascal"):
    """``GET /exec/{id}/json``."""

    running: bool
    exit_code: int | None = None
    pid: int = 0
