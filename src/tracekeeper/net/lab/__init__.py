"""Three hosts on one machine: a client, a firewall that forgets idle connections, a Docker host.

    with Lab(idle=10, variant="drop") as lab:
        lab.client(["docker", "run", "--rm", "busybox", "date"]).wait()

keeper holds processes and namespaces together and ends them; network and firewall lay the way from
the client to the host; certificates and daemon make the host a real Docker Engine over mutual TLS.
"""

from tracekeeper.net.lab.errors import LabError
from tracekeeper.net.lab.firewall import Variant
from tracekeeper.net.lab.lab import Lab

__all__ = ["Lab", "LabError", "Variant"]
