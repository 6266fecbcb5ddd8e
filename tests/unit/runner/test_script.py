"""Scripts, run by the shells they are written for."""

import os
import shutil
import stat
import subprocess
from collections.abc import Mapping
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tracekeeper.errors import JobError
from tracekeeper.protocol.payload import JobInfo, JobPayload, JobVariable, Step
from tracekeeper.runner.script import script_text

EMPTY: Mapping[str, str] = {}
SHELLS = [("bash", ["bash"]), ("dash", ["dash"]), ("busybox", ["busybox", "sh"])]


@pytest.fixture(params=[command for _, command in SHELLS], ids=[name for name, _ in SHELLS])
def shell(request: pytest.FixtureRequest) -> list[str]:
    command: list[str] = request.param
    if shutil.which(command[0]) is None:
        pytest.skip(f"{command[0]} is not installed")
    return command


def payload(*variables: JobVariable) -> JobPayload:
    return JobPayload(1, "", JobInfo(id=1, name="job", stage="test"), variables, ())


class Run:
    """A project directory in which scripts are run by one shell."""

    def __init__(self, shell: list[str], directory: Path) -> None:
        self.shell = shell
        self.project = directory / "it's a project"
        self.project.mkdir()
        self.temporary = directory / "it's a project.tmp"
        self.file = directory / "step"

    def __call__(
        self,
        *script: str,
        variables: tuple[JobVariable, ...] = (),
        shared: bool = False,
        inherited: Mapping[str, str] = EMPTY,
    ) -> tuple[int, bytes]:
        step = Step("script", script, 60)
        text = script_text(payload(*variables), step, str(self.project), shared=shared)
        self.file.write_bytes(text)
        done = subprocess.run(
            [*self.shell, str(self.file)],
            input=b"not for the script",
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            env={"PATH": os.environ["PATH"], **inherited},
            cwd="/",
            timeout=30,
            check=False,
        )
        return done.returncode, done.stdout

    def output(self, *script: str, variables: tuple[JobVariable, ...] = ()) -> str:
        """What the commands print, without the lines that show them."""
        code, output = self(*script, variables=variables)
        assert code == 0, output
        lines = output.decode().splitlines(keepends=True)
        return "".join(line for line in lines if not line.startswith("\x1b[32;1m$ "))


@pytest.fixture
def run(shell: list[str], tmp_path: Path) -> Run:
    return Run(shell, tmp_path)


def test_commands_are_shown_and_run(run: Run) -> None:
    code, output = run("echo 'one'", "", "echo two\necho three\n")
    assert code == 0
    assert output == (
        b"\x1b[32;1m$ echo 'one'\x1b[0;m\none\n\n"
        b"\x1b[32;1m$ echo two # collapsed multi-line command\x1b[0;m\ntwo\nthree\n"
    )


def test_it_runs_in_the_project(run: Run) -> None:
    assert run.output('echo "$PWD"', 'echo "$CI_PROJECT_DIR"') == f"{run.project}\n" * 2


def test_a_failure_ends_it_with_its_own_status(run: Run) -> None:
    code, output = run("echo before", "(exit 42)", "echo after")
    assert code == 42
    assert output.endswith(b"$ (exit 42)\x1b[0;m\n")


def test_a_failure_within_an_entry_ends_it(run: Run) -> None:
    code, output = run("echo before\nfalse\necho after")
    assert (code, b"\nbefore\n" in output, b"\nafter" in output) == (1, True, False)


def test_exit_ends_it(run: Run) -> None:
    assert run("exit 7", "echo after")[0] == 7
    code, output = run("exit 0", "echo after")
    assert code == 0
    assert b"after" not in output


def test_without_errexit_the_last_command_decides(run: Run) -> None:
    assert run.output("set +e", "false", "echo on") == "on\n"
    assert run("set +e", "echo on", "(exit 3)")[0] == 3


def test_a_pipe_that_fails_in_the_middle(run: Run) -> None:
    knows = subprocess.run([*run.shell, "-c", "set -o pipefail"], capture_output=True, check=False)
    assert run("false | cat", "echo after")[0] == (1 if knows.returncode == 0 else 0)


def test_nothing_comes_from_stdin(run: Run) -> None:
    assert run.output("cat", "read line || echo none") == "none\n"


def test_all_entries_share_one_shell(run: Run) -> None:
    assert (
        run.output(
            "mkdir sub",
            "cd sub",
            'greet() { echo "hello $1"; }',
            "local_one=1",
            "greet $local_one",
            "pwd",
            "set -f",
            "echo *",
        )
        == f"hello 1\n{run.project}/sub\n*\n"
    )


def test_an_alias(run: Run) -> None:
    enable = "if command -v shopt >/dev/null; then shopt -s expand_aliases; fi"
    assert run.output(enable, "alias say='echo said'", "say it") == "said it\n"


def test_an_exit_trap_runs_and_keeps_the_status(run: Run) -> None:
    code, output = run("trap 'echo bye' EXIT", "(exit 5)")
    assert code == 5
    assert output.endswith(b"bye\n")


