import pytest

from tracekeeper.engine.environment_proxy import Kind, environment_proxy

P = "http://proxy:3128"


@pytest.mark.parametrize(
    ("kind", "environ", "found"),
    [
        ("tls", {}, ""),
        ("tls", {"HTTPS_PROXY": P}, P),
        ("tls", {"https_proxy": P}, P),
        ("tls", {"HTTPS_PROXY": P, "https_proxy": "http://other"}, P),
        ("tls", {"HTTPS_PROXY": "", "https_proxy": P}, P),
        ("tls", {"HTTP_PROXY": P}, ""),
        ("tls", {"ALL_PROXY": P}, P),
        ("tls", {"HTTPS_PROXY": P, "all_proxy": "http://other"}, P),
        ("tls", {"HTTPS_PROXY": "proxy:3128"}, P),
        ("tls", {"HTTPS_PROXY": "socks5://proxy"}, "socks5://proxy"),
        ("tls", {"ALL_PROXY": "socks5://proxy"}, ""),
        ("plain", {"HTTP_PROXY": P}, P),
        ("plain", {"HTTPS_PROXY": P}, ""),
        ("ssh", {"HTTP_PROXY": P, "HTTPS_PROXY": P}, ""),
        ("ssh", {"all_proxy": P}, P),
    ],
)
def test_which_variable_counts(kind: Kind, environ: dict[str, str], found: str) -> None:
    assert environment_proxy(environ, kind, "engine.example.com", 2376) == found


@pytest.mark.parametrize(
    ("host", "exceptions", "proxied"),
    [
        ("localhost", "", False),
        ("LocalHost", "", False),
        ("127.0.0.1", "", False),
        ("127.9.9.9", "", False),
        ("::1", "", False),
        ("x.localhost", "", True),
        ("192.0.2.1", "*", False),
        ("192.0.2.1", "192.0.2.0/24", False),
        ("192.0.2.1", "192.0.2.77/24", False),
        ("192.0.3.1", "192.0.2.0/24", True),
        ("192.0.2.1", "192.0.2.1", False),
        ("192.0.2.1", "192.0.2.1:2376", False),
        ("192.0.2.1", "192.0.2.1:1", True),
        ("192.0.2.1", "2.1", True),
        ("192.0.2.1", ".0.2.1", True),
        ("192.0.2.1", " x , 192.0.2.1,,", False),
        ("192.0.2.1", "nonsense/24, 2001:db8::/32", True),
        ("2001:db8::1", "2001:DB8::1", False),
        ("2001:db8::1", "2001:db8::/32", False),
        ("2001:db8::1", "[2001:db8::1]:2376", False),
        ("2001:db8::1", "[2001:db8::1]:1", True),
        ("2001:db8::1", "[2001:db8::1]", True),
        ("Box.Example.com", "example.com", False),
        ("box.example.com", "BOX.example.COM", False),
        ("box.example.com", ".example.com", False),
        ("example.com", ".example.com", True),
        ("box.example.com", "*.example.com", False),
        ("example.com", "*.example.com", True),
        ("box.example.com", "ample.com", True),
        ("box.example.com", "*ample.com", True),
        ("box.example.com", "example.com:2376", False),
        ("box.example.com", "example.com:1", True),
        ("box.example.com", ":2376", True),
        ("box.example.com", "example.com/24", True),
    ],
)
def test_what_is_proxied(host: str, exceptions: str, proxied: bool) -> None:
    environ = {"HTTPS_PROXY": P, "NO_PROXY": exceptions}
    assert environment_proxy(environ, "tls", host, 2376) == (P if proxied else "")
