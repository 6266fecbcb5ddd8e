"""What holds a lab together, and ends all of it, whatever happens to its owner.

Every process of the lab lives in a PID namespace, and all that the lab mounts in a mount namespace.
The first process of the PID namespace does nothing but read from its owner. When the owner closes
the pipe, or dies in any way, it ends too; the kernel then kills whatever runs in there, and with
the last process go the network namespaces, their interfaces, and the mounts. Nothing has a name
that the rest of the machine can see, so labs live side by side and leave nothing to be swept up.
"""

import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import IO, Any

from tracekeeper.net.lab.errors import LabError
from tracekeeper.net.lab.namespaces import with_children_in

NEEDED = {"unshare": "util-linux", "nsenter": "util-linux", "ip": "iproute2"}
STOP_SECONDS = 20.0

# In the mount namespace: control groups where no init system has mounted them, and a /run of our
# own. It waits for the PID namespace to end, and then removes what the kernel does not.
_OUTER = """
name=$1 home=$2
grep -q ' - cgroup' /proc/self/mountinfo ||
  cgroupfs-mount 2>/dev/null || mount -t cgroup2 cgroup2 /sys/fs/cgroup
mount -t tmpfs tmpfs /run
unshare --pid --fork --kill-child sh -c "$3" || :
# What other labs remove meanwhile is no trouble.
find /sys/fs/cgroup -depth -type d -path "*/$name*" -exec rmdir {} + 2>/dev/null || :
rm -rf "$home"
"""

# The first process: tell our PID as the outside has it, then wait for the owner to be gone.
_INNER = """
read -r pid rest </proc/self/stat
mount -t proc proc /proc
echo "$pid"
cat
"""


def require(programs: Mapping[str, str]) -> None:
    """Raises LabError if this is not root on Linux with these programs (name: package)."""
    if sys.platform != "linux":
        raise LabError("the lab is made of network namespaces, which only Linux has")
    if os.geteuid() != 0:
        raise LabError(
            "the lab needs root, to make network namespaces",
            hint="run it with sudo, or in a virtual machine or a privileged container",
        )
    missing = [name for name in programs if not shutil.which(name)]
    if missing:
        packages = sorted({programs[name] for name in missing})
        raise LabError(
            f"the lab needs {', '.join(missing)}",
            hint=f"on Debian or Ubuntu: apt-get install {' '.join(packages)}",
        )


class Keeper:
    """The namespaces of one lab, from construction to `close`.

    `home` is a directory that both sides see; `name` is the lab's alone on this machine, and the
    control groups of its processes belong below it. Raises LabError.
    """

    def __init__(self) -> None:
        require(NEEDED)
        self.home = Path(tempfile.mkdtemp(prefix="tk-lab-"))
        self.name = self.home.name
        self._children: list[subprocess.Popen[Any]] = []
        self._process = subprocess.Popen(
            ["unshare", "--mount", "sh", "-ec", _OUTER, "lab", self.name, str(self.home), _INNER],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            start_new_session=True,
        )
        self._pid = self._first_process()

    def _first_process(self) -> int:
        pid = _pipe(self._process.stdout).readline().strip()
        if pid:
            return int(pid)
        why = _pipe(self._process.stderr).read().decode(errors="replace").strip()
        self.close()
        raise LabError(
            f"this machine cannot make the lab's namespaces: {why}",
            hint="a container must be privileged for that (CAP_SYS_ADMIN, no seccomp filter)",
        )

    def network(self, host: str) -> Path:
        """The network namespace of one of the hosts."""
        return Path(f"/proc/{self._pid}/root/run/netns/{host}")

    def call(self, argv: Sequence[str], host: str = "", *, stdin: str = "") -> str:
        """Run a program to its end and return what it printed. Raises LabError if it fails."""
        pipes = dict.fromkeys(("stdin", "stdout", "stderr"), subprocess.PIPE)
        with self._popen(argv, host, text=True, **pipes) as child:
            printed, complained = child.communicate(stdin)
        if child.returncode != 0:
            said = (complained or printed).strip()
            raise LabError(f"{argv[0]} failed in the lab with status {child.returncode}: {said}")
        return str(printed)

    def start(
        self, argv: Sequence[str], host: str, *, cwd: str | os.PathLike[str] = ".", **options: Any
    ) -> subprocess.Popen[Any]:
        """Start a program that ends with the lab at the latest; `options` are those of Popen.

        It is a child of this process, and its `pid` is the program's own.
        """
        child = self._popen(["env", f"--chdir={Path(cwd).absolute()}", *argv], host, **options)
        self._children.append(child)
        return child

    def _popen(self, argv: Sequence[str], host: str, **options: Any) -> subprocess.Popen[Any]:
        # nsenter, because `ip netns exec` mounts another /sys, which hides the control groups; and
        # without its --pid, because for that it forks, and the child would not be ours.
        network = [f"--net={self.network(host)}"] if host else []
        moved = ["nsenter", f"--mount=/proc/{self._pid}/ns/mnt", *network, "--", *argv]
        return with_children_in(
            Path(f"/proc/{self._pid}/ns/pid"), lambda: subprocess.Popen(moved, **options)
        )

    def close(self) -> None:
        """End everything. What has ended already is no trouble. Raises LabError."""
        _pipe(self._process.stdin).close()
        for child in self._children:
            # The kernel ends a PID namespace only when each of its processes has been waited for.
            child.kill()
            child.wait()
        try:
            self._process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            raise LabError(f"the lab {self.name} did not end in {STOP_SECONDS:.0f} s") from None
        finally:
            self._process.kill()
            self._process.wait()
            _pipe(self._process.stdout).close()
            _pipe(self._process.stderr).close()


def _pipe(stream: IO[bytes] | None) -> IO[bytes]:
    if stream is None:
        raise AssertionError("the keeper is started with pipes")
    return stream
