"""The lab as one object: what tests, and people who look for a fault, work with."""

import os
import signal
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from tracekeeper.engine.host import Host
from tracekeeper.engine.hosts import tls_from_directory
from tracekeeper.net.lab import certificates, daemon, firewall, keeper
from tracekeeper.net.lab.daemon import Daemon, freeze
from tracekeeper.net.lab.firewall import Firewall, Variant
from tracekeeper.net.lab.keeper import Keeper
from tracekeeper.net.lab.namespaces import inside_network
from tracekeeper.net.lab.network import CLIENT, HOST_ADDRESS, lay

PLAIN_PORT, TLS_PORT = 2375, 2376


class Lab:
    """A client, a firewall that forgets idle connections, and a host with a real Docker Engine.

    The firewall forgets a connection after `idle` quiet seconds; `variant` says what follows. The
    engine takes mutual TLS on port 2376, or, without `tls`, plain TCP on 2375; with `live_restore`
    its containers outlive it. It has a bridge network, and the image busybox:latest. An engine of
    today sends a keepalive every 15 s on each connection; without `engine_keepalive` it sends none,
    as those did that were built by Go before 1.13.

    A context manager that starts in a few seconds. Root on Linux. When it is left, or its process
    ends in any way, everything in it ends. Every call may raise LabError.
    """

    def __init__(
        self,
        idle: int = 10,
        variant: Variant = "drop",
        *,
        tls: bool = True,
        live_restore: bool = False,
        engine_keepalive: bool = True,
    ) -> None:
        self._idle, self._variant = idle, variant
        self._tls = tls
        self._live_restore = live_restore
        self._engine_keepalive = engine_keepalive
        self._exit = ExitStack()

    def __enter__(self) -> Self:
        if self._tls:
            certificates.require()
        keeper.require(keeper.NEEDED | firewall.NEEDED | daemon.NEEDED)
        with ExitStack() as stack:
            self._keeper = Keeper()
            stack.callback(self._keeper.close)
            lay(self._keeper)
            self._firewall = Firewall(self._keeper)
            self.set_variant(self._idle, self._variant)
            self._daemon = Daemon(self._keeper, self._settings(), keepalive=self._engine_keepalive)
            self._daemon.start()
            self._daemon.ensure_image()
            self._exit = stack.pop_all()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._exit.close()

    def _settings(self) -> dict[str, Any]:
        common = {"hosts": [self.url], "live-restore": self._live_restore}
        if not self._tls:
            return {**common, "tls": False}
        directory = self.certificates
        certificates.write_certificates(directory, HOST_ADDRESS)
        return {
            **common,
            "tlsverify": True,
            "tlscacert": str(directory / "ca.pem"),
            "tlscert": str(directory / "server.pem"),
            "tlskey": str(directory / "server-key.pem"),
        }

    # ------------------------------------------------------------------------- the client

    @property
    def url(self) -> str:
        """The engine, as the client sees it."""
        return f"tcp://{HOST_ADDRESS}:{TLS_PORT if self._tls else PLAIN_PORT}"

    @property
    def certificates(self) -> Path:
        """The directory with the client's ``ca.pem``, ``cert.pem`` and ``key.pem``."""
        return self._keeper.home / "certificates"

    @property
    def host(self) -> Host:
        """The engine, as our own client wants to have it said."""
        return Host(self.url, tls=tls_from_directory(self.certificates) if self._tls else None)

    @property
    def environment(self) -> dict[str, str]:
        """The variables that tell the Docker CLI, and us, of the engine."""
        tls = {"DOCKER_TLS_VERIFY": "1", "DOCKER_CERT_PATH": str(self.certificates)}
        return {"DOCKER_HOST": self.url, **(tls if self._tls else {})}

    def client(
        self, argv: Sequence[str], *, env: Mapping[str, str] | None = None, **options: Any
    ) -> subprocess.Popen[Any]:
        """Start a program on the client, with `environment` added to `env` (None: our own).

        `options` are those of Popen. The program ends with the lab at the latest; `pid` is its own
        as this side has it, though it sees PIDs of the lab's and an empty /run.
        """
        variables = {**(os.environ if env is None else env), **self.environment}
        return self._keeper.start(argv, CLIENT, env=variables, **options)

    @contextmanager
    def inside(self) -> Iterator[None]:
        """Move this thread to the client; sockets made meanwhile stay there.

        Files and processes are as outside.
        """
        with inside_network(self._keeper.network(CLIENT)):
            yield

    def set_sysctl(self, name: str, value: int, *, host: str = CLIENT) -> None:
        """Set ``net.ipv4.tcp_keepalive_time``, say, on the client, the firewall or the host."""
        path = "/proc/sys/" + name.replace(".", "/")
        self._keeper.call(["sh", "-ec", f"echo {value} >{path}"], host)

    # ----------------------------------------------------------------------- the firewall

    def set_variant(self, idle: int, variant: Variant) -> None:
        """Change the firewall. It keeps the connections that it knows; the new limit holds for them
        from their next packet on."""
        self._firewall.set(idle, variant)

    def cut(self) -> None:
        """Let no packet through in either direction."""
        self._firewall.cut()

    def mend(self) -> None:
        """Take `cut` back."""
        self._firewall.mend()

    def forget(self) -> None:
        """Make the firewall forget every connection now, as if it had been idle."""
        self._firewall.forget()

    def connections(self) -> list[str]:
        """The TCP connections that the firewall knows, in conntrack's own words."""
        return self._firewall.connections()

    # ------------------------------------------------------------------------- the engine

    @property
    def socket(self) -> str:
        """The engine's UNIX socket as a URL: the truth, past the network. From outside the lab."""
        return f"unix://{self._daemon.socket}"

    @property
    def engine_pid(self) -> int:
        """The PID of dockerd."""
        return self._daemon.pid

    def ask(self, method: str, target: str, body: object = None) -> Any:
        """One request to the engine past the network; the answer, JSON where it is that."""
        return self._daemon.ask(method, target, body)

    def stop_engine(self, *, kill: bool = False) -> None:
        """End dockerd (SIGTERM or SIGKILL) and wait for that."""
        self._daemon.stop(kill=kill)

    def start_engine(self, *, live_restore: bool | None = None) -> None:
        """Start dockerd again with the data it had, and wait until it answers."""
        if live_restore is not None:
            self._daemon.settings["live-restore"] = live_restore
        self._daemon.start()

    def ensure_engine(self) -> None:
        """Bring dockerd back if it was stopped, killed or paused."""
        if not self._daemon.runs:
            self._daemon.start()
        self.resume_engine()

    def restart_engine(self, *, kill: bool = False, live_restore: bool | None = None) -> None:
        """`stop_engine`, then `start_engine`."""
        self.stop_engine(kill=kill)
        self.start_engine(live_restore=live_restore)

    def pause_engine(self) -> None:
        """Stop dockerd where it is: its kernel still acknowledges, nothing answers."""
        freeze(self.engine_pid)

    def resume_engine(self) -> None:
        """Take `pause_engine` back."""
        os.kill(self.engine_pid, signal.SIGCONT)
