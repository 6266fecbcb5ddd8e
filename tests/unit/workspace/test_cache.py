import errno
import hashlib
import os
from collections.abc import Sequence
from pathlib import Path
from threading import Thread

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tracekeeper.errors import StorageError, WorkspaceError
from tracekeeper.workspace.cache import CacheStore, files_key, sanitize_key


class Files:
    def __init__(self, **contents: bytes) -> None:
        self.contents = {name.replace("_", "."): content for name, content in contents.items()}

    def read(self, path: str) -> bytes | None:
        return self.contents.get(path)

    def paths(self) -> Sequence[str]:
        return sorted([*self.contents, "unreadable"])


@pytest.mark.parametrize(
    ("key", "clean"),
    [
        ("default", "default"),
        ("main-protected", "main-protected"),
        ("a/b", "a/b"),
        ("a%2Fb%2fc", "a/b/c"),
        (r"a\b", "a/b"),
        ("../../etc", "etc"),
        ("a/../../b", "b"),
        ("%2e%2E/x", "x"),
        ("..", ""),
        (".", ""),
        ("%2e", ""),
        ("/", ""),
        ("", ""),
        ("key  ", "key"),
        ("a/ ", "a"),
        (" ", ""),
        (" a", " a"),
        ("a /b", "a /b"),
        (".. ", ""),
        ("a/b/.. ", "a"),
        ("a/b /. ", "a/b"),
    ],
)
def test_sanitize_key(key: str, clean: str) -> None:
    assert sanitize_key(key) == clean


@given(st.text("ab./\\% 2eEfF\t", max_size=20))
def test_a_clean_key_cannot_climb(key: str) -> None:
    clean = sanitize_key(key)
    assert ".." not in clean.split("/")
    assert not clean.startswith("/")
    assert clean == clean.rstrip()


def archive(directory: Path, content: bytes = b"zip") -> Path:
    path = directory / "new.zip"
    path.write_bytes(content)
    return path


def test_store_and_restore(tmp_path: Path) -> None:
    store = CacheStore(tmp_path / "caches")
    assert store.restore("a") is None
    store.store("a/b", archive(tmp_path))
    store.store("a", archive(tmp_path, b"two"))
    restored = store.restore("a%2Fb")
    assert restored
    assert (restored.key, restored.archive.read_bytes()) == ("a/b", b"zip")
    fallback = store.restore("missing", ["..", "also", "a"])
    assert fallback
    assert (fallback.key, fallback.archive.read_bytes()) == ("a", b"two")
    assert os.listdir(tmp_path) == ["caches"]


@given(st.text(max_size=300), st.text(max_size=300))
def test_keys_do_not_share_a_file(one: str, other: str) -> None:
    store = CacheStore(Path("/caches"))
    one, other = sanitize_key(one), sanitize_key(other)
    surrogates = any("\ud800" <= character <= "\udfff" for character in one + other)
    if one and other and not surrogates:
        assert (store._archive(one) == store._archive(other)) == (one == other)
        assert len(store._archive(one).name) <= 255


def test_a_useless_key_is_refused(tmp_path: Path) -> None:
    with pytest.raises(WorkspaceError, match=r"key '\.\.' cannot be used"):
        CacheStore(tmp_path).store("..", archive(tmp_path))


def test_the_old_cache_stays_for_who_reads_it(tmp_path: Path) -> None:
    store = CacheStore(tmp_path / "caches")
    with open(store.store("k", archive(tmp_path, b"old")), "rb") as reader:
        store.store("k", archive(tmp_path, b"new"))
        assert reader.read() == b"old"


def test_parallel_jobs_store_the_same_key(tmp_path: Path) -> None:
    store = CacheStore(tmp_path / "caches")

    def work(number: int) -> None:
        own = tmp_path / str(number)
        own.mkdir()
        for _ in range(20):
            store.store("k", archive(own, bytes([number]) * 1000))
            restored = store.restore("k")
            assert restored
            assert len(set(restored.archive.read_bytes())) == 1

    threads = [Thread(target=work, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert os.listdir(tmp_path / "caches") == ["k.zip"]


def test_from_another_filesystem(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    replace = os.replace
    source = archive(tmp_path, b"x" * 600_000)

    def elsewhere(old: object, new: object) -> None:
        if old == source:
            raise OSError(errno.EXDEV, "Invalid cross-device link")
        replace(str(old), str(new))

    monkeypatch.setattr("os.replace", elsewhere)
    assert CacheStore(tmp_path / "c").store("k", source).read_bytes() == b"x" * 600_000
    assert os.listdir(tmp_path) == ["c"]
    assert os.listdir(tmp_path / "c") == ["k.zip"]


def test_a_full_disk_keeps_the_old_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    store = CacheStore(tmp_path / "c")
    store.store("k", archive(tmp_path, b"old"))

    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr("os.replace", full)
    with pytest.raises(StorageError, match="the cache k: the disk is full"):
        store.store("k", archive(tmp_path, b"new"))
    restored = store.restore("k")
    assert restored
    assert restored.archive.read_bytes() == b"old"


def test_files_key_follows_content() -> None:
    files = Files(a_lock=b"1", b_lock=b"2")
    key = files_key(files, ["a.lock", "b.lock"])
    assert key == files_key(Files(a_lock=b"1", b_lock=b"2", c=b"3"), ["b.lock", "a.lock"])
    assert key == files_key(files, ["*.lock"])
    assert key != files_key(Files(a_lock=b"1", b_lock=b"3"), ["*.lock"])
    assert files_key(files, ["a.lock"], "p") == f"p-{files_key(files, ['a.lock'])}"
    # git hash-object of the byte "1" is 56a6051c…
    blob = b"56a6051ca2b02b04ef92d5150c9ef600403cb1de"
    assert files_key(files, ["a.lock"]) == hashlib.sha1(blob).hexdigest()


@pytest.mark.parametrize("name", ["none", "x/*", "unreadable"])
def test_files_key_without_files(name: str) -> None:
    assert files_key(Files(a=b"1"), [name]) == "default"
    assert files_key(Files(a=b"1"), [name], "p") == "p-default"
