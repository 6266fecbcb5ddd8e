"""A job as YAML with everything spelled out: what ``tracekeeper show`` prints."""

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import yaml
from msgspec.structs import replace

from tracekeeper.pipeline.config import (
    AllowFailure,
    Artifacts,
    Cache,
    CacheKeyFiles,
    Environment,
    Image,
    JobConfig,
    Need,
    OnlyExcept,
    PathCondition,
    Retry,
    Rule,
    Service,
    Variables,
)
from tracekeeper.pipeline.pipeline import Job
from tracekeeper.pipeline.scalars import resolve

Plain = dict[str, Any]

_COVERAGE_FORMATS = ("cobertura", "jacoco")


def to_yaml(job: JobConfig | Job) -> str:
    """`job` fully expanded, as a document that GitLab would accept.

    A job of a pipeline is shown as it will run: with the variables and the `when` its rules gave
    it, and without these rules.
    """
    config = _as_config(job) if isinstance(job, Job) else job
    return yaml.dump(
        {config.name: _job(config)},
        Dumper=_Dumper,
        sort_keys=False,
        allow_unicode=True,
        width=2**20,
    )


class _Dumper(yaml.SafeDumper):
    """Writes lines of a script as a block, and quotes what YAML would not read as a string."""

    def ignore_aliases(self, data: object) -> bool:
        return True


# YAML 1.1 takes these for the end of a line, too: outside of double quotes they become "\n".
_OTHER_LINE_ENDS = re.compile("[\r\x85\u2028\u2029]")


def _represent_string(dumper: yaml.SafeDumper, text: str) -> yaml.ScalarNode:
    style = None
    if _OTHER_LINE_ENDS.search(text):
        style = '"'
    elif "\n" in text:
        style = "|"
    elif not isinstance(resolve(text), str):
        style = "'"
    return dumper.represent_scalar("tag:yaml.org,2002:str", text, style)


_Dumper.add_representer(str, _represent_string)


def _as_config(job: Job) -> JobConfig:
    """The job that, written down, becomes `job` whatever the rest of the file says."""
    needs = job.needs
    return replace(
        job.config,
        name=job.name,
        when=job.when,
        start_in=job.start_in,
        allow_failure=job.allow_failure,
        variables=job.variables,
        inherit_variables=False,
        needs=needs and tuple(Need(need.job, job.config.at, need.artifacts) for need in needs),
        rules=None,
        only=None,
        except_=None,
        parallel=0,
        matrix=(),
    )


def _given(keywords: Mapping[str, Any]) -> Plain:
    """The keywords that say something: no empty text, list or mapping, no False, no None."""
    return {key: value for key, value in keywords.items() if value}


def _seconds(duration: int | None) -> str:
    return f"{duration} seconds" if duration else ""


def _list(items: Iterable[str] | None) -> list[str] | None:
    return None if items is None else list(items)


def _job(job: JobConfig) -> Plain:
    keywords = _given(
        {
            "stage": job.stage,
            "image": _image(job.image) if job.image else None,
            "services": [_service(service) for service in job.services],
            "tags": list(job.tags),
            "inherit": _inherit(job),
            "variables": _variables(job.variables),
            "when": job.when,
            "start_in": _seconds(job.start_in),
            "parallel": _parallel(job),
            "retry": _retry(job.retry),
            "timeout": _seconds(job.timeout),
            "interruptible": job.interruptible,
            "resource_group": job.resource_group,
            "environment": _environment(job.environment) if job.environment else None,
            "coverage": job.coverage,
            "cache": [_cache(cache) for cache in job.cache],
            "hooks": _given({"pre_get_sources_script": list(job.pre_get_sources_script)}),
            "before_script": list(job.before_script),
            "script": list(job.script),
            "after_script": list(job.after_script),
            "artifacts": _artifacts(job.artifacts) if job.artifacts else None,
        }
    )
    return {**keywords, **_where_empty_counts(job)}


def _where_empty_counts(job: JobConfig) -> Plain:
    """Keywords that mean something else when they are empty than when they are absent."""
    keywords = {
        "needs": None if job.needs is None else [_need(need) for need in job.needs],
        "dependencies": _list(job.dependencies),
        "rules": _rules(job.rules),
        "allow_failure": _allow_failure(job.allow_failure),
        "only": _only(job.only),
        "except": _only(job.except_),
    }
    return {key: value for key, value in keywords.items() if value is not None}


def _image(image: Image) -> Plain:
    return {
        "name": image.name,
        **({} if image.entrypoint is None else {"entrypoint": list(image.entrypoint)}),
        **_given(
            {
                "pull_policy": list(image.pull_policy),
                "docker": _given({"platform": image.platform, "user": image.user}),
            }
        ),
    }


