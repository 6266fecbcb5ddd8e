"""Real runs: what jobs get from each other, when they run, and how they are tried again."""

import json
import re
import shutil
import zipfile
from pathlib import Path
from typing import Any

import pytest


def test_artifacts_follow_needs_dependencies_and_stages(checkout: Any) -> None:
    checkout.pipeline("""
stages: [build, test]
one: {stage: build, script: [echo 1 > one], artifacts: {paths: [one]}}
two: {stage: build, script: [echo 2 > two], artifacts: {paths: [two]}}
all: {stage: test, script: [cat one two]}
by needs: {stage: test, needs: [one], script: [cat one, "! cat two"]}
by dependencies: {stage: test, dependencies: [two], script: [cat two, "! cat one"]}
without: {stage: test, needs: [{job: one, artifacts: false}], script: ["! cat one"]}
none: {stage: test, dependencies: [], script: ["! cat one", "! cat two"]}
""")
    run = checkout.run()
    assert run.code == 0, run.output()
    assert set(run.results.values()) == {"success"}


def test_artifacts_have_the_files_that_were_asked_for(checkout: Any) -> None:
    checkout.write(".gitignore", "ignored\n")
    checkout.pipeline("""
globs:
  script: [mkdir -p a/b, touch a/x.txt a/b/y.txt a/b/z.log ignored, ln -s x.txt a/link]
  artifacts: {paths: ["a/**/*.txt", a/link], exclude: [a/b/y.txt]}
untracked:
  script: [echo new > new, echo more >> .gitignore, touch ignored]
  artifacts: {untracked: true}
on failure:
  script: [touch f, exit 1]
  allow_failure: true
  artifacts: {paths: [f], when: on_failure}
not on failure:
  script: [touch f, exit 1]
  allow_failure: true
  artifacts: {paths: [f]}
""")
    run = checkout.run()
    assert run.code == 0
    kept = {
        path.parent.parent.name.partition("-")[2]: sorted(zipfile.ZipFile(path).namelist())
        for path in checkout.kept().path.glob("jobs/*/artifacts/artifacts.zip")
    }
    assert kept == {
        "globs": ["a/link", "a/x.txt"],
        "untracked": ["ignored", "new"],
        "on-failure": ["f"],
    }


def test_dotenv_variables_reach_later_jobs(checkout: Any) -> None:
    checkout.pipeline("""
stages: [build, test]
build:
  stage: build
  script: [echo "VERSION=1.2" > v.env, echo "NAME=from dotenv" >> v.env]
  artifacts: {reports: {dotenv: v.env}}
test:
  stage: test
  variables: {NAME: from the file}
  script: ['test "$VERSION,$NAME" = "1.2,from dotenv"']
without:
  stage: test
  needs: []
  script: ['test -z "$VERSION"']
""")
    assert checkout.run().code == 0


def test_a_bad_dotenv_report_fails_its_job(checkout: Any) -> None:
    checkout.pipeline("""
job: {script: [echo not-a-variable > v.env], artifacts: {reports: {dotenv: v.env}}}
""")
    run = checkout.run()
    assert run.code == 1
    assert "v.env" in run.finished()["message"] or "dotenv" in run.finished()["message"]


def test_caches_between_runs(checkout: Any) -> None:
    checkout.write("lock", "1")
    checkout.pipeline("""
stages: [a, b]
by files:
  stage: a
  cache: {key: {files: [lock], prefix: p}, paths: [files.cache]}
  script: [cat files.cache || echo files miss, echo files hit > files.cache]
fallback:
  stage: a
  cache: {key: new-$CI_PIPELINE_ID, fallback_keys: [old], paths: [kept.cache]}
  script: [cat kept.cache || echo fallback miss]
pull:
  stage: a
  cache: {key: pull, paths: [pull.cache], policy: pull}
  script: ["! test -e pull.cache", touch pull.cache]
failed:
  stage: a
  allow_failure: true
  cache: {key: failed, paths: [failed.cache], when: on_failure}
  script: [cat failed.cache || echo failed miss, echo failed hit > failed.cache, exit 1]
push:
  stage: b
  cache: {key: old, paths: [kept.cache], policy: push}
  script: [echo fallback hit > kept.cache]
""")
    first, second = checkout.run(), checkout.run()
    assert (first.code, second.code) == (0, 0)

    for job, word in (("by files", "files"), ("fallback", "fallback"), ("failed", "failed")):
        assert f"{word} miss" in first.lines(job)
        assert f"{word} hit" in second.lines(job)
    checkout.write("lock", "2")
    assert "files miss" in checkout.run("by files").lines("by files")


