"""What can go wrong with the lab."""

from tracekeeper.errors import TracekeeperError


class LabError(TracekeeperError):
    """The lab cannot be had on this machine, or something in it does not work."""

    code = "lab"