def test_a_term_signal_runs_the_exit_trap(run: Run) -> None:
    code, output = run("trap 'echo bye' EXIT", "kill -TERM $$", "echo after")
    assert code == 143
    assert output.endswith(b"bye\n")


def test_unset_variables_are_the_script_s_own_matter(run: Run) -> None:
    assert run.output('echo "[$nothing]"') == "[]\n"
    assert run("set -u", "echo $nothing", "echo after")[0] != 0
    assert run.output("set -u", "echo fine") == "fine\n"


def test_a_here_document(run: Run) -> None:
    assert run.output("cat <<'END'\n  $HOME\n\n'\nEND", "echo next") == "  $HOME\n\n'\nnext\n"


def test_a_closed_output_does_not_end_it(run: Run) -> None:
    assert run("exec >&-", "true", "touch reached")[0] == 0
    assert (run.project / "reached").exists()


def test_a_syntax_error_fails(run: Run) -> None:
    code, output = run("echo before", "if then")
    assert code != 0
    assert b"\nbefore\n" in output


def test_an_empty_step_passes(run: Run) -> None:
    assert run() == (0, b"")


def test_debug_trace(run: Run) -> None:
    code, output = run("echo hello", variables=(JobVariable("CI_DEBUG_TRACE", "TRUE"),))
    assert code == 0
    assert b"\n+ echo hello\nhello\n" in output


def test_a_file_variable(run: Run) -> None:
    content = "first\n'second' $N \\n%s\n\n"
    secret = JobVariable("KEY", content, file=True, raw=True)
    assert run.output('printf "%s\\n" "$KEY"', variables=(secret,)) == f"{run.temporary}/KEY\n"
    written = run.temporary / "KEY"
    assert written.read_text() == content
    assert stat.S_IMODE(written.stat().st_mode) == 0o600
    assert stat.S_IMODE(run.temporary.stat().st_mode) == 0o700


def test_a_name_no_shell_allows(run: Run) -> None:
    code, output = run("echo on", variables=(JobVariable("not-a name", "x"),))
    assert code == 0
    assert output.startswith(b"\x1b[0;33mvariable not-a name is left out")


names = st.from_regex(r"V_[A-Za-z0-9_]{0,8}", fullmatch=True)
values = st.one_of(
    st.binary(max_size=60),
    st.text(st.sampled_from("'\"\\$`!*?~ \n\t\r%{}();&|<>#=é\x01\x7f"), max_size=40).map(
        str.encode
    ),
).map(lambda data: data.replace(b"\0", b""))


@settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.dictionaries(names, values, min_size=1, max_size=25))
def test_values_arrive_byte_for_byte(run: Run, expected: dict[str, bytes]) -> None:
    variables = tuple(
        JobVariable(key, value.decode("utf-8", "surrogateescape"), raw=True)
        for key, value in expected.items()
    )
    code, _ = run("env -0 > environment", variables=variables)
    assert code == 0
    entries = (run.project / "environment").read_bytes().rstrip(b"\0").split(b"\0")
    found = dict(entry.split(b"=", 1) for entry in entries)
    assert {key: found[key.encode()] for key in expected} == expected


@settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(values)
def test_files_arrive_byte_for_byte(run: Run, content: bytes) -> None:
    text = content.decode("utf-8", "surrogateescape")
    assert run("true", variables=(JobVariable("F", text, file=True, raw=True),))[0] == 0
    assert (run.temporary / "F").read_bytes() == content


@pytest.mark.parametrize(
    ("variables", "script", "holder"),
    [
        ((JobVariable("A", "x\0y"),), "true", "variable A"),
        ((JobVariable("A", "x\0y", file=True),), "true", "file /p.tmp/A"),
        ((), "echo \0", "script"),
    ],
)
def test_a_nul_is_refused(variables: tuple[JobVariable, ...], script: str, holder: str) -> None:
    with pytest.raises(JobError, match=f"{holder} holds a NUL character"):
        script_text(payload(*variables), Step("script", (script,), 60), "/p")


def test_the_status_reaches_after_script() -> None:
    text = script_text(
        payload(), Step("after_script", ("true",), 60), "/p", status="failed", shared=True
    )
    assert b"export CI_JOB_STATUS='failed'\n" in text
    assert b"export CI_SHARED_ENVIRONMENT='true'\n" in text


def test_a_job_is_not_in_the_repository_of_the_hook_that_started_it(
    shell: list[str], tmp_path: Path
) -> None:
    run = Run(shell, tmp_path)
    hook = {"GIT_DIR": "/users/.git", "GIT_INDEX_FILE": "/users/.git/index"}
    look = 'printf "<%s>" "$GIT_DIR" "$GIT_INDEX_FILE"'
    assert run(look, shared=True, inherited=hook)[1].endswith(b"\n<><>")
    own = JobVariable("GIT_DIR", "/own")
    assert run(look, shared=True, inherited=hook, variables=(own,))[1].endswith(b"\n</own><>")
