import os
import sys

import pytest

from tracekeeper.net.lab.errors import LabError
from tracekeeper.net.lab.keeper import require


@pytest.fixture(autouse=True)
def root_on_linux(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "platform", "linux")
    monkeypatch.setattr(os, "geteuid", lambda: 0)


def test_what_is_there_is_enough() -> None:
    require({"sh": "dash"})


def test_another_system_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "platform", "darwin")
    with pytest.raises(LabError, match="which only Linux has"):
        require({})


def test_who_is_not_root_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    with pytest.raises(LabError, match="needs root") as caught:
        require({})
    assert "sudo" in caught.value.hint


def test_what_is_missing_is_named_with_its_packages() -> None:
    with pytest.raises(LabError, match="the lab needs no-such-nft, no-such-ct") as caught:
        require({"sh": "dash", "no-such-nft": "nftables", "no-such-ct": "conntrack"})
    assert caught.value.hint == "on Debian or Ubuntu: apt-get install conntrack nftables"
