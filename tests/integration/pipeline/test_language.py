"""The pipeline language, form by form: small documents and the jobs that they give.

Each case names its section of GitLab's "CI/CD YAML syntax reference"
(https://docs.gitlab.com/ci/yaml/), or the page where that says more.
"""

# ruff: noqa: E501 — tables of cases, one a line

from collections.abc import Callable, Mapping
from typing import Any, TypeAlias

import msgspec
import pytest

from tracekeeper.local.project import LocalProject
from tracekeeper.pipeline.pipeline import Job, Pipeline
from tracekeeper.pipeline.variables import resolve

MakeProject: TypeAlias = Callable[..., LocalProject]
Probe: TypeAlias = Callable[[Pipeline], Any]


def names(pipeline: Pipeline) -> list[str]:
    """The jobs in order."""
    return list(pipeline.jobs)


def of(field: str) -> Probe:
    """A field of job `a`, or of its config, as plain values without positions."""

    def probe(pipeline: Pipeline) -> Any:
        job = pipeline.jobs["a"]
        return plain(getattr(job if hasattr(job, field) else job.config, field))

    return probe


def plain(value: Any) -> Any:
    """`value` without positions and without what is at its default."""
    if isinstance(value, msgspec.Struct):
        return {k: plain(v) for k, v in msgspec.structs.asdict(value).items() if k != "at" and v}
    if isinstance(value, Mapping):
        return {key: plain(inner) for key, inner in value.items()}
    return [plain(inner) for inner in value] if isinstance(value, tuple | list) else value


def values(pipeline: Pipeline) -> dict[str, str]:
    """The variables of job `a`, expanded."""
    return resolve(pipeline.jobs["a"].variables.values())


def needs(pipeline: Pipeline) -> list[tuple[str, bool]] | None:
    """What job `a` needs, each with whether its artifacts are wanted."""
    needed = pipeline.jobs["a"].needs
    return None if needed is None else [(need.job, need.artifacts) for need in needed]


def allowed(pipeline: Pipeline) -> tuple[bool, tuple[int, ...]]:
    """Whether job `a` may fail."""
    allowance = pipeline.jobs["a"].allow_failure
    return allowance.allowed, allowance.exit_codes


def each(get: Callable[[Job], Any]) -> Probe:
    """Something of every job."""
    return lambda pipeline: {name: get(job) for name, job in pipeline.jobs.items()}


