import asyncio
import io
import os
import tarfile
from collections.abc import AsyncGenerator, AsyncIterator
from pathlib import Path

import pytest

from tracekeeper.errors import WorkspaceError
from tracekeeper.runner.executors.archives import (
    _Blocking,
    advanced_in_thread,
    directory_tar,
    extract_tar,
)


def extract(data: bytes, destination: Path, size: int = 700) -> None:
    async def chunks() -> AsyncIterator[bytes]:
        for start in range(0, len(data), size):
            yield data[start : start + size]

    asyncio.run(extract_tar(chunks(), destination))


def tar(*members: tarfile.TarInfo) -> bytes:
    archive = io.BytesIO()
    with tarfile.open(fileobj=archive, mode="w") as writer:
        for member in members:
            writer.addfile(member, io.BytesIO(b"x" * member.size))
    return archive.getvalue()


def member(
    name: str, kind: bytes = tarfile.REGTYPE, target: str = "", size: int = 0
) -> tarfile.TarInfo:
    info = tarfile.TarInfo(name)
    info.type, info.linkname, info.size, info.mode = kind, target, size, 0o644
    return info


def test_a_directory_goes_out_and_comes_back(tmp_path: Path) -> None:
    source = tmp_path / "source"
    (source / "a" / ("n" * 120)).mkdir(parents=True)
    (source / "a" / "file").write_bytes(b"y" * 300_000)
    (source / "a" / "file").chmod(0o700)
    os.utime(source / "a" / "file", (1000, 1000))
    (source / "a" / "odd-\udcff").write_bytes(b"odd")
    (source / "link").symlink_to("a/file")
    extract(b"".join(directory_tar(source, "/builds")), tmp_path / "out", size=100_000)
    out = tmp_path / "out"
    assert {str(path.relative_to(out)) for path in out.rglob("*")} == {
        str(path.relative_to(source)) for path in source.rglob("*")
    }
    assert (out / "a/file").read_bytes() == b"y" * 300_000
    assert (out / "a/file").stat().st_mode & 0o777 == 0o766  # anybody may write
    assert (out / "a/file").stat().st_mtime == 1000
    assert (out / "link").readlink() == Path("a/file")


def test_a_single_file(tmp_path: Path) -> None:
    extract(tar(member("name", size=5)), tmp_path / "deep" / "name")
    assert (tmp_path / "deep" / "name").read_bytes() == b"xxxxx"


def test_links_and_things_that_are_no_files(tmp_path: Path) -> None:
    data = tar(
        member("d", tarfile.DIRTYPE),
        member("d/file", size=3),
        member("d/hard", tarfile.LNKTYPE, "d/file"),
        member("d/fifo", tarfile.FIFOTYPE),
    )
    extract(data, tmp_path / "out")
    assert sorted(os.listdir(tmp_path / "out")) == ["file", "hard"]
    assert (tmp_path / "out/hard").samefile(tmp_path / "out/file")


def test_a_symlink_with_several_names(tmp_path: Path) -> None:
    data = tar(
        member("d", tarfile.DIRTYPE),
        member("d/a", tarfile.SYMTYPE, "x"),
        member("d/b", tarfile.LNKTYPE, "d/a"),
        member("d/c", tarfile.LNKTYPE, "d/b"),
    )
    extract(data, tmp_path / "out")
    assert [os.readlink(tmp_path / "out" / name) for name in "abc"] == ["x", "x", "x"]


@pytest.mark.parametrize("name", ["../evil", "d/../../evil", "/etc/evil"])
def test_names_that_lead_out(name: str, tmp_path: Path) -> None:
    with pytest.raises(WorkspaceError, match="leads out of it"):
        extract(tar(member(name)), tmp_path)
    with pytest.raises(WorkspaceError, match="leads out of it"):
        extract(tar(member("d/x", tarfile.LNKTYPE, name)), tmp_path)


def test_nothing_is_written_through_a_symlink(tmp_path: Path) -> None:
    data = tar(
        member("d", tarfile.DIRTYPE),
        member("d/link", tarfile.SYMTYPE, str(tmp_path)),
        member("d/link/evil", size=3),
    )
    with pytest.raises(Exception, match="cannot write"):
        extract(data, tmp_path / "out")
    assert not (tmp_path / "evil").exists()


def test_a_damaged_stream(tmp_path: Path) -> None:
    data = tar(member("d/file", size=5000))
    with pytest.raises(WorkspaceError, match="is damaged"):
        extract(data[:2000], tmp_path)


def test_a_cancellation_leaves_no_thread_behind(tmp_path: Path) -> None:
    async def main() -> None:
        reached = asyncio.Event()

        async def stalled() -> AsyncGenerator[bytes, None]:
            yield tar(member("d/file", size=5000))[:2000]
            reached.set()
            await asyncio.Event().wait()

        chunks = stalled()
        task = asyncio.create_task(extract_tar(chunks, tmp_path / "out"))
        await reached.wait()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        await chunks.aclose()

    asyncio.run(main())


def test_a_stopped_stream_is_at_its_end() -> None:
    async def main() -> None:
        async def more() -> AsyncIterator[bytes]:
            yield b"more"

        source = _Blocking(more(), asyncio.get_running_loop())
        source.stop()
        assert await asyncio.to_thread(source.read, 1) == b""

    asyncio.run(main())


def test_an_iterator_that_blocks() -> None:
    async def main() -> list[bytes]:
        return [chunk async for chunk in advanced_in_thread(iter([b"a", b"", b"b"]))]

    assert asyncio.run(main()) == [b"a", b"", b"b"]
