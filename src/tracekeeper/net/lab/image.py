"""The image busybox:latest, made from this machine's static busybox where there is no registry."""

import io
import shutil
import subprocess
import tarfile
import urllib.parse
from pathlib import Path

from tracekeeper.net.lab.errors import LabError

NAME = "busybox:latest"
IMPORT = urllib.parse.urlencode(
    {"fromSrc": "-", "repo": "busybox", "tag": "latest", "changes": 'CMD ["sh"]'}
)
"""The query of ``POST /images/create`` that makes it from `root_file_system`."""
_USERS = b"root:x:0:0:root:/root:/bin/sh\nnobody:x:65534:65534::/:/bin/sh\n"
_GROUPS = b"root:x:0:\nnogroup:x:65534:\n"
_DIRECTORIES = {"bin": 0o755, "etc": 0o755, "root": 0o700, "tmp": 0o1777}


def root_file_system() -> bytes:
    """A tar archive with busybox, a link for each of its commands, and what programs look for.

    Raises LabError if busybox is not installed.
    """
    found = shutil.which("busybox")
    if not found:
        raise LabError(
            f"no busybox is installed to make the image {NAME} from",
            hint="on Debian or Ubuntu: apt-get install busybox-static",
        )
    listing = subprocess.run([found, "--list"], capture_output=True, text=True, check=True)
    archive = io.BytesIO()
    with tarfile.open(fileobj=archive, mode="w") as tar:
        for name, mode in _DIRECTORIES.items():
            directory = tarfile.TarInfo(name)
            directory.type, directory.mode = tarfile.DIRTYPE, mode
            tar.addfile(directory)
        _add_file(tar, "bin/busybox", Path(found).read_bytes(), 0o755)
        for name in sorted(set(listing.stdout.split()) - {"busybox"}):
            link = tarfile.TarInfo(f"bin/{name}")
            link.type, link.linkname = tarfile.SYMTYPE, "busybox"
            tar.addfile(link)
        _add_file(tar, "etc/passwd", _USERS, 0o644)
        _add_file(tar, "etc/group", _GROUPS, 0o644)
    return archive.getvalue()


def _add_file(tar: tarfile.TarFile, name: str, data: bytes, mode: int) -> None:
    entry = tarfile.TarInfo(name)
    entry.size, entry.mode = len(data), mode
    tar.addfile(entry, io.BytesIO(data))
