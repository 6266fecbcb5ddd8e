from pathlib import Path

from tracekeeper.workspace.gitdir import alternates, job_config, object_files


def listing(*settings: tuple[str, str]) -> str:
    return "".join(f"{scope}\0{setting}\0" for scope, setting in settings)


def test_config_holds_what_a_job_needs_and_no_secret() -> None:
    config = job_config(
        listing(
            ("system", "core.bare\ntrue"),
            ("global", "user.name\nGlobal"),
            ("local", "core.repositoryformatversion\n0"),
            ("local", "core.worktree\n../elsewhere"),
            ("local", "core.hookspath\nhooks"),
            ("local", "credential.helper\nstore"),
            ("local", "http.https://host.extraheader\nAuthorization: secret"),
            ("local", "url.https://token@host/.insteadof\nhost:"),
            ("local", "include.path\n../secrets"),
            ("local", "gitlab.token\nsecret"),
            ("local", "remote.origin.url\nhttps://user:secret@host/group/name.git"),
            ("local", "remote.origin.fetch\n+refs/heads/*:refs/remotes/origin/*"),
            ("local", 'branch.odd "name".merge\nrefs/heads/a\\b'),
            ("worktree", "core.sparsecheckout\ntrue"),
            ("local", "diff.renames"),
            ("local", "user.name\ntwo\nlines\tand\btab"),
        )
    )
    assert config == "\n".join(
        [
            "[core]",
            "\tbare = false",
            "\ttrustctime = false",
            "\tcheckstat = minimal",
            '\trepositoryformatversion = "0"',
            '[remote "origin"]',
            '\turl = "https://host/group/name.git"',
            '\tfetch = "+refs/heads/*:refs/remotes/origin/*"',
            r'[branch "odd \"name\""]',
            r'	merge = "refs/heads/a\\b"',
            "[core]",
            '\tsparsecheckout = "true"',
            "[diff]",
            "\trenames",
            "[user]",
            r'	name = "two\nlines\tand\btab"',
            "",
        ]
    )


def test_alternates_of_an_odd_path() -> None:
    assert alternates(Path("/a b/objects")) == b"/a b/objects\n"
    assert alternates(Path('/a\n"b\\')) == rb'"/a\n\"b\\"' + b"\n"


def test_object_files_follow_alternates_and_take_each_name_once(tmp_path: Path) -> None:
    stores = [tmp_path / name for name in ("one", "two", "three")]
    for store, names in zip(
        stores, (["aa/1", "aa/tmp_obj_x"], ["aa/1", "pack/p"], ["bb/2"]), strict=True
    ):
        for name in (*names, "info/commit-graph"):
            (store / name).parent.mkdir(parents=True, exist_ok=True)
            (store / name).touch()
    (stores[0] / "info/alternates").write_text(f"# comment\n{stores[1]}\n\n../three\n")
    (stores[1] / "info/alternates").write_text(f"{stores[0]}\n")
    found = {name: source for source, name in object_files(stores[0])}
    assert found == {
        "aa/1": stores[0] / "aa/1",
        "pack/p": stores[1] / "pack/p",
        "bb/2": stores[2] / "bb/2",
    }
