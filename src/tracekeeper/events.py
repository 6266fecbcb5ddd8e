"""The vocabulary of what happens in a run: one JSON object a line, for programs that follow it.

Every event has its ``type``, the version ``v`` of this vocabulary and the ``time``. Within one
version fields and types are added but never changed or removed, so a reader should pass over
what it does not know. docs/events.md is made from these classes.
"""

from datetime import UTC, datetime, timedelta
from functools import cache
from typing import Annotated, Literal, TypeAlias

import msgspec
from msgspec import Meta

from tracekeeper.errors import StorageError

VERSION = 1

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)

JobId: TypeAlias = Annotated[
    int, Meta(description="the job's CI_JOB_ID; every attempt at a job has its own")
]
JobName: TypeAlias = Annotated[str, Meta(description="the job's name, unique in its run")]
Seconds: TypeAlias = Annotated[float, Meta(description="how long it took, in seconds")]
FailureReason: TypeAlias = Annotated[
    str, Meta(description="GitLab's failure reason, such as `script_failure`; empty on success")
]


def _tag(name: str) -> str:
    """``RunStarted`` → ``run_started``."""
    return "".join(f"_{c.lower()}" if c.isupper() else c for c in name).removeprefix("_")


class Event(msgspec.Struct, frozen=True, kw_only=True, tag_field="type", tag=_tag):
    """What all events have. `time` is set when an event is written."""

    v: Annotated[Literal[1], Meta(description="the version of this vocabulary")] = 1
    time: Annotated[
        str, Meta(description="when it happened: RFC 3339 in UTC, with microseconds")
    ] = ""


class PlannedJob(msgspec.Struct, frozen=True, kw_only=True):
    """A job of the run."""

    name: JobName
    stage: Annotated[str, Meta(description="its stage")]
    when: Annotated[str, Meta(description="`on_success`, `manual`…, after rules")]
    allow_failure: Annotated[bool, Meta(description="whether the run may pass without it")]
    needs: Annotated[
        tuple[str, ...] | None,
        Meta(description="the jobs it needs; null if it waits for all earlier stages"),
    ] = None


class RunStarted(Event, frozen=True, kw_only=True):
    """A run begins. It is the first event."""

    run: Annotated[int, Meta(description="the run's number in its data directory")]
    file: Annotated[str, Meta(description="the pipeline file, relative to the project")]
    jobs: Annotated[
        tuple[PlannedJob, ...],
        Meta(description="the jobs of the run, in the pipeline's order; see below"),
    ]


class JobStatus(Event, frozen=True, kw_only=True):
    """A job has a new status without having run, or while it is being stopped."""

    name: JobName
    status: Annotated[
        Literal[
            "pending",
            "waiting_for_resource",
            "manual",
            "scheduled",
            "skipped",
            "canceling",
            "canceled",
        ],
        Meta(description="the status; job-status.md says what leads to what"),
    ]


class JobStarted(Event, frozen=True, kw_only=True):
    """An executor has taken a job."""

    job: JobId
    name: JobName
    stage: Annotated[str, Meta(description="its stage")]
    attempt: Annotated[int, Meta(description="which attempt at the job, from 1")]
    executor: Annotated[str, Meta(description="`shell` or `docker`")]
    why: Annotated[str, Meta(description="why this executor, in a few words")] = ""


class JobResumed(Event, frozen=True, kw_only=True):
    """An attempt of which another process told the `job_started`, and was killed, is taken up. Its
    log is told from its beginning, and goes on behind what is known."""

    job: JobId
    name: JobName
    attempt: Annotated[int, Meta(description="which attempt at the job")]
    silent: Annotated[
        float, Meta(description="how long nobody had followed the job, in seconds")
    ] = 0.0


class JobRetried(Event, frozen=True, kw_only=True):
    """A job begins again after a failed attempt, whose `job_finished` came before."""

    name: JobName
    attempt: Annotated[int, Meta(description="the attempt that begins, from 2")]
    failure_reason: FailureReason


class JobFinished(Event, frozen=True, kw_only=True):
    """An attempt at a job has come to its end, and its trace is closed. Without a `job_started`
    before it, the attempt could not begin."""

    job: JobId
    name: JobName
    status: Annotated[
        Literal["success", "failed", "canceled"], Meta(description="how the attempt ended")
    ]
    allow_failure: Annotated[bool, Meta(description="whether the run may pass without it")] = False
    exit_code: Annotated[
        int | None, Meta(description="the script's exit status; null if it has none")
    ] = None
    failure_reason: FailureReason = ""
    message: Annotated[str, Meta(description="the failure in a sentence; empty on success")] = ""
    coverage: Annotated[
        float | None,
        Meta(description="what the job's `coverage` pattern found in its log; null if nothing"),
    ] = None
    seconds: Seconds = 0.0
    bytes: Annotated[int, Meta(description="the trace's size in bytes")] = 0
    checksum: Annotated[
        str, Meta(description="the trace's CRC-32, as `crc32:` and eight hex digits")
    ] = ""
    verdict: Annotated[
        Literal["", "proven", "unproven", "altered", "limited"],
        Meta(description="what is known about the trace; empty if there is none"),
    ] = ""
    verdict_reason: Annotated[str, Meta(description="why the trace is not `proven`")] = ""