def test_when_and_allow_failure(checkout: Any) -> None:
    checkout.pipeline("""
stages: [a, b, c]
allowed: {stage: a, script: [exit 42], allow_failure: {exit_codes: [42]}}
broken: {stage: b, script: [exit 41], allow_failure: {exit_codes: [42]}}
on success: {stage: c, script: [echo]}
on failure: {stage: c, script: [echo], when: on_failure}
always: {stage: c, script: [echo], when: always}
manual: {stage: c, script: [echo], when: manual}
delayed: {stage: a, script: [echo], when: delayed, start_in: 1 second}
""")
    run = checkout.run()
    assert run.code == 1
    assert run.results == {
        "allowed": "script_failure",
        "broken": "script_failure",
        "on success": "skipped",
        "on failure": "success",
        "always": "success",
        "manual": "skipped",
        "delayed": "success",
    }
    assert run.finished("allowed")["allow_failure"] is True
    assert run.finished("broken")["allow_failure"] is False
    assert run.finished("broken")["exit_code"] == 41


def test_a_manual_job_waits_and_the_run_passes(checkout: Any) -> None:
    checkout.pipeline("""
job: {script: [echo]}
manual: {script: [echo played], when: manual}
""")
    run = checkout.run()
    assert run.code == 0
    assert run.results == {"job": "success", "manual": "manual"}
    assert "played" in checkout.run("manual").lines("manual")


def test_retry(checkout: Any, tmp_path: Path) -> None:
    checkout.pipeline("""
always: {script: ['echo x >> "$COUNT"', 'test $(wc -l < "$COUNT") = 3'], retry: 2}
by code: {script: [exit 7], retry: {max: 1, exit_codes: [7]}, allow_failure: true}
other code: {script: [exit 8], retry: {max: 2, exit_codes: [7]}, allow_failure: true}
by reason: {script: [exit 1], retry: {max: 1, when: script_failure}, allow_failure: true}
other reason:
  script: [exit 1]
  retry: {max: 2, when: runner_system_failure}
  allow_failure: true
""")
    run = checkout.run("-V", f"COUNT={tmp_path / 'count'}")
    assert run.code == 0
    retried = [(e["name"], e["attempt"], e["failure_reason"]) for e in run.of_type("job_retried")]
    assert sorted(retried) == [
        ("always", 2, "script_failure"),
        ("always", 3, "script_failure"),
        ("by code", 2, "script_failure"),
        ("by reason", 2, "script_failure"),
    ]
    assert len({event["job"] for event in run.of_type("job_finished")}) == 9
    assert run.finished("always")["status"] == "success"


def test_resource_groups_are_expanded_and_kept(checkout: Any, tmp_path: Path) -> None:
    checkout.pipeline("""
.deploy:
  resource_group: deploy-$WHERE
  script: ['mkdir "$LOCKS/$WHERE"', sleep 0.2, 'rmdir "$LOCKS/$WHERE"']
a: {extends: .deploy, variables: {WHERE: one}}
b: {extends: .deploy, variables: {WHERE: one}}
c: {extends: .deploy, variables: {WHERE: two}}
d: {extends: .deploy, variables: {WHERE: two}}
e: {extends: .deploy, variables: {WHERE: two}}
""")
    run = checkout.run("-j", "5", "-V", f"LOCKS={tmp_path}")
    assert run.code == 0
    waited = {e["name"] for e in run.of_type("job_status") if e["status"] == "waiting_for_resource"}
    assert waited == {"b", "d", "e"}


