from ipaddress import IPv4Address, IPv6Address

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tracekeeper.runner.docker import values

UNITS = {"": 0, "b": 0, "k": 1, "kb": 1, "KiB": 1, "m": 2, "M": 2, "g": 3, "Gb": 3, "t": 4, "p": 5}
PRINTABLE = st.text(st.characters(min_codepoint=32, max_codepoint=126), max_size=20)


@given(st.integers(0, 10**9), st.sampled_from(sorted(UNITS)))
def test_a_size_is_a_number_times_a_power_of_1024(number: int, unit: str) -> None:
    assert values.size(f"{number}{unit}") == number * 1024 ** UNITS[unit]


@pytest.mark.parametrize(
    ("text", "expected"), [("1.5g", 1610612736), ("0.5 k", 512), ("512m", 536870912)]
)
def test_sizes(text: str, expected: int) -> None:
    assert values.size(text) == expected


@pytest.mark.parametrize("text", ["", "m", "-1", "5x", "1..5m", "1,5m", "5 mm", "٣m", "1m\n"])
def test_no_sizes(text: str) -> None:
    with pytest.raises(ValueError, match="such as 512m"):
        values.size(text)


def test_swap_may_be_unlimited() -> None:
    assert values.swap("-1") == -1
    assert values.swap("1g") == 1024**3


@pytest.mark.parametrize(
    ("text", "expected"),
    [("2", 2_000_000_000), ("1.5", 1_500_000_000), ("3/2", 1_500_000_000), (".25", 250_000_000)],
)
def test_cpus(text: str, expected: int) -> None:
    assert values.nano_cpus(text) == expected


@pytest.mark.parametrize("text", ["two", "-1", "1/0", "1,5", ""])
def test_no_cpus(text: str) -> None:
    with pytest.raises(ValueError, match=r"such as 1\.5"):
        values.nano_cpus(text)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("/dev/fuse", ("/dev/fuse", "/dev/fuse", "rwm")),
        ("/dev/sda:/dev/xvda", ("/dev/sda", "/dev/xvda", "rwm")),
        ("/dev/sda:/dev/xvda:r", ("/dev/sda", "/dev/xvda", "r")),
        ("/dev/sda::rw", ("/dev/sda", "/dev/sda", "rw")),
    ],
)
def test_devices(text: str, expected: tuple[str, str, str]) -> None:
    assert tuple(values.device(text).values()) == expected


@pytest.mark.parametrize("text", ["", "fuse", "/dev/a:/dev/b:x", "/a:/b:r:w", "/a:/b:"])
def test_no_devices(text: str) -> None:
    with pytest.raises(ValueError, match="HOST"):
        values.device(text)


@pytest.mark.parametrize("text", ["c 42:* rwm", "a *:* r", "b 8:0 rw"])
def test_cgroup_rules(text: str) -> None:
    assert values.cgroup_rule(text) == text


@pytest.mark.parametrize("text", ["", "c 42 rwm", "d 1:1 r", "c 1:1 x"])
def test_no_cgroup_rules(text: str) -> None:
    with pytest.raises(ValueError, match="TYPE"):
        values.cgroup_rule(text)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("all", {"Count": -1, "Capabilities": [["gpu"]]}),
        ("2", {"Count": 2, "Capabilities": [["gpu"]]}),
        ("device=1", {"DeviceIDs": ["1"], "Capabilities": [["gpu"]]}),
        ('"device=0,GPU-x"', {"DeviceIDs": ["0", "GPU-x"], "Capabilities": [["gpu"]]}),
        (
            'driver=nvidia,count=all,"capabilities=compute,utility"',
            {"Driver": "nvidia", "Count": -1, "Capabilities": [["compute", "utility", "gpu"]]},
        ),
        (
            '"options=a=b,c"',
            {"Options": {"a": "b", "c": ""}, "Count": 1, "Capabilities": [["gpu"]]},
        ),
    ],
)
def test_gpus(text: str, expected: dict[str, object]) -> None:
    assert values.gpus(text) == expected


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("many", "the count many"),
        ("2,device=1", "both a count and devices"),
        ("size=2", "the unknown part size"),
        ("", "an empty part"),
        ("all,", "an empty part"),
        ('"device=1', "a quote that does not end"),
    ],
)
def test_no_gpus(text: str, why: str) -> None:
    with pytest.raises(ValueError, match=why):
        values.gpus(text)