class Output(Event, frozen=True, kw_only=True):
    """A job's log goes on, also in the middle of a line. All texts of one `job` in order are
    exactly what `tracekeeper logs --raw` gives: section marks and control sequences are in them;
    with `--timestamps`, so is the time of each line."""

    job: JobId
    name: JobName
    text: Annotated[str, Meta(description="what it wrote, masked, without line headers")]


class Preview(Event, frozen=True, kw_only=True):
    """What is known beyond the output so far, of a line that is not finished. It is not kept yet;
    each one replaces the last, and the next output replaces it."""

    job: JobId
    name: JobName
    text: Annotated[
        str, Meta(description="masked, `…` for what masking holds back; empty takes it back")
    ]


class Warned(Event, frozen=True, kw_only=True, tag="warning"):
    """Something is not as the user may think; the run goes on."""

    message: Annotated[str, Meta(description="what, in a sentence")]
    code: Annotated[str, Meta(description="a stable identifier of this kind of warning")] = ""
    name: Annotated[str, Meta(description="the job it is about; empty if none")] = ""
    file: Annotated[str, Meta(description="the file it is about; empty if none")] = ""
    line: Annotated[int, Meta(description="the line in that file, from 1; 0 if none")] = 0
    column: Annotated[int, Meta(description="the column, from 1; 0 if none")] = 0


class ConnectionEvent(Event, frozen=True, kw_only=True):
    """What happened to a job's connection to its Docker Engine."""

    job: JobId = 0
    name: JobName = ""
    peer: Annotated[str, Meta(description="the engine's URL")]


class ConnectionBroke(ConnectionEvent, frozen=True, kw_only=True):
    """The connection on which a job's output came broke, and the output went on over another one;
    or the engine did not come back in time."""

    silent: Annotated[
        float, Meta(description="how long nothing had come when it was noticed, in seconds")
    ]
    cause: Annotated[str, Meta(description="what ended it, in a sentence")]
    seconds: Annotated[
        float,
        Meta(
            description="from the moment it was noticed until the output went on or the "
            "engine was given up, in seconds"
        ),
    ]
    recovered: Annotated[bool, Meta(description="whether the output went on")]
    byte: Annotated[int, Meta(description="the byte of the trace at which it went on")] = 0


class ConnectionClosed(ConnectionEvent, frozen=True, kw_only=True):
    """A job's script has ended: how its connection to the engine fared."""

    keepalive: Annotated[
        str,
        Meta(
            description="the keepalive of the connection as the kernel had it; `off`, or `none` "
            "for a connection that is not TCP"
        ),
    ]
    breaks: Annotated[int, Meta(description="how often it broke")]
    renewals: Annotated[
        int, Meta(description="how often it was replaced by plan, before it could be forgotten")
    ]
    questions: Annotated[
        int, Meta(description="how often the engine was asked, in a silence, whether it is there")
    ]
    longest_silence: Annotated[float, Meta(description="the longest silence of it, in seconds")]


class RunResumed(Event, frozen=True, kw_only=True):
    """A run whose process was killed is taken up by another one, of which this is the first
    event."""

    run: Annotated[int, Meta(description="the run's number in its data directory")]
    file: Annotated[str, Meta(description="the pipeline file, relative to the project")]
    jobs: Annotated[
        tuple[PlannedJob, ...],
        Meta(description="the jobs of the run, in the pipeline's order; see below"),
    ]
    finished: Annotated[
        tuple[JobFinished, ...],
        Meta(
            description="a `job_finished` object for each job whose latest attempt had ended,"
            " as it was told then; it is not told again"
        ),
    ] = ()


class RunFinished(Event, frozen=True, kw_only=True):
    """The run is over. It is the last event."""

    status: Annotated[str, Meta(description="the pipeline's status, as GitLab composes it")]
    exit_code: Annotated[int, Meta(description="the exit status of `tracekeeper run`")]
    seconds: Seconds


AnyEvent: TypeAlias = (
    RunStarted
    | JobStatus
    | JobStarted
    | JobResumed
    | JobRetried
    | JobFinished
    | Output
    | Preview
    | Warned
    | ConnectionBroke
    | ConnectionClosed
    | RunResumed
    | RunFinished
)


def rfc3339(microseconds: int) -> str:
    """A `time` from microseconds since the epoch: ``2026-11-23T02:29:16.123456Z``."""
    moment = _EPOCH + timedelta(microseconds=microseconds)
    return moment.strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def seconds(time: str) -> float:
    """The `time` of an event in seconds since the epoch."""
    return datetime.fromisoformat(time).timestamp()


def encode(event: Event, *, at: int) -> bytes:
    """`event`, which happened `at` (microseconds since the epoch), as one line of JSON.

    The newline is included. Every field is written, also where it is empty.
    """
    return _encoder().encode(msgspec.structs.replace(event, time=rfc3339(at))) + b"\n"


def decode(line: bytes) -> AnyEvent:
    """The event of one line. Fields it does not know are passed over.

    Raises StorageError where the line is not an event of this version.
    """
    try:
        return _decoder().decode(line)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise StorageError(
            f"a line is not an event of version {VERSION}: {error}",
            hint="it was cut off, or a newer Tracekeeper wrote it",
        ) from None


@cache
def _encoder() -> msgspec.json.Encoder:
    return msgspec.json.Encoder()


@cache
def _decoder() -> "msgspec.json.Decoder[AnyEvent]":
    return msgspec.json.Decoder(AnyEvent)