# fmt: off
STRUCTURE: list[tuple[str, str, Probe, Any]] = [
    ("stages", "stages: [two, one]\na: {stage: one, script: x}\nb: {stage: two, script: x}", names, ["b", "a"]),
    ("stages: the default", "a: {stage: deploy, script: x}\nb: {script: x}\nc: {stage: build, script: x}", names, ["c", "b", "a"]),
    ("stage: the default", "a: {script: x}", of("stage"), "test"),
    ("stage: .pre", "a: {stage: test, script: x}\nb: {stage: .pre, script: x}", names, ["b", "a"]),
    ("stage: .post", "b: {stage: .post, script: x}\na: {stage: deploy, script: x}", names, ["a", "b"]),
    ("stage: .pre and .post alone", "a: {stage: .pre, script: x}\nb: {stage: .post, script: x}", names, []),
    ("default", "default: {image: d, tags: [t]}\na: {script: x, tags: [u]}", lambda p: (of("image")(p), of("tags")(p)), ({"name": "d"}, ["u"])),
    ("default: replaces, never merges", "default: {artifacts: {paths: [p], untracked: true}}\na: {script: x, artifacts: {paths: [q]}}", of("artifacts"), {"paths": ["q"], "when": "on_success"}),
    ("Globally-defined image, services, cache, before_script, after_script", "image: g\nbefore_script: [b]\na: {script: x}", lambda p: (of("image")(p), of("before_script")(p)), ({"name": "g"}, ["b"])),
    ("inherit:default: false", "default: {image: d}\na: {script: x, inherit: {default: false}}", of("image"), None),
    ("inherit:default: a list", "default: {image: d, before_script: [b]}\na: {script: x, inherit: {default: [image]}}", lambda p: (of("image")(p), of("before_script")(p)), ({"name": "d"}, [])),
    ("inherit:variables: false", "variables: {A: '1'}\na: {script: x, inherit: {variables: false}}", values, {}),
    ("inherit:variables: a list", "variables: {A: '1', B: '2'}\na: {script: x, inherit: {variables: [B]}}", values, {"B": "2"}),
    ("workflow:rules: when never", "workflow: {rules: [{if: $CI, when: never}]}\na: {script: x}", names, []),
    ("workflow:rules: no rule matches", "workflow: {rules: [{if: $NO}]}\na: {script: x}", names, []),
    ("workflow:rules:variables", "variables: {V: a}\nworkflow: {rules: [{if: $CI, variables: {V: b}}]}\na: {script: x}", values, {"V": "b"}),
    ("workflow:name", "workflow: {name: 'P $CI'}\na: {script: x}", lambda p: p.name, "P $CI"),
    ("Hide jobs", ".h: {script: x}\na: {script: x}", names, ["a"]),
    ("extends", ".b: {script: [b], tags: [t]}\na: {extends: .b, script: [a]}", lambda p: (of("script")(p), of("tags")(p)), (["a"], ["t"])),
    ("extends: several, deep", ".r: {variables: {R: '0'}}\n.b: {extends: .r, variables: {X: '1', Y: '1'}}\n.c: {variables: {Y: '2'}}\na: {extends: [.b, .c], script: x, variables: {Z: '3'}}", values, {"R": "0", "X": "1", "Y": "2", "Z": "3"}),
    ("extends: lists are replaced", ".b: {script: [b, c]}\na: {extends: .b, script: [a]}", of("script"), ["a"]),
    ("!reference tags", ".b: {script: [b, c]}\na: {script: [!reference [.b, script], d]}", of("script"), ["b", "c", "d"]),
    ("!reference tags: nested", ".c: {script: [c]}\n.b: {script: [!reference [.c, script], b]}\na: {script: !reference [.b, script]}", of("script"), ["c", "b"]),
    ("!reference tags: one variable", ".b: {variables: {U: u}}\na: {script: x, variables: {V: !reference [.b, variables, U]}}", values, {"V": "u"}),
    ("Anchors", ".b: &b {tags: [t]}\na: {<<: *b, script: x}", of("tags"), ["t"]),
    ("Anchors: for scripts", ".b: &b [b, c]\na: {script: [*b, d]}", of("script"), ["b", "c", "d"]),
]

VARIABLES: list[tuple[str, str, Probe, Any]] = [
    ("variables", "variables: {A: g, B: g}\na: {script: x, variables: {B: j}}", values, {"A": "g", "B": "j"}),
    ("variables: numbers are text", "variables: {A: 12, B: 1.5, C: 012}\na: {script: x}", values, {"A": "12", "B": "1.5", "C": "10"}),
    ("variables:value, variables:description", "variables: {A: {value: v, description: d}}\na: {script: x}", values, {"A": "v"}),
    ("variables:options", "variables: {A: {value: v, options: [u, v]}}\na: {script: x}", lambda p: p.variables["A"].options, ("u", "v")),
    ("variables:expand", "variables: {A: '1', B: {value: $A, expand: false}}\na: {script: x}", values, {"A": "1", "B": "$A"}),
    ("Use variables in other variables", "variables: {A: '1', B: '$A-${A}'}\na: {script: x}", values, {"A": "1", "B": "1-1"}),
    ("Use the $ character in CI/CD variables", "variables: {B: '$$A'}\na: {script: x}", values, {"B": "$A"}),
    ("rules:variables", "a: {script: x, variables: {V: '1'}, rules: [{if: $CI, variables: {V: '2'}}]}", values, {"V": "2"}),
]