def test_jobs_at_once(checkout: Any, tmp_path: Path) -> None:
    checkout.pipeline("""
job:
  parallel: 6
  script: ['mkdir "$LOCKS/lock"', 'rmdir "$LOCKS/lock"', echo $CI_NODE_INDEX/$CI_NODE_TOTAL]
""")
    run = checkout.run("-j", "1", "-V", f"LOCKS={tmp_path}")
    assert run.code == 0
    assert all(f"{n}/6" in run.lines(f"job {n}/6") for n in range(1, 7))


def test_matrix(checkout: Any) -> None:
    checkout.pipeline("""
build:
  parallel: {matrix: [{OS: [linux, mac], CC: gcc}]}
  script: [echo $OS-$CC > $OS.txt]
  artifacts: {paths: ["*.txt"]}
test:
  needs: [{job: build, parallel: {matrix: [{OS: mac, CC: gcc}]}}]
  script: [cat mac.txt, "! cat linux.txt"]
""")
    run = checkout.run()
    assert run.code == 0
    assert set(run.results) == {"build: [linux, gcc]", "build: [mac, gcc]", "test"}


def test_named_jobs_with_and_without_their_needs(checkout: Any) -> None:
    checkout.pipeline("""
first: {script: [echo 1 > one], artifacts: {paths: [one]}}
second: {needs: [first], script: [cat one || echo none]}
third: {needs: [second], script: [echo]}
""")
    alone = checkout.run("second")
    assert alone.results == {"second": "success"}
    assert "none" in alone.lines("second")
    chain = checkout.run("--needs", "third")
    assert set(chain.results) == {"first", "second", "third"}
    assert "1" in chain.lines("second")


def test_variables_of_the_user(checkout: Any, tmp_path: Path) -> None:
    variables = tmp_path / "variables.yml"
    variables.write_text("""
PLAIN: from the variables file
SECRET: {value: correct-horse, masked: true}
FILE: {value: "content of $PLAIN", file: true}
RAW: {value: $PLAIN, raw: true}
""")
    checkout.pipeline("""
job:
  variables: {PLAIN: from the pipeline}
  script:
    - echo "$PLAIN"
    - echo "<$SECRET>"
    - cat "$FILE"; echo
    - echo "$RAW"
    - echo "$(stat -c %a "$FILE")"
""")
    run = checkout.run("--variables-file", str(variables), "-V", "PLAIN=from the command")
    assert run.code == 0
    lines = run.lines()
    assert "from the command" in lines
    assert "<[MASKED]>" in lines
    assert "content of from the command" in lines
    assert "$PLAIN" in lines
    assert "600" in lines
    data = checkout.data.path.rglob("*")
    assert not [p for p in data if p.is_file() and b"correct-horse" in p.read_bytes()]


def test_coverage_is_in_the_event(checkout: Any) -> None:
    checkout.pipeline(r"""
job:
  coverage: '/Total: (\d+\.\d+)%/'
  script: [echo "Total 1.0%", "echo Total: 12.5%", "echo Total: 87.25%", echo done]
without:
  coverage: '/no such line/'
  script: [echo]
""")
    run = checkout.run()
    assert run.finished()["coverage"] == 87.25
    assert run.finished("without")["coverage"] is None


def test_an_attempt_begins_with_one_line_of_the_runner(checkout: Any) -> None:
    checkout.pipeline("job: {script: [echo hello]}")
    lines = [re.sub(r"\x1b\[[0-9;]*[mK]", "", line) for line in checkout.run().lines()]
    first, second, third, *_ = (line for line in lines if line and "section_" not in line)
    about = r"asked for with --executor \(tracekeeper [\d.]+, bash on \S+\)"
    assert re.fullmatch(rf'Preparing the "shell" executor: {about}', first)
    assert second == "Getting the sources"
    assert third == "Running the script"


