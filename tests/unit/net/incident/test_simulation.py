from hypothesis import given
from hypothesis import strategies as st

from tracekeeper.net.incident.clients import Client, Executor, clients, every, ours
from tracekeeper.net.incident.firewall import Variant
from tracekeeper.net.incident.options import SocketOptions
from tracekeeper.net.incident.simulation import Outcome, Scenario, simulate
from tracekeeper.net.incident.timeline import Event

MODERN = every(15)
NONE, CLI, OURS = (clients(10)[name] for name in ("none", "15s", "ours"))


def play(
    client: Client,
    sleep: int,
    *,
    executor: Executor = "tls",
    variant: Variant = "drop",
    daemon: SocketOptions = MODERN,
    until: int | None = None,
) -> Outcome:
    """The lab's firewall: it forgets after 10 s."""
    return simulate(Scenario(executor, client, variant, sleep * 1000, 10_000, daemon), until)


def test_a_short_silence_does_no_harm() -> None:
    outcome = play(NONE, 8)
    assert outcome.received == outcome.log
    assert (outcome.ending, outcome.at) == ("end", 8002)


def test_the_docker_cli_in_the_lab() -> None:
    outcome = play(CLI, 20)
    assert outcome.received == outcome.log.splitlines(keepends=True)[0]
    assert (outcome.ending, outcome.at) == ("ETIMEDOUT", 150_002)  # measured: after 151 s


def test_without_a_keepalive_nobody_ever_knows() -> None:
    outcome = play(NONE, 20)
    assert outcome.received != outcome.log
    assert (outcome.ending, outcome.at, outcome.breaks) == ("open", None, 0)
    last, end = outcome.events[-2:]
    assert last.kind == "retransmission"  # the engine went on sending
    assert end == Event(124_448, "timed_out", "engine")


def test_a_reset_is_told_to_who_speaks() -> None:
    outcome = play(CLI, 20, variant="reject", daemon=SocketOptions())
    assert (outcome.ending, outcome.at) == ("ECONNRESET", 15_004)


def test_a_later_probe_lets_lost_output_through_where_egress_opens_the_way() -> None:
    outcome = play(CLI, 12, variant="reopen")
    assert outcome.received == outcome.log
    assert outcome.ending == "end"
    assert outcome.at is not None
    assert outcome.at > 15_000


SLOW = Client("too slow, but resumes", SocketOptions(True, 11, 1, 2), resumes=True)


def test_what_broke_is_resumed_before_or_after_the_rest_was_written() -> None:
    early, late = play(SLOW, 20, daemon=SocketOptions()), play(SLOW, 12, daemon=SocketOptions())
    assert early.received == late.received == early.log
    assert (early.breaks, early.ending, early.at) == (1, "end", 20_002)
    assert (late.breaks, late.ending, late.at) == (1, "end", 13_004)  # 11 s, and two probes
    assert [event.size for event in late.events if event.kind == "data"] == [29, 13, 29, 42]


def test_it_can_be_seen_before_its_end() -> None:
    outcome = play(CLI, 20, until=40_000)
    assert outcome.ending == "open"
    assert max(event.at for event in outcome.events) <= 40_000
    assert play(NONE, 20, until=19_000).received == play(NONE, 20, until=19_000).log


def test_a_unix_socket_has_no_network_to_lose_anything_in() -> None:
    outcome = play(NONE, 20, executor="unix")
    assert outcome.received == outcome.log
    assert {event.kind for event in outcome.events} == {"data"}


@given(
    st.sampled_from(["unix", "tcp", "tls"]),
    st.sampled_from(["drop", "reject", "reopen"]),
    st.integers(1, 200),
    st.integers(1, 200),
    st.booleans(),
)
def test_ours_never_loses_anything(
    executor: Executor, variant: Variant, sleep: int, idle: int, modern: bool
) -> None:
    client = Client("", ours(idle), resumes=True)
    daemon = MODERN if modern else SocketOptions()
    scenario = Scenario(executor, client, variant, sleep * 1000, idle * 1000, daemon)
    outcome = simulate(scenario)
    assert (outcome.received, outcome.ending) == (outcome.log, "end")


@given(
    st.sampled_from(["drop", "reject", "reopen"]),
    st.integers(1, 60),
    st.integers(1, 60),
    st.integers(1, 60),
    st.integers(1, 60),
)
def test_resume_alone_saves_the_log_once_the_break_is_known(
    variant: Variant, idle: int, sleep: int, period: int, interval: int
) -> None:
    client = Client("", SocketOptions(True, period, interval, 3), resumes=True)
    scenario = Scenario("tls", client, variant, sleep * 1000, idle * 1000)
    outcome = simulate(scenario)
    assert (outcome.received, outcome.ending) == (outcome.log, "end")
