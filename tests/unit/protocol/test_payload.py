from tracekeeper.protocol.payload import Credentials


def test_credentials_do_not_show_who_or_what() -> None:
    shown = repr(Credentials("registry", "registry.example", "user", "secret"))
    assert shown == "Credentials('registry', 'registry.example')"
