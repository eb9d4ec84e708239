"""Run tasks on a Ray cluster: https://docs.ray.io.

Each worker process loads the image tower once and keeps it. Ray schedules tasks where there are processors or
GPUs, and repeats those of a worker or a node that is lost; pieces make that safe. This process holds no
picture: it lists the source, submits a bounded number of tasks, and writes the manifest.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from snapseek.cluster.connection import connected
from snapseek.cluster.drafts import remove_drafts
from snapseek.cluster.partition import PartitionJob, make_partition, train_partitions
from snapseek.cluster.piece import PieceReport, finished_piece, remove_other_pieces, write_piece
from snapseek.cluster.tasks import PICTURES, Task, tasks_of
from snapseek.collection import add_partition, create_collection, remove_partition
from snapseek.collection.manifest import FILE_NAME, is_manifest, read_manifest
from snapseek.errors import InputError, StorageError
from snapseek.models import Encoder

if TYPE_CHECKING:
    from pathlib import Path

    from snapseek.library.storage.shared_training import TrainedIndex
    from snapseek.sources import FetchLimits

OUTPUTS = ("partitions", "npy")
_AHEAD = 2
"""Tasks that are submitted for each processor, so that none waits for this process."""

StageReport = Callable[[str, int, int, int], object]
"""Called with a stage, how much of it is done, how much it is, and how much failed."""


@dataclass(frozen=True)
class ClusterOptions:
    """How a source is indexed.

    Attributes
    ----------
    partitions
        The number of partitions.
    output
        `partitions`, or `npy` for clip-retrieval's layout alone.
    model, model_dir
        The model; every machine must be able to load it.
    address
        Of the Ray cluster; None for the one that `RAY_ADDRESS` names, else one on this machine.
    cpus, gpus
        What a task occupies.
    pictures
        The number of pictures of a task.
    upload
        The URI of an object store that gets the partitions; empty for none.
    limits
        How URLs are fetched.
    """

    partitions: int = 1
    output: str = OUTPUTS[0]
    model: str = "starter"
    model_dir: Path | None = None
    address: str | None = None
    cpus: float = 1.0
    gpus: float = 0.0
    pictures: int = PICTURES
    upload: str = ""
    limits: FetchLimits | None = None


@dataclass(frozen=True)
class ClusterReport:
    """What was done: rows, pictures that could not be read, tasks that were done before, the manifest."""

    rows: int
    failures: tuple[tuple[str, str], ...]
    resumed: int
    manifest: Path | None


def cluster_index(
    source: Path, target: Path, options: ClusterOptions, progress: StageReport | None = None
) -> ClusterReport:
    """Index a source on a Ray cluster into `target`.

    All machines must see `source` and `target` at the same paths. An interrupted run continues where it
    stopped; what has changed in the source is embedded again. `progress` is called with the progress.

    Raises
    ------
    InputError
        Ray is not installed, or the source has no picture.
    StorageError
        A disk refuses.
    """
    ray = connected(options.address)
    report_progress = progress or (lambda stage, done, total, failed: None)
    encoder = Encoder.load(options.model, model_dir=options.model_dir)
    try:
        target.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise StorageError(f"cannot make {target}: {error.strerror or error}") from error
    partitions = options.partitions if options.output == OUTPUTS[0] else None
    tasks = tasks_of(source, target, partitions, encoder.space, size=options.pictures, limits=options.limits)
    reports = {task.number: report for task in tasks if (report := finished_piece(task)) is not None}
    resumed = len(reports)
    waiting = [task for task in tasks if task.number not in reports]
    total = sum(max(1, task.rows) for task in tasks)
    embed = _remote(ray, options, _embed)
    for report in _results(ray, embed, [(task, options) for task in waiting], options):
        reports[report.number] = report
        done = sum(max(1, task.rows) for task in tasks if task.number in reports)
        report_progress("embed", done, total, sum(len(one.failures) for one in reports.values()))
    for folder in {task.folder for task in tasks}:
        remove_other_pieces(folder, {task.number for task in tasks if task.folder == folder})
    failures = tuple(failure for number in sorted(reports) for failure in reports[number].failures)
    rows = sum(report.rows for report in reports.values())
    manifest = None
    if options.output == OUTPUTS[0]:
        manifest = _make_partitions(ray, tasks, reports, target, options, report_progress)
    remove_drafts(target, {task.folder for task in tasks})
    return ClusterReport(rows, failures, resumed, manifest)


def _make_partitions(
    ray: Any,
    tasks: Sequence[Task],
    reports: dict[int, PieceReport],
    target: Path,
    options: ClusterOptions,
    progress: StageReport,
) -> Path:
    """Make all partitions and then the manifest, which names them."""
    jobs = []
    for folder in dict.fromkeys(task.folder for task in tasks):
        own = [task for task in tasks if task.folder == folder]
        if any(reports[task.number].rows for task in own):
            digests = tuple(task.digest for task in own)
            jobs.append(PartitionJob(folder.name, folder, digests, target, options.upload))
    if not jobs:
        raise InputError(expected="a picture that can be read", got="none", hint="see the failures")
    if len(jobs) > 1:
        (trained,) = _results(ray, _remote(ray, options, _train), [(jobs, options)], options)
        jobs = [replace(job, training=trained) for job in jobs]
        progress("train", 1, 1, 0)
    make = _remote(ray, options, _make)
    for done, _ in enumerate(_results(ray, make, [(job, options) for job in jobs], options), start=1):
        progress("partitions", done, len(jobs), 0)
    return _listed(target / FILE_NAME, jobs)


def _listed(manifest: Path, jobs: Sequence[PartitionJob]) -> Path:
    """Write the manifest; that of an earlier run keeps the numbers of the partitions that stay."""
    if not is_manifest(manifest):
        create_collection(manifest, [[job.location] for job in jobs])
        return manifest
    for job in jobs:
        add_partition(manifest, [job.location], name=job.name)
    names = {job.name for job in jobs}
    for entry in read_manifest(manifest).partitions:
        if entry.name not in names:
            remove_partition(manifest, entry.name)
    return manifest


def _results(
    ray: Any, function: Any, arguments: Sequence[tuple[Any, ...]], options: ClusterOptions
) -> Iterator[Any]:
    """Yield the results of calls as they come, a bounded number of them under way."""
    waiting = list(reversed(arguments))
    running: list[Any] = []
    try:
        while waiting or running:
            slots = max(1, int(ray.cluster_resources().get("CPU", 1) / max(options.cpus, 0.01)))
            while waiting and len(running) < _AHEAD * slots:
                running.append(function.remote(*waiting.pop()))
            ready, running = ray.wait(running, num_returns=1)
            for one in ready:
                yield _result_of(ray, one)
    finally:
        for one in running:
            ray.cancel(one, force=False)


def _result_of(ray: Any, reference: Any) -> Any:
    """Return the result of a call. Raises what it raised, if that was on purpose."""
    try:
        return ray.get(reference)
    except ray.exceptions.RayTaskError as error:
        raise error.cause from error  # an error of the task itself, which Ray does not repeat


def _remote(ray: Any, options: ClusterOptions, function: Callable[..., Any]) -> Any:
    """Return the function for workers; Ray repeats it as often as workers are lost."""
    return ray.remote(function).options(num_cpus=options.cpus, num_gpus=options.gpus, max_retries=-1)


def _embed(task: Task, options: ClusterOptions) -> PieceReport:
    encoder = _encoder(options.model, options.model_dir)
    return write_piece(task, encoder, threads=max(1, int(options.cpus)), limits=options.limits)


def _train(jobs: Sequence[PartitionJob], options: ClusterOptions) -> TrainedIndex | None:
    return train_partitions(jobs, _encoder(options.model, options.model_dir))


def _make(job: PartitionJob, options: ClusterOptions) -> str:
    encoder = _encoder(options.model, options.model_dir)
    return make_partition(job, encoder, threads=max(1, int(options.cpus)))


@lru_cache(1)
def _encoder(model: str, model_dir: Path | None) -> Encoder:
    """Return the model, which a worker process loads once."""
    return Encoder.load(model, model_dir=model_dir)