def _service(service: Service) -> Plain:
    keywords = _image(
        Image(service.name, service.entrypoint, service.pull_policy, service.user, service.platform)
    )
    if service.command is not None:
        keywords["command"] = list(service.command)
    alias, variables = ",".join(service.aliases), _variables(service.variables)
    return {**keywords, **_given({"alias": alias, "variables": variables})}


def _variables(variables: Variables) -> Plain:
    return {
        key: {"value": variable.value, "expand": False} if variable.raw else variable.value
        for key, variable in variables.items()
    }


def _inherit(job: JobConfig) -> Plain:
    if job.inherit_variables is True:
        return {}
    return {"variables": list(job.inherit_variables) if job.inherit_variables else False}


def _condition(condition: PathCondition | None) -> Plain | list[str] | None:
    if condition is None:
        return None
    if condition.compare_to:
        return {"paths": list(condition.paths), "compare_to": condition.compare_to}
    return list(condition.paths)


def _rules(rules: Sequence[Rule] | None) -> list[Plain] | None:
    return None if rules is None else [_rule(rule) for rule in rules]


def _rule(rule: Rule) -> Plain:
    keywords = {
        "if": rule.condition,
        "changes": _condition(rule.changes),
        "exists": _condition(rule.exists),
        "when": rule.when,
        "start_in": None if rule.start_in is None else _seconds(rule.start_in),
        "allow_failure": rule.allow_failure,
        "variables": _variables(rule.variables) or None,
        "needs": None if rule.needs is None else [_need(need) for need in rule.needs],
        "interruptible": rule.interruptible,
    }
    return {key: value for key, value in keywords.items() if value is not None}


def _only(only: OnlyExcept | None) -> Plain | list[str] | None:
    if only is None:
        return None
    keywords = {
        "refs": list(only.refs),
        "variables": list(only.variables),
        "changes": list(only.changes),
        "kubernetes": "active" if only.kubernetes else "",
    }
    return _given(keywords) or []


def _matrix(rows: Iterable[Mapping[str, Sequence[str]]]) -> Plain:
    return {"matrix": [{key: list(values) for key, values in row.items()} for row in rows]}


def _parallel(job: JobConfig) -> int | Plain:
    return _matrix(row.variables for row in job.matrix) if job.matrix else job.parallel


def _need(need: Need) -> Plain:
    return {
        "job": need.job,
        "artifacts": need.artifacts,
        **_given({"optional": need.optional, "parallel": need.matrix and _matrix(need.matrix)}),
    }


def _retry(retry: Retry) -> Plain | int:
    keywords = _given({"when": list(retry.when), "exit_codes": list(retry.exit_codes)})
    return {"max": retry.max, **keywords} if keywords else retry.max


def _allow_failure(allow: AllowFailure | None) -> Plain | bool | None:
    if allow is None:
        return None
    return {"exit_codes": list(allow.exit_codes)} if allow.exit_codes else allow.allowed


def _environment(environment: Environment) -> Plain:
    return _given({key: getattr(environment, key) for key in environment.__struct_fields__})


def _cache(cache: Cache) -> Plain:
    key = cache.key
    if isinstance(key, CacheKeyFiles):
        key_keyword: str | Plain = {"files": list(key.files), **_given({"prefix": key.prefix})}
    else:
        key_keyword = key
    return {
        "key": key_keyword,
        **_given(
            {
                "paths": list(cache.paths),
                "untracked": cache.untracked,
                "fallback_keys": list(cache.fallback_keys),
                "unprotect": cache.unprotect,
            }
        ),
        "policy": cache.policy,
        "when": cache.when,
    }


def _artifacts(artifacts: Artifacts) -> Plain:
    return _given(
        {
            "name": artifacts.name,
            "paths": list(artifacts.paths),
            "exclude": list(artifacts.exclude),
            "untracked": artifacts.untracked,
            "when": artifacts.when,
            "expire_in": _seconds(artifacts.expire_in),
            "expose_as": artifacts.expose_as,
            "reports": _reports(artifacts),
        }
    )


def _reports(artifacts: Artifacts) -> Plain:
    reports: Plain = _given({"dotenv": list(artifacts.dotenv)})
    for kind, paths in artifacts.reports.items():
        if kind in _COVERAGE_FORMATS:
            reports["coverage_report"] = {"coverage_format": kind, "path": paths[0]}
        else:
            reports[kind] = list(paths)
    return reports