@given(st.integers(0, 2**31), st.integers(0, 2**31))
def test_a_limit_has_a_soft_and_a_hard_value(one: int, other: int) -> None:
    soft, hard = sorted((one, other))
    expected = {"Name": "nofile", "Soft": soft, "Hard": hard}
    assert values.ulimit("nofile", f"{soft}:{hard}") == expected
    assert values.ulimit("nofile", str(soft)) == {**expected, "Hard": soft}
    if soft < hard:
        with pytest.raises(ValueError, match="above its hard one"):
            values.ulimit("nofile", f"{hard}:{soft}")


def test_a_limit_may_be_none() -> None:
    assert values.ulimit("core", "-1") == {"Name": "core", "Soft": -1, "Hard": -1}
    assert values.ulimit("core", "5:-1") == {"Name": "core", "Soft": 5, "Hard": -1}


@pytest.mark.parametrize("text", ["", "many", "1:2:3", ":5"])
def test_no_limits(text: str) -> None:
    with pytest.raises(ValueError, match=r"SOFT\[:HARD\]"):
        values.ulimit("nofile", text)


def test_an_unlimited_soft_limit_below_a_hard_one() -> None:
    with pytest.raises(ValueError, match="above its hard one"):
        values.ulimit("nofile", "-1:5")


def test_extra_hosts() -> None:
    assert values.extra_host("a.example:::1") == "a.example:::1"
    for text in ("", "a", "a:", ":10.0.0.1"):
        with pytest.raises(ValueError, match="NAME:ADDRESS"):
            values.extra_host(text)


@given(st.one_of(st.ip_addresses(v=4), st.ip_addresses(v=6)))
def test_addresses(address: IPv4Address | IPv6Address) -> None:
    assert values.address(str(address)) == str(address)


def test_no_addresses() -> None:
    with pytest.raises(ValueError, match="IP address"):
        values.address("dns.example")


@pytest.mark.parametrize("text", ["92:d0:c6:0a:29:33", "92-D0-C6-0A-29-33"])
def test_hardware_addresses(text: str) -> None:
    assert values.mac(text) == text


@pytest.mark.parametrize("text", ["", "92:d0:c6:0a:29", "92:d0-c6:0a:29:33", "zz:d0:c6:0a:29:33"])
def test_no_hardware_addresses(text: str) -> None:
    with pytest.raises(ValueError, match="MAC address"):
        values.mac(text)


def test_variables() -> None:
    assert values.variable("A=b=c") == ("A", "b=c")
    assert values.variable("A=") == ("A", "")
    for text in ("A", "=b", ""):
        with pytest.raises(ValueError, match="KEY=VALUE"):
            values.variable(text)


def test_one_of_a_few_words() -> None:
    check = values.one_of("default", "process", "hyperv")
    assert [check(text) for text in ("", "process")] == ["", "process"]
    with pytest.raises(ValueError, match="default, process or hyperv"):
        check("vm")


@given(PRINTABLE)
def test_any_text_is_taken_or_refused_with_a_sentence(text: str) -> None:
    for parse in (
        values.size,
        values.swap,
        values.nano_cpus,
        values.device,
        values.gpus,
        values.extra_host,
        values.address,
        values.mac,
        values.cgroup_rule,
    ):
        try:
            parse(text)
        except ValueError as error:
            assert str(error).startswith(("is not ", "has ")), (parse, text)  # noqa: PT017


def test_a_time_ends() -> None:
    assert values.finite(1.5) == 1.5
    with pytest.raises(ValueError, match=r"^has no end"):
        values.finite(float("inf"))
