from tracekeeper.net.incident.clients import clients, every, ours
from tracekeeper.net.incident.options import SocketOptions, in_force
from tracekeeper.sockets.options import DEFAULT

ALL = clients(600)


def test_ours_is_what_the_product_sets() -> None:
    product = SocketOptions(
        True, DEFAULT.idle, DEFAULT.interval, DEFAULT.count, DEFAULT.user_timeout
    )
    assert ours(600) == ours(50) == product
    assert ours(10) == SocketOptions(True, idle=3, interval=1, count=3, user_timeout=6)
    assert ours(1).idle == 1


def test_the_type_check_finds_no_tcp_under_tls() -> None:
    assert ALL["30s"].options_for("tcp") == every(30)
    assert ALL["30s"].options_for("unix") == SocketOptions()
    assert ALL["30s"].options_for("tls") == SocketOptions()
    assert ALL["15s"].options_for("tls") == every(15)


def test_the_sysctls_are_set_and_the_keepalive_is_off() -> None:
    client = ALL["sysctl"]
    assert client.sysctls.time == 60
    assert in_force(client.options_for("tls"), client.sysctls).idle == 0


def test_only_ours_resumes() -> None:
    assert [name for name, client in ALL.items() if client.resumes] == ["ours"]
