import io
import shutil
import tarfile

import pytest

from tracekeeper.net.lab.errors import LabError
from tracekeeper.net.lab.image import root_file_system


@pytest.mark.skipif(not shutil.which("busybox"), reason="needs busybox")
def test_the_image_has_a_shell_and_users() -> None:
    with tarfile.open(fileobj=io.BytesIO(root_file_system())) as tar:
        assert tar.getmember("bin/busybox").mode == 0o755
        assert tar.getmember("bin/sh").linkname == "busybox"
        users = tar.extractfile("etc/passwd")
        assert users is not None
        assert users.read().startswith(b"root:x:0:0:")


def test_a_missing_busybox_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shutil, "which", lambda name: None)
    with pytest.raises(LabError, match="no busybox is installed"):
        root_file_system()