def test_the_working_tree_is_never_changed(checkout: Any) -> None:
    checkout.write(".gitignore", "ignored\n.tracekeeper\n")
    checkout.write("tracked", "committed")
    checkout.write("staged", "committed")
    checkout.write("gone", "committed")
    checkout.pipeline("""
job:
  script:
    - grep changed tracked
    - grep staged staged
    - grep new untracked
    - test ! -e gone
    - test ! -e ignored
    - git status --porcelain
    - test "$(git rev-parse HEAD)" = "$CI_COMMIT_SHA"
    - git config user.email a@example.org && git config user.name a
    - git add -A && git commit -q -m inside && git tag inside && git gc -q
    - rm -rf tracked; echo x > .gitlab-ci.yml
""")
    checkout.write("tracked", "changed")
    checkout.write("staged", "staged")
    checkout.git("add", "staged")
    checkout.write("untracked", "new")
    checkout.write("ignored", "secret")
    (checkout.root / "gone").unlink()
    status = checkout.git("status", "--porcelain", "--ignored")  # refreshes the index
    before = checkout.state()
    run = checkout.run()
    assert run.code == 0, run.output()
    assert checkout.state() == before
    after = checkout.git("status", "--porcelain", "--ignored")
    assert after.replace("!! .tracekeeper/\n", "") == status
    assert {" M tracked", "M  staged", " D gone", "?? untracked"} <= set(run.lines())


def test_the_data_directory_ignores_itself(checkout: Any) -> None:
    checkout.pipeline("job: {script: [echo]}")
    checkout.run()
    assert checkout.git("status", "--porcelain", "--ignored") == "!! .tracekeeper/\n"


def test_nothing_is_left(checkout: Any) -> None:
    checkout.pipeline("job: {script: [echo], after_script: [echo]}")
    run = checkout.run()
    assert run.code == 0
    assert checkout.builds == []
    assert not Path(checkout.kept().path / "engine").exists()
    kept = sorted(path.name for path in checkout.kept().path.glob("jobs/1-job/*"))
    assert kept == ["journal", "result.json", "trace"]
    result = json.loads((checkout.kept().path / "jobs/1-job/result.json").read_text())
    assert result["ledger"]["verdict"] == "proven"


def test_nothing_to_run(checkout: Any) -> None:
    checkout.pipeline("job: {script: [echo], rules: [{if: $NO}]}")
    run = checkout.start(json=False)
    assert run.code == 2
    assert "there is no pipeline to run" in run.errors


@pytest.mark.parametrize("jobs_at_once", ["1", "8"])
def test_a_chain_of_needs_runs_in_its_order(checkout: Any, jobs_at_once: str) -> None:
    jobs = ["j0: {script: [echo 0 >> log], artifacts: {paths: [log]}}"]
    for n in range(1, 8):
        body = f"needs: [j{n - 1}], script: [echo {n} >> log, cat log], artifacts: {{paths: [log]}}"
        jobs.append(f"j{n}: {{{body}}}")
    checkout.pipeline("\n".join(jobs))
    run = checkout.run("-j", jobs_at_once)
    assert run.code == 0
    assert [line for line in run.lines("j7") if line.isdigit()] == list("01234567")


@pytest.mark.parametrize("git", [True, False])
def test_our_own_directories_in_the_project_are_no_part_of_it(checkout: Any, git: bool) -> None:
    checkout.pipeline("job: {script: ['find . -name .git -prune -o -type f -print']}")
    if not git:
        shutil.rmtree(checkout.root / ".git")
    where = {"XDG_CACHE_HOME": str(checkout.root / "caches")}
    checkout.write("caches/other", "")
    leftover = "caches/tracekeeper/builds/left/1/file"
    checkout.write(leftover, "")
    for _ in range(2):
        run = checkout.run("--data", "kept", environment=where)
        assert run.code == 0
        files = [line for line in run.lines() if line.startswith("./")]
        assert sorted(files) == ["./.gitlab-ci.yml", "./caches/other"]