SCRIPTS: list[tuple[str, str, Probe, Any]] = [
    ("script: one string", "a: {script: x}", of("script"), ["x"]),
    ("script: nested lists", "a: {script: [x, [y, [z]]]}", of("script"), ["x", "y", "z"]),
    ("script: several lines", "a:\n  script:\n    - |\n      x\n      y\n    - >\n      z\n      z\n", of("script"), ["x\ny\n", "z z\n"]),
    ("before_script", "default: {before_script: [d]}\na: {script: x, before_script: [b]}", of("before_script"), ["b"]),
    ("before_script: emptied", "default: {before_script: [d]}\na: {script: x, before_script: []}", of("before_script"), []),
    ("after_script", "a: {script: x, after_script: [y]}", of("after_script"), ["y"]),
    ("after_script: of default", "default: {after_script: z}\na: {script: x}", of("after_script"), ["z"]),
    ("hooks:pre_get_sources_script", "a: {script: x, hooks: {pre_get_sources_script: [h]}}", of("pre_get_sources_script"), ["h"]),
    ("hooks: of default", "default: {hooks: {pre_get_sources_script: h}}\na: {script: x}", of("pre_get_sources_script"), ["h"]),
    ("image", "a: {script: x, image: 'alpine:3'}", of("image"), {"name": "alpine:3"}),
    ("image:entrypoint, image:pull_policy", "a: {script: x, image: {name: n, entrypoint: [''], pull_policy: [always, never]}}", of("image"), {"name": "n", "entrypoint": [""], "pull_policy": ["always", "never"]}),
    ("image:docker", "a: {script: x, image: {name: n, docker: {user: u, platform: linux/arm64}}}", of("image"), {"name": "n", "user": "u", "platform": "linux/arm64"}),
    ("services", "a: {script: x, services: ['postgres:16', {name: r, alias: cache, command: [c], entrypoint: [e]}]}", of("services"), [{"name": "postgres:16"}, {"name": "r", "aliases": ["cache"], "command": ["c"], "entrypoint": ["e"]}]),
    ("services: variables and pull_policy", "a: {script: x, services: [{name: r, pull_policy: never, variables: {V: v}}]}", of("services"), [{"name": "r", "pull_policy": ["never"], "variables": {"V": {"key": "V", "value": "v", "public": True}}}]),
]

WHEN: list[tuple[str, str, Probe, Any]] = [
    ("when: on_success", "a: {script: x}", of("when"), "on_success"),
    ("when: on_failure and always", "a: {script: x, when: on_failure}\nb: {script: x, when: always}", each(lambda job: job.when), {"a": "on_failure", "b": "always"}),
    ("when: manual", "a: {script: x, when: manual}", lambda p: (of("when")(p), allowed(p)), ("manual", (True, ()))),
    ("when: manual in a rule", "a: {script: x, rules: [{when: manual}]}", lambda p: (of("when")(p), allowed(p)), ("manual", (False, ()))),
    ("when: delayed", "a: {script: x, when: delayed, start_in: 30 minutes}", of("start_in"), 1800),
    ("start_in: in a rule", "a: {script: x, rules: [{when: delayed, start_in: 1h 10m}]}", of("start_in"), 4200),
    ("allow_failure", "a: {script: x, allow_failure: true}", allowed, (True, ())),
    ("allow_failure: of a manual job", "a: {script: x, when: manual, allow_failure: false}", allowed, (False, ())),
    ("allow_failure:exit_codes", "a: {script: x, allow_failure: {exit_codes: 3}}", allowed, (True, (3,))),
    ("allow_failure:exit_codes: several", "a: {script: x, allow_failure: {exit_codes: [3, 4]}}", allowed, (True, (3, 4))),
    ("retry", "a: {script: x, retry: 2}", of("retry"), {"max": 2}),
    ("retry:when, retry:exit_codes", "a: {script: x, retry: {max: 1, when: [script_failure], exit_codes: [137]}}", of("retry"), {"max": 1, "when": ["script_failure"], "exit_codes": [137]}),
    ("timeout", "a: {script: x, timeout: 3 hours 30 minutes}", of("timeout"), 12600),
    ("timeout: a plain number", "a: {script: x, timeout: '90'}", of("timeout"), 90),
    ("interruptible", "a: {script: x, interruptible: true}", of("interruptible"), True),
    ("interruptible: of default", "default: {interruptible: true}\na: {script: x}", of("interruptible"), True),
    ("tags", "a: {script: x, tags: [linux, $CI]}", of("tags"), ["linux", "$CI"]),
    ("tags: of default", "default: {tags: [t]}\na: {script: x}", of("tags"), ["t"]),
    ("coverage", "a: {script: x, coverage: '/Cov: \\d+/'}", of("coverage"), "/Cov: \\d+/"),
    ("coverage: none", "a: {script: x}", of("coverage"), ""),
    ("environment", "a: {script: x, environment: production}", of("environment"), {"name": "production", "action": "start"}),
    ("environment: in full", "a: {script: x, environment: {name: r/$CI, url: 'https://e', on_stop: b, auto_stop_in: 1 day, deployment_tier: staging}}\nb: {script: x, environment: {name: r/$CI, action: stop}}", of("environment"), {"name": "r/$CI", "url": "https://e", "action": "start", "on_stop": "b", "auto_stop_in": "1 day", "deployment_tier": "staging"}),
    ("resource_group", "a: {script: x, resource_group: prod}", of("resource_group"), "prod"),
    ("resource_group: with a variable", "a: {script: x, resource_group: r-$CI}", of("resource_group"), "r-$CI"),
]

