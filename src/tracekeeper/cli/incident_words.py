"""The words that ``tracekeeper incident`` has for what it calculates with."""

from tracekeeper.net.incident.clients import ClientName, Executor
from tracekeeper.net.incident.firewall import Variant
from tracekeeper.net.incident.matrix import Setting

EXECUTORS: dict[Executor, str] = {"unix": "UNIX socket", "tcp": "TCP", "tls": "TLS"}
VARIANTS: dict[Variant, str] = {"drop": "drops", "reject": "rejects", "reopen": "reopens"}
LIVE = {True: "on", False: "off"}


def titles(setting: Setting) -> dict[ClientName, str]:
    """The clients' titles."""
    return {name: client.title for name, client in setting.clients.items()}


def premise(setting: Setting) -> str:
    """What is the same for all rows."""
    daemon = setting.daemon
    sends = f"a keepalive every {daemon.idle} s" if daemon.keepalive else "no keepalives"
    return (
        'The job: date; sleep N; echo "Hello world!"; date; exit 1\n'
        f"A firewall forgets a connection after {setting.idle} s without a packet; "
        f"the engine sends {sends}."
    )


def told(ending: str, breaks: int, at: float | None = None, *, lost: bool) -> str:
    """What became of the log, and what the client was told, and `at` which second."""
    what = "LOST" if lost else "complete"
    if breaks:
        what += f", resumed {breaks} time{'s' if breaks > 1 else ''}"
    if ending == "open":
        return f"{what}, never told"
    if ending == "end":
        return f"{what}, ended as if complete" if lost else what
    return f"{what}, {ending}" + ("" if at is None else f" at {at:.0f} s")
