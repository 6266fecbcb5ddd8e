"""An SSH server on loopback with keys of its own, and a client that knows only those."""

import contextlib
import getpass
import os
import shutil
import signal
import socket
import subprocess
import threading
from pathlib import Path
from typing import Self

CLIENT = """\
Host box
  HostName 127.0.0.1
  Port {port}
Host *
  User {user}
  IdentityFile {directory}/id
  IdentitiesOnly yes
  UserKnownHostsFile {directory}/known_hosts
"""
SERVER = """\
HostKey {directory}/host
AuthorizedKeysFile {directory}/id.pub
StrictModes no
UsePAM no
PasswordAuthentication no
KbdInteractiveAuthentication no
"""
PRIVILEGE_SEPARATION = Path("/run/sshd")


class SshServer:
    """An sshd for each connection. `programs` is a directory for PATH: its `ssh` knows this server
    as ``box``."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.programs = directory / "bin"
        self.processes: list[subprocess.Popen[bytes]] = []
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        self._thread = threading.Thread(target=self._serve)
        self._made_directory = False

    def __enter__(self) -> Self:
        if os.geteuid() == 0 and not PRIVILEGE_SEPARATION.exists():
            PRIVILEGE_SEPARATION.mkdir()
            self._made_directory = True
        for key in ("host", "id", "stranger"):
            options = ["-q", "-t", "ed25519", "-N", "", "-f", str(self.directory / key)]
            subprocess.run(["ssh-keygen", *options], check=True)
        self.know(self.port)
        self.configure()
        values = {"directory": self.directory, "port": self.port, "user": getpass.getuser()}
        (self.directory / "client").write_text(CLIENT.format(**values))
        self.programs.mkdir()
        program = self.programs / "ssh"
        program.write_text(f'#!/bin/sh\nexec {_path("ssh")} -F {self.directory}/client "$@"\n')
        program.chmod(0o755)
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self._thread.join()
        for process in self.processes:
            self.signal(process, signal.SIGKILL)
            process.wait()
        if self._made_directory:
            PRIVILEGE_SEPARATION.rmdir()

    def configure(self, extra: str = "") -> None:
        """Let connections from now on have this configuration besides the usual."""
        (self.directory / "server").write_text(extra + SERVER.format(directory=self.directory))

    def know(self, port: int) -> None:
        """Let the client know this server by this port, and no other."""
        kind, key, *_ = (self.directory / "host.pub").read_text().split()
        (self.directory / "known_hosts").write_text(f"[127.0.0.1]:{port} {kind} {key}\n")

    def signal(self, process: subprocess.Popen[bytes], number: signal.Signals) -> None:
        """To an sshd and its children."""
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, number)

    def _serve(self) -> None:
        while True:
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            with connection, (self.directory / "log").open("ab") as log:
                self.processes.append(
                    subprocess.Popen(
                        [_path("sshd"), "-i", "-e", "-f", self.directory / "server"],
                        stdin=connection.fileno(),
                        stdout=connection.fileno(),
                        stderr=log,
                        start_new_session=True,
                    )
                )


def _path(program: str) -> str:
    found = shutil.which(program, path=f"{os.environ['PATH']}:/usr/sbin")
    assert found, f"{program} is not installed"
    return found