LINKS: list[tuple[str, str, Probe, Any]] = [
    ("needs: same stage", "a: {script: x, needs: [b]}\nb: {script: x}", needs, [("b", True)]),
    ("needs: empty", "a: {script: x, needs: []}", needs, []),
    ("needs: not given", "a: {script: x}", needs, None),
    ("needs:artifacts", "a: {script: x, needs: [{job: b, artifacts: false}]}\nb: {script: x}", needs, [("b", False)]),
    ("needs:optional", "a: {script: x, needs: [{job: b, optional: true}]}\nb: {script: x, rules: [{if: $NO}]}", needs, []),
    ("needs:optional: that exists", "a: {script: x, needs: [{job: b, optional: true}]}\nb: {script: x}", needs, [("b", True)]),
    ("needs: of a parallel job", "a: {script: x, needs: [b]}\nb: {script: x, parallel: 2}", needs, [("b 1/2", True), ("b 2/2", True)]),
    ("needs:parallel:matrix", "a: {script: x, needs: [{job: b, parallel: {matrix: [{X: '2'}]}}]}\nb: {script: x, parallel: {matrix: [{X: ['1', '2']}]}}", needs, [("b: [2]", True)]),
    ("rules:needs", "a: {script: x, needs: [b], rules: [{if: $CI, needs: [c]}]}\nb: {script: x}\nc: {script: x}", needs, [("c", True)]),
    ("dependencies", "a: {stage: deploy, script: x, dependencies: [b]}\nb: {script: x}", of("dependencies"), ["b"]),
    ("dependencies: empty", "a: {script: x, dependencies: []}", of("dependencies"), []),
    ("parallel", "a: {script: x, parallel: 3}", each(lambda job: (job.node_index, job.node_total)), {"a 1/3": (1, 3), "a 2/3": (2, 3), "a 3/3": (3, 3)}),
    ("parallel:matrix", "a: {script: x, parallel: {matrix: [{X: [p, q], Y: r}, {X: s}]}}", each(lambda job: resolve(job.variables.values())), {"a: [p, r]": {"X": "p", "Y": "r"}, "a: [q, r]": {"X": "q", "Y": "r"}, "a: [s]": {"X": "s"}}),
]

