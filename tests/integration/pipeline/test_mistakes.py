"""What GitLab knows and is not acted on is named; what GitLab does not know is an error.

Each place is one line and column of a one-line document. Sources: the keywords of GitLab's
"CI/CD YAML syntax reference" (https://docs.gitlab.com/ci/yaml/).
"""

# ruff: noqa: E501 — tables of cases, one a line

from collections.abc import Callable
from typing import TypeAlias

import pytest

from tracekeeper.local.project import LocalProject

MakeProject: TypeAlias = Callable[..., LocalProject]


@pytest.mark.parametrize(
    ("document", "place", "named"),
    [
        ("include: {remote: 'https://e.example/x.yml'}\na: {script: x}", "1:11", "`include: remote`"),
        ("include: 'https://e.example/x.yml'\na: {script: x}", "1:10", "`include: https://e.example/x.yml`"),
        ("include: {template: Auto-DevOps.gitlab-ci.yml}\na: {script: x}", "1:11", "`include: template`"),
        ("include: [{project: g/p, file: x.yml}]\na: {script: x}", "1:12", "`include: project`"),
        ("include: [{component: e.example/g/p@1}]\na: {script: x}", "1:12", "`include: component`"),
        ("spec: {inputs: {a: {}}}\n---\na: {script: x}", "1:1", "`spec`"),
        ("a: {trigger: g/p}", "1:5", "`trigger`"),
        ("a: {script: x, secrets: {S: {vault: v/w/x}}}", "1:16", "`secrets`"),
        ("a: {script: x, id_tokens: {T: {aud: u}}}", "1:16", "`id_tokens`"),
        ("a: {script: x, identity: google_cloud}", "1:16", "`identity`"),
        ("a: {script: x, release: {tag_name: t, description: d}}", "1:16", "`release`"),
        ("a: {script: x, pages: true}", "1:16", "`pages`"),
        ("a: {run: [{name: n, script: x}]}", "1:5", "`run`"),
        ("a: {script: x, inputs: {i: {}}}", "1:16", "`inputs`"),
        ("a: {script: x, dast_configuration: {site_profile: s}}", "1:16", "`dast_configuration`"),
        ("a: {script: x, when: manual, manual_confirmation: sure?}", "1:30", "`manual_confirmation`"),
        ("a: {script: x, publish: public}", "1:16", "`publish`"),
        ("a: {script: x, artifacts: {paths: [p], access: none}}", "1:40", "`artifacts:access`"),
        ("a: {script: x, artifacts: {paths: [p], public: true}}", "1:40", "`artifacts:public`"),
        ("a: {script: x, environment: {name: e, kubernetes: {namespace: n}}}", "1:39", "`environment:kubernetes`"),
        ("a: {script: x, image: {name: i, kubernetes: {user: '1'}}}", "1:33", "`image:kubernetes`"),
        ("a: {script: x, needs: [{project: g/p, job: b, ref: main, artifacts: true}]}", "1:24", "`needs:project`"),
        ("a: {script: x, needs: [{pipeline: $P, job: b}]}", "1:24", "`needs:pipeline`"),
        ("default: {timeout: 1h}\na: {script: x}", "1:11", "`default:timeout`"),
        ("workflow: {auto_cancel: {on_new_commit: none}}\na: {script: x}", "1:25", "`workflow:auto_cancel`"),
    ],
)  # fmt: skip
def test_known_to_gitlab_and_not_acted_on(
    make_project: MakeProject, document: str, place: str, named: str
) -> None:
    warnings = make_project(document).problems()
    assert [warning.warning for warning in warnings] == [True] * len(warnings)
    said = [f"{warning.at.line}:{warning.at.column} {warning.message}" for warning in warnings]
    assert any(text.startswith(f"{place} ") and named in text for text in said), said


@pytest.mark.parametrize(
    ("document", "place", "hint"),
    [
        ("stagse: [b]\na: {script: x}", "1:1", "did you mean `stages`?"),
        ("workfolw: {rules: []}\na: {script: x}", "1:1", "did you mean `workflow`?"),
        ("varibales: {A: b}\na: {script: x}", "1:1", "did you mean `variables`?"),
        ("a: {scirpt: x}", "1:5", "did you mean `script`?"),
        ("a: {script: x, befor_script: y}", "1:16", "did you mean `before_script`?"),
        ("a: {script: x, artefacts: {paths: [p]}}", "1:16", "did you mean `artifacts`?"),
        ("a: {script: x, artifacts: {path: [p]}}", "1:28", "did you mean `paths`?"),
        ("a: {script: x, artifacts: {reports: {junti: r.xml}}}", "1:38", "did you mean `junit`?"),
        ("a: {script: x, cache: {keys: k}}", "1:24", "did you mean `key`?"),
        ("a: {script: x, cache: {key: {file: [f]}}}", "1:30", "did you mean `files`?"),
        ("a: {script: x, image: {nmae: i}}", "1:24", "did you mean `name`?"),
        ("a: {script: x, services: [{name: s, aliases: t}]}", "1:37", "did you mean `alias`?"),
        ("a: {script: x, rules: [{iff: $A}]}", "1:25", "did you mean `if`?"),
        ("a: {script: x, rules: [{change: [b]}]}", "1:25", "did you mean `changes`?"),
        ("a: {script: x, only: {branch: [b]}}", "1:23", "known: refs, variables, changes, kubernetes"),
        ("a: {script: x, needs: [{job: b, artifact: false}]}\nb: {script: x}", "1:33", "did you mean `artifacts`?"),
        ("a: {script: x, retry: {maximum: 2}}", "1:24", "did you mean `max`?"),
        ("a: {script: x, parallel: {matrx: []}}", "1:27", "did you mean `matrix`?"),
        ("a: {script: x, environment: {names: e}}", "1:30", "did you mean `name`?"),
        ("a: {script: x, inherit: {defaults: false}}", "1:26", "did you mean `default`?"),
        ("a: {script: x, allow_failure: {exit_code: 1}}", "1:32", "did you mean `exit_codes`?"),
        ("a: {script: x, hooks: {pre_get_source_script: y}}", "1:24", "did you mean `pre_get_sources_script`?"),
        ("variables: {A: {vlaue: b}}\na: {script: x}", "1:17", "did you mean `value`?"),
        ("default: {befor_script: y}\na: {script: x}", "1:11", "did you mean `before_script`?"),
        ("include: {locale: b.yml}\na: {script: x}", "1:11", "did you mean `local`?"),
        ("a: {script: x, when: allways}", "1:22", "did you mean `always`?"),
        ("a: {script: x, when: never}", "1:22", "only an entry of `rules` may have it"),
        ("a: {script: x, stage: biuld}", "1:23", "did you mean `build`? known: .pre, build, test, deploy, .post"),
        ("a: {script: x, needs: [bb]}\nbbb: {script: x}", "1:24", "did you mean `bbb`?"),
        ("a: {script: x, extends: .bas}\n.base: {}", "1:25", "did you mean `.base`?"),
        ("a: {script: !reference [.base, scrpt]}\n.base: {script: x}", "1:13", "did you mean `script`?"),
    ],
)  # fmt: skip
def test_unknown_to_gitlab(make_project: MakeProject, document: str, place: str, hint: str) -> None:
    errors = [problem for problem in make_project(document).problems() if not problem.warning]
    found = [(f"{error.at.line}:{error.at.column}", error.hint) for error in errors]
    assert (place, hint) in found
