"""What a job gets and leaves besides its trace: caches and artifacts.

Wording follows gitlab-runner where it has words. A cache is a convenience: trouble with one is a
warning. An artifact is a result: trouble with one fails the job.
"""

from collections.abc import Collection, Sequence
from pathlib import Path

from tracekeeper.engine.tasks import in_thread
from tracekeeper.errors import TracekeeperError
from tracekeeper.protocol.payload import ArtifactSpec, ArtifactsWhen, CacheSpec, JobPayload
from tracekeeper.runner.coordinator import Coordinator
from tracekeeper.runner.environment import Environment
from tracekeeper.runner.executors.base import Executor, Output
from tracekeeper.workspace.disk import storing


class JobFiles:
    """Caches and artifacts of one job.

    `known` are the paths that the sources hold (for ``untracked``), `scratch` is a directory for
    archives on their way, which the caller removes.
    """

    def __init__(
        self,
        payload: JobPayload,
        executor: Executor,
        output: Output,
        coordinator: Coordinator,
        *,
        environment: Environment,
        known: Collection[str],
        scratch: Path,
    ) -> None:
        self._payload = payload
        self._executor = executor
        self._output = output
        self._coordinator = coordinator
        self._environment = environment
        self._known = known
        self._scratch = scratch

    async def restore_caches(self) -> None:
        """Unpack each cache that the job pulls; what cannot be had is a warning."""
        for spec in map(self._expanded_cache, self._payload.cache):
            if "pull" not in spec.policy:
                self._output.note(
                    f"Not restoring the cache {spec.key}: its policy is {spec.policy}"
                )
                continue
            try:
                await self._restore(spec)
            except TracekeeperError as error:
                self._warn(f"the cache {spec.key} was not restored: {error.message}")

    async def _restore(self, spec: CacheSpec) -> None:
        found = await in_thread(self._coordinator.fetch_cache, spec)
        if found is None:
            self._output.note(f"No cache is kept under the key {spec.key}")
            return
        await self._executor.put_archive(found.archive)
        self._output.note(f"Restored the cache {found.key}")

    async def fetch_artifacts(self) -> None:
        """Unpack the artifacts of every job this one depends on."""
        for dependency in self._payload.dependencies:
            archives = await in_thread(self._coordinator.artifacts_of, dependency)
            for archive in archives:
                await self._executor.put_archive(archive)
            if archives:
                self._output.note(f"Fetched the artifacts of {dependency.name} ({dependency.id})")

    async def save_caches(self, *, succeeded: bool) -> None:
        """Keep each cache that the job pushes; what cannot be kept is a warning."""
        for number, spec in enumerate(map(self._expanded_cache, self._payload.cache)):
            if "push" not in spec.policy or not _is_due(spec.when, succeeded):
                continue
            try:
                await self._save(spec, self._scratch / f"cache-{number}.zip")
            except TracekeeperError as error:
                self._warn(f"the cache {spec.key} was not saved: {error.message}")

    async def _save(self, spec: CacheSpec, archive: Path) -> None:
        count = await self._pack(spec.paths, (), spec.untracked, archive)
        if not count:
            self._warn(f"nothing to save for the cache {spec.key}")
            return
        await in_thread(self._coordinator.keep_cache, spec, archive)
        self._output.note(f"Saved the cache {spec.key}: {count} files and directories")

    async def keep_artifacts(self, *, succeeded: bool) -> None:
        """Keep the artifacts and reports that are due. Raises what the coordinator refuses."""
        for number, spec in enumerate(map(self._expanded_artifacts, self._payload.artifacts)):
            if _is_due(spec.when, succeeded):
                await self._keep(spec, self._scratch / f"artifacts-{number}.{spec.artifact_format}")

    async def _keep(self, spec: ArtifactSpec, archive: Path) -> None:
        gzip = spec.artifact_format == "gzip"
        count = await self._pack(spec.paths, spec.exclude, spec.untracked, archive, gzip=gzip)
        if not count:
            self._output.note("\x1b[31;1mERROR: No files to upload\x1b[0;m")
            return
        await in_thread(self._coordinator.keep_artifacts, spec, archive)
        what = "artifacts" if spec.artifact_type == "archive" else f"{spec.artifact_type} report"
        self._output.note(f"Kept the {what}: {count} files and directories")

    async def _pack(
        self,
        paths: Sequence[str],
        exclude: Sequence[str],
        untracked: bool,
        archive: Path,
        *,
        gzip: bool = False,
    ) -> int:
        """Write what the globs select to `archive`; how many entries it got."""
        from tracekeeper.workspace.archive import create_gzip, create_zip
        from tracekeeper.workspace.globs import select

        project_dir = self._executor.project_dir
        wanted = [*paths, "."] if untracked else paths
        async with self._executor.collect(wanted) as root:
            selection = await in_thread(
                select,
                root,
                paths,
                exclude,
                untracked=untracked,
                known=self._known,
                project_dir=project_dir,
            )
            for sentence in selection.rejected:
                self._warn(sentence)
            for pattern in selection.missing:
                self._warn(f"{pattern}: no matching files")
            if not selection.files:
                return 0
            with storing(str(archive)):
                archive.parent.mkdir(parents=True, exist_ok=True)
            if gzip:
                await in_thread(create_gzip, root, selection.files, archive)
                return len(selection.files)
            return await in_thread(create_zip, root, selection.files, archive)

    def _warn(self, sentence: str) -> None:
        self._output.note(f"\x1b[33;1mWARNING: {sentence}\x1b[0;m")

    def _expanded_cache(self, spec: CacheSpec) -> CacheSpec:
        expand = self._environment.expand
        return CacheSpec(
            key=expand(spec.key),
            paths=tuple(map(expand, spec.paths)),
            untracked=spec.untracked,
            policy=expand(spec.policy),
            when=spec.when,
            fallback_keys=tuple(map(expand, spec.fallback_keys)),
        )

    def _expanded_artifacts(self, spec: ArtifactSpec) -> ArtifactSpec:
        expand = self._environment.expand
        return ArtifactSpec(
            name=expand(spec.name),
            untracked=spec.untracked,
            paths=tuple(map(expand, spec.paths)),
            exclude=tuple(map(expand, spec.exclude)),
            when=spec.when,
            artifact_type=spec.artifact_type,
            artifact_format=spec.artifact_format,
            expire_in=spec.expire_in,
        )


def _is_due(when: ArtifactsWhen, succeeded: bool) -> bool:
    return when == "always" or (when == "on_success") == succeeded