FILES: list[tuple[str, str, Probe, Any]] = [
    ("artifacts:paths, artifacts:exclude", "a: {script: x, artifacts: {paths: [out/**/*.o, bin], exclude: [out/t/**/*]}}", of("artifacts"), {"paths": ["out/**/*.o", "bin"], "exclude": ["out/t/**/*"], "when": "on_success"}),
    ("artifacts: the rest", "a: {script: x, artifacts: {untracked: true, name: n, when: always, expire_in: 1 week, expose_as: e, paths: [p]}}", of("artifacts"), {"untracked": True, "name": "n", "when": "always", "expire_in": 604800, "expose_as": "e", "paths": ["p"]}),
    ("artifacts:expire_in: never", "a: {script: x, artifacts: {paths: [p], expire_in: never}}", of("artifacts"), {"paths": ["p"], "when": "on_success"}),
    ("artifacts:reports:dotenv", "a: {script: x, artifacts: {reports: {dotenv: b.env}}}", of("artifacts"), {"dotenv": ["b.env"], "when": "on_success"}),
    ("artifacts:reports", "a: {script: x, artifacts: {reports: {junit: [r/*.xml], coverage_report: {coverage_format: cobertura, path: c.xml}}}}", of("artifacts"), {"reports": {"junit": ["r/*.xml"], "cobertura": ["c.xml"]}, "when": "on_success"}),
    ("cache:paths, cache:key", "a: {script: x, cache: {paths: [p], key: $CI}}", of("cache"), [{"paths": ["p"], "key": "$CI", "policy": "pull-push", "when": "on_success"}]),
    ("cache:key:files, cache:key:prefix", "a: {script: x, cache: {paths: [p], key: {files: [l], prefix: r}}}", of("cache"), [{"paths": ["p"], "key": {"files": ["l"], "prefix": "r"}, "policy": "pull-push", "when": "on_success"}]),
    ("cache: several", "a: {script: x, cache: [{paths: [p]}, {paths: [q], policy: pull, when: always, untracked: true}]}", lambda p: [c.policy for c in p.jobs["a"].config.cache], ["pull-push", "pull"]),
    ("cache:fallback_keys", "a: {script: x, cache: {paths: [p], fallback_keys: [m, n]}}", lambda p: p.jobs["a"].config.cache[0].fallback_keys, ("m", "n")),
    ("cache: turned off", "default: {cache: {paths: [p]}}\na: {script: x, cache: []}", of("cache"), []),
]

RULES: list[tuple[str, str, Probe, Any]] = [
    ("rules: the first match counts", "a: {script: x, rules: [{if: $CI, when: never}, {when: always}]}\nb: {script: x}", names, ["b"]),
    ("rules: none matches", "a: {script: x, rules: [{if: $NO}]}\nb: {script: x, rules: [{if: $NO}, {when: on_success}]}", names, ["b"]),
    ("rules:allow_failure", "a: {script: x, rules: [{if: $CI, allow_failure: true}]}", allowed, (True, ())),
    ("rules:when", "a: {script: x, rules: [{if: $CI, when: always}]}", of("when"), "always"),
    ("rules:interruptible", "a: {script: x, rules: [{if: $CI, interruptible: true}]}", of("interruptible"), True),
    ("rules:exists", "a: {script: x, rules: [{exists: ['**/*.md']}]}\nb: {script: x, rules: [{exists: [no.md]}]}", names, ["a"]),
    ("rules:exists:paths", "a: {script: x, rules: [{exists: {paths: [doc/*]}}]}\nb: {script: x, rules: [{exists: {paths: [none/*]}}]}", names, ["a"]),
    ("rules:changes: nothing to compare with", "a: {script: x, rules: [{changes: [never/touched]}]}", names, ["a"]),
    ("rules:if: nested !reference", ".r: {rules: [{if: $NO}]}\na: {script: x, rules: [!reference [.r, rules], {if: $CI}]}", names, ["a"]),
    ("only:refs / except:refs", "a: {script: x, only: [branches]}\nb: {script: x, only: [tags]}\nc: {script: x, except: [branches]}", names, ["a"]),
    ("only:refs: patterns", "a: {script: x, only: [/^ma/]}\nb: {script: x, only: [/^no/]}", names, ["a"]),
    ("only:variables / except:variables", "a: {script: x, only: {variables: [$CI]}}\nb: {script: x, except: {variables: [$CI]}}", names, ["a"]),
    ("only:changes / except:changes", "a: {script: x, only: {changes: [x]}}\nb: {script: x, except: {changes: [x]}}", names, ["a"]),
]

# fmt: on
CASES = [*STRUCTURE, *VARIABLES, *SCRIPTS, *WHEN, *LINKS, *FILES, *RULES]


