from tracekeeper.net.incident.options import Settings, SocketOptions, Sysctls, in_force

ADVICE = Sysctls(time=60, interval=60, probes=5)
"""What everybody was told to set."""


def test_sysctls_mean_nothing_unless_the_program_turns_the_keepalive_on() -> None:
    assert in_force(SocketOptions(), ADVICE).idle == 0
    assert in_force(SocketOptions(idle=15, interval=5, count=3), ADVICE).idle == 0
    assert in_force(SocketOptions(keepalive=True), ADVICE) == Settings(60_000, 60_000, 5, 0, 15)


def test_the_kernel_waits_two_hours_by_default() -> None:
    assert in_force(SocketOptions(keepalive=True)) == Settings(7_200_000, 75_000, 9, 0, 15)


def test_what_the_program_sets_counts() -> None:
    options = SocketOptions(True, idle=15, interval=5, count=3, user_timeout=30)
    assert in_force(options, ADVICE) == Settings(15_000, 5_000, 3, 30_000, 15)
