import pytest

from tracekeeper.net.lab.firewall import Variant, ruleset


@pytest.mark.parametrize(
    ("variant", "verdict"),
    [
        ("drop", "tcp drop"),
        ("reject", "tcp reject with tcp reset"),
        ("reopen", 'iifname "client" accept; drop'),
        ("none", "\n    accept\n"),
    ],
)
def test_each_variant_lets_pass_what_is_tracked_and_has_its_own_verdict(
    variant: Variant, verdict: str
) -> None:
    rules = ruleset(variant)
    assert rules.index("ct state established,related accept") < rules.index(verdict)
