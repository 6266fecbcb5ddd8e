"""A firewall between two hosts that forgets connections on which nothing moves.

What comes after it has forgotten one, from either side:

- ``drop`` swallows it, as most cloud firewalls and NAT gateways do;
- ``reject`` answers it with an RST, to the one who sent it;
- ``reopen`` lets the client's side through and tracks the connection anew, and drops what the host
  sends until then: Google Cloud's documented rule for VPC firewalls;
- ``none`` lets everything through, always.
"""

from typing import Literal, TypeAlias, get_args

from tracekeeper.net.lab.errors import LabError
from tracekeeper.net.lab.keeper import Keeper
from tracekeeper.net.lab.network import CLIENT, FIREWALL

Variant: TypeAlias = Literal["drop", "reject", "reopen", "none"]

NEEDED = {"nft": "nftables", "conntrack": "conntrack"}

# Linux takes up a connection in the middle (nf_conntrack_tcp_loose), if its packet is let through;
# so where none may begin again, it is only a SYN that is.
_UNKNOWN: dict[Variant, str] = {
    "drop": "tcp flags & (fin | syn | rst | ack) == syn accept; meta l4proto tcp drop",
    "reject": (
        "tcp flags & (fin | syn | rst | ack) == syn accept; meta l4proto tcp reject with tcp reset"
    ),
    "reopen": f'iifname "{CLIENT}" accept; drop',
    "none": "accept",
}

_CUT = """
table ip cut
delete table ip cut
table ip cut {
  chain forward {
    type filter hook forward priority filter - 10; policy drop;
  }
}
"""
# Naming the table first makes it, so that taking it away always works.
_MEND = "table ip cut\ndelete table ip cut\n"


def ruleset(variant: Variant) -> str:
    """The rules, for nft: what is tracked passes, `_UNKNOWN` decides the rest."""
    return f"""
table ip lab
delete table ip lab
table ip lab {{
  chain forward {{
    type filter hook forward priority filter; policy accept;
    ct state established,related accept
    {_UNKNOWN[variant]}
  }}
}}
"""


class Firewall:
    """The rules of the lab's firewall, and what it knows of connections."""

    def __init__(self, keeper: Keeper) -> None:
        self._keeper = keeper

    def set(self, idle: int, variant: Variant) -> None:
        """Forget a connection after `idle` quiet seconds: for one that stands, from its next
        packet on. Raises LabError."""
        if variant not in get_args(Variant):
            raise LabError(f"{variant!r} is no variant: take one of {', '.join(get_args(Variant))}")
        if idle < 1:
            raise LabError(f"a firewall that forgets after {idle} s lets nothing through")
        self._nft(ruleset(variant))
        setting = f"echo {idle} >/proc/sys/net/netfilter/nf_conntrack_tcp_timeout_established"
        self._keeper.call(["sh", "-ec", setting], FIREWALL)

    def cut(self) -> None:
        """Let nothing through in either direction, without a word. Raises LabError."""
        self._nft(_CUT)

    def mend(self) -> None:
        """Take `cut` back. Raises LabError."""
        self._nft(_MEND)

    def forget(self) -> None:
        """Forget every connection at once, as if it had been idle. Raises LabError."""
        self._keeper.call(["conntrack", "-F"], FIREWALL)

    def connections(self) -> list[str]:
        """The TCP connections that are known, in conntrack's own words. Raises LabError."""
        return self._keeper.call(["conntrack", "-L", "-p", "tcp"], FIREWALL).splitlines()

    def _nft(self, rules: str) -> None:
        self._keeper.call(["nft", "-f", "-"], FIREWALL, stdin=rules)
