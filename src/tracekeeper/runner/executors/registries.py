"""The credentials with which a job's images are pulled.

The nearest name of an image's path wins (``r.example/group`` before ``r.example``), and for one
name the first source that knows it: the variable DOCKER_AUTH_CONFIG, this machine's own Docker
configuration with its credential helpers, what came with the job.
Source: GitLab Runner docs, "Precedence of Docker authorization resolving".
"""

import os
from collections.abc import Mapping, Sequence

from tracekeeper.engine import keychain
from tracekeeper.engine.credentials import Configuration, Helper, Login, from_pairs, paths
from tracekeeper.engine.tasks import in_thread
from tracekeeper.errors import JobError
from tracekeeper.protocol.payload import Credentials
from tracekeeper.runner.executors.base import Output

VARIABLE = "DOCKER_AUTH_CONFIG"


class Registries:
    """Finds what a registry is told. `variable` is the value of DOCKER_AUTH_CONFIG, or empty.

    Raises JobError for a variable that cannot be read.
    """

    def __init__(
        self,
        variable: str,
        credentials: Sequence[Credentials],
        environ: Mapping[str, str] = os.environ,
    ) -> None:
        self._variable = _from_variable(variable) if variable else None
        self._environ = environ
        self._own: Configuration | None = None
        self._own_is_read = False
        self._sent = from_pairs(
            [
                Login(each.url, each.username, each.password)
                for each in credentials
                if each.type == "registry"
            ]
        )

    async def header(self, image: str, output: Output) -> str:
        """The value of X-Registry-Auth for an image, empty where nothing is known. What this
        machine knows and does not give is a warning in the trace."""
        for path in paths(image):
            for name, found in self._sources(path, output):
                login = await self._asked(found, output) if isinstance(found, Helper) else found
                if login is not None:
                    output.note(f"Using the credentials of {name} for {path}")
                    return login.header
        return ""

    def _sources(self, path: str, output: Output) -> list[tuple[str, Login | Helper | None]]:
        try:
            ours = self._variable.find(path) if self._variable else None
        except ValueError as error:
            raise _unusable(error) from error
        own = self._machine(output)
        return [
            (f"the variable {VARIABLE}", ours),
            ("this machine's Docker configuration", _found(own, path, output)),
            ("the job", self._sent.get(path)),
        ]

    def _machine(self, output: Output) -> Configuration | None:
        """This machine's configuration, read when it is first needed."""
        if self._own_is_read:
            return self._own
        self._own_is_read = True
        file = keychain.configuration_file(self._environ)
        if file is None:
            return None
        try:
            self._own = keychain.read_configuration(file)
        except ValueError as error:
            output.note(f"WARNING: {file} is passed over: {error}")
        return self._own

    async def _asked(self, helper: Helper, output: Output) -> Login | None:
        try:
            return await in_thread(keychain.ask, helper)
        except ValueError as error:
            output.note(f"WARNING: no credentials for {helper.server}: {error}")
            return None


def _found(own: Configuration | None, path: str, output: Output) -> Login | Helper | None:
    try:
        return own.find(path) if own else None
    except ValueError as error:
        output.note(f"WARNING: this machine's Docker configuration is passed over: {error}")
        return None


def _from_variable(text: str) -> Configuration:
    try:
        return Configuration(text)
    except ValueError as error:
        raise _unusable(error) from error


def _unusable(error: ValueError) -> JobError:
    return JobError(
        f"the variable {VARIABLE} cannot be used: {error}", reason="runner_configuration_error"
    )
