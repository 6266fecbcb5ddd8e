from tracekeeper.net.experiment import LABS_START, duration
from tracekeeper.net.incident.clients import clients
from tracekeeper.net.incident.matrix import Setting, cases

SETTING = Setting(10, clients(10))


def test_six_labs_are_side_by_side() -> None:
    one = duration(cases([8, 12], ["tls"], ["none", "ours"], ["drop"]), SETTING)
    assert one == 12 + 12 + LABS_START
    # three firewalls for TCP; six for the others, half of them with sysctls
    assert duration(cases([12], clients=["none"]), SETTING) == one
    assert duration(cases([8, 12]), SETTING) == 2 * one