@pytest.mark.parametrize(
    ("document", "probe", "expected"), [case[1:] for case in CASES], ids=[case[0] for case in CASES]
)
def test_language(make_project: MakeProject, document: str, probe: Probe, expected: Any) -> None:
    project = make_project(document, {"doc/index.md": ""}, {"CI_COMMIT_REF_NAME": "main"})
    assert probe(project.pipeline) == expected


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ({"CI_COMMIT_REF_NAME": "main"}, ["branch", "pushed"]),
        ({"CI_COMMIT_TAG": "v1"}, ["tag", "pushed"]),
        ({"CI_PIPELINE_SOURCE": "schedule"}, ["branch", "scheduled"]),
        ({"CI_PIPELINE_SOURCE": "merge_request_event"}, ["merge"]),
    ],
)
def test_only_refs_of_a_pipeline_that_is_played(
    make_project: MakeProject, given: dict[str, str], expected: list[str]
) -> None:
    """only:refs / except:refs, for the pipeline that the user's variables describe."""
    document = """
        branch: {script: x, only: [branches]}
        tag: {script: x, only: [tags]}
        pushed: {script: x, only: [pushes]}
        scheduled: {script: x, only: [schedules]}
        merge: {script: x, only: [merge_requests]}
        """
    assert names(make_project(document, given=given).pipeline) == expected


@pytest.mark.parametrize(
    ("expression", "holds"),
    [
        ("$A", True), ("$EMPTY", False), ("$NONE", False),
        ('$A == "a1"', True), ("$A == 'b'", False), ("$A != 'b'", True), ("'a1' == $A", True),
        ("$NONE == null", True), ("$EMPTY == null", False), ('$EMPTY == ""', True), ("$A != null", True),
        ("$A =~ /^a\\d$/", True), ("$A =~ /^A/", False), ("$A =~ /^A/i", True), ("$A !~ /bb/", True),
        ("$NONE =~ /a1/", False), ("$NONE !~ /a1/", True), ("$A =~ $PATTERN", True), ("$A !~ $PATTERN", False),
        ("$A && $NONE", False), ("$A || $NONE", True), ("$NONE && $NONE || $A", True),
        ("!$NONE", True), ("!($A && $NONE)", True), ("$TRUE == true", True), ("$A == false", False),
        ("$NONE && ($NONE || $A)", False), ("($A)", True), ("$A == $A", True),
    ],
)  # fmt: skip
def test_expressions(make_project: MakeProject, expression: str, holds: bool) -> None:
    """rules:if, and "CI/CD expressions" on the page "Specify when jobs run with rules"."""
    quoted = expression.replace("'", "''")
    project = make_project(
        f"a: {{script: x, rules: [{{if: '{quoted}'}}]}}\nb: {{script: x}}",
        given={"A": "a1", "EMPTY": "", "TRUE": "true", "PATTERN": "/^a/"},
    )
    assert ("a" in project.pipeline.jobs) == holds


@pytest.mark.parametrize(
    ("include", "expected"),
    [
        ("b.yml", ["b", "a"]),
        ("[b.yml, /ci/c.yml]", ["b", "c", "a"]),
        ("{local: b.yml}", ["b", "a"]),
        ("'ci/*.yml'", ["c", "a"]),
        ("'**/*.yaml'", ["d", "a"]),
        ("$FILE.yml", ["b", "a"]),
        ("[{local: b.yml, rules: [{if: $NO}]}, {local: ci/c.yml, rules: [{if: $CI}]}]", ["c", "a"]),
        ("[{local: b.yml, rules: [{exists: [ci/c.yml]}]}, {local: ci/c.yml, rules: [{exists: [no]}]}]", ["b", "a"]),
        ("[{local: b.yml, rules: [{if: $CI, when: never}]}]", ["a"]),
        ("[{local: ci/n/deep.yaml}]", ["d", "a"]),
    ],
)  # fmt: skip
def test_include(make_project: MakeProject, include: str, expected: list[str]) -> None:
    """include, include:local, include:rules, and the page "Use CI/CD configuration from other files"."""
    files = {
        "b.yml": "b: {script: x}\na: {script: overridden}\n",
        "ci/c.yml": "c: {script: x}\n",
        "ci/n/deep.yaml": "d: {script: x}\n",
    }
    project = make_project(f"include: {include}\na: {{script: mine}}\n", files, {"FILE": "b"})
    assert sorted(project.pipeline.jobs) == sorted(expected)
    assert project.pipeline.jobs["a"].config.script == ("mine",)
