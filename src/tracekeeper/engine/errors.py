"""What an engine or the way to it can do to us.

EngineError
├── EngineUnreachable   no connection could be made; nothing was asked
│   └── TlsFailure      a certificate, a key or a version of TLS stands in the way
├── ConnectionLost      a connection broke, or fell silent, before the answer was complete
│   └── StreamBrokenOff the engine itself broke a stream off
├── EngineRefused       the engine answered with an error: its status and its own message
└── CommandNotStarted   an exec's command could not be started: the runtime's reason
"""

from tracekeeper.errors import EngineError


class EngineUnreachable(EngineError):
    """No connection could be made, or no engine that we can speak to is at its other end."""

    code = "engine_unreachable"


class TlsFailure(EngineUnreachable):
    """TLS could not be agreed on, or one side refused the other's certificate."""

    code = "engine_tls"


class ConnectionLost(EngineError):
    """A connection broke or fell silent before the answer was complete."""

    code = "engine_connection_lost"


class StreamBrokenOff(ConnectionLost):
    """The engine itself broke a stream off, and said why."""

    code = "engine_stream"


class EngineRefused(EngineError):
    """The engine's own error: HTTP `status` and the daemon's `reason`."""

    code = "engine_refused"

    def __init__(self, message: str, *, status: int, reason: str) -> None:
        super().__init__(message)
        self.status = status
        self.reason = reason


class CommandNotStarted(EngineError):
    """There is no such command in the container, or it cannot be executed. `exit_code` is what the
    engine gives it: 126, or 127 where it is not there and the engine tells that apart."""

    code = "engine_command"

    def __init__(self, message: str, *, exit_code: int) -> None:
        super().__init__(message)
        self.exit_code = exit_code
