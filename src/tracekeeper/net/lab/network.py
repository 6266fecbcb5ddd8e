"""Three hosts in a row: client, firewall, host."""

from tracekeeper.net.lab.keeper import Keeper

CLIENT, FIREWALL, HOST = "client", "firewall", "host"
CLIENT_ADDRESS, HOST_ADDRESS = "10.77.1.2", "10.77.2.2"

# The firewall's interfaces bear the names of the hosts that they lead to.
_WIRING = f"""
for name in {CLIENT} {FIREWALL} {HOST}; do
  ip netns add $name
  ip -n $name link set lo up
done
wire() {{
  ip -n {FIREWALL} link add $1 type veth peer name eth0 netns $1
  ip -n {FIREWALL} address add $2.1/24 dev $1
  ip -n {FIREWALL} link set $1 up
  ip -n $1 address add $2.2/24 dev eth0
  ip -n $1 link set eth0 up
  ip -n $1 route add default via $2.1
}}
wire {CLIENT} {CLIENT_ADDRESS.rpartition(".")[0]}
wire {HOST} {HOST_ADDRESS.rpartition(".")[0]}
"""


def lay(keeper: Keeper) -> None:
    """Make the hosts' network namespaces and connect them. Raises LabError."""
    keeper.call(["sh", "-ec", _WIRING])
    keeper.call(["sh", "-ec", "echo 1 >/proc/sys/net/ipv4/ip_forward"], FIREWALL)
