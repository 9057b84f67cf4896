"""Measures the shards that are missing, on CPUs, GPUs or a cluster; compiles before, and says how long it will take."""

import logging
import os
import platform
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import partial
from typing import Any

from commands.pooling import table_columns
from engine.running.estimate import Estimate
from engine.running.parallel import run_tasks
from engine.running.progress import progress
from features.core.device import device_names, missing_for_a_gpu, open_device
from features.extraction.compiling import compile_part, kernels_compiled, parts
from features.extraction.measuring import measure_on, measure_shard, measure_shards
from features.extraction.pooled_shards import store_pooled
from features.extraction.settings import ExtractSettings
from features.reading.source import FieldSource
from store.shards import Shard

SHARDS_A_TASK = 16  # with several GPUs; progress is shown after each task

_log = logging.getLogger(__name__)


def choose_devices(name: str, quiet: bool) -> tuple[str, ...]:
    """The devices with a given name; logs what "auto" chose, and why."""
    devices = device_names(name)
    if name == "auto" and not quiet:
        reason = f" ({missing_for_a_gpu().removesuffix('.')})" if devices == ("cpu",) else ""
        _log.info("device auto: %s%s", ", ".join(devices), reason)
    return devices


def get_ready() -> None:
    """In a worker without tasks: load the kernels, which takes a second; where some are not compiled yet, none.

    All else that measuring needs is imported with this module.
    """
    if kernels_compiled():
        for name in parts():
            compile_part(name)


def compile_kernels(workers: int, quiet: bool) -> None:
    """Compile the kernels in parallel, once per installation; they are cached on disk."""
    if kernels_compiled():
        return
    tasks = [(name,) for name in parts()]
    with progress("compiling kernels, once per installation", len(tasks), "modules", quiet) as bar:
        for _ in run_tasks(compile_part, tasks, workers):
            bar.advance()


def measure_missing(
    todo: Sequence[tuple[FieldSource, list[Shard]]],
    settings: ExtractSettings,
    devices: tuple[str, ...],
    workers: int,
    quiet: bool,
) -> None:
    """Measure shards that are not on disk yet: in processes on the CPU, or with threads for each GPU.

    Parameters
    ----------
    todo : sequence of (FieldSource, list of Shard)
        The missing shards of each split. How long all of them take is said once, after the first ones.
    settings : ExtractSettings
    devices : tuple of str
    workers : int
    quiet : bool
    """
    todo = [(source, shards) for source, shards in todo if shards]
    if not todo:
        return
    compile_kernels(workers, quiet)
    estimate = _estimate([shard for _, shards in todo for shard in shards], devices, workers)
    for source, shards in todo:
        with progress(f"extract {shards[0].split}", _n_fields(shards), "fields", quiet) as bar:
            for task in _measured(source, shards, settings, devices, workers):
                if (sentence := estimate.after(*task)) and not quiet:
                    _log.info("%s", sentence)
                bar.advance(task[0])


def _n_fields(shards: Sequence[Shard]) -> int:
    return sum(len(shard.ids) for shard in shards)


def _estimate(shards: Sequence[Shard], devices: tuple[str, ...], workers: int) -> Estimate:
    """An estimate of all shards, with as many workers as measure at the same time: processes on CPUs, or GPUs."""
    n_fields = _n_fields(shards)
    n_tasks = len(shards) if len(devices) == 1 else -(-len(shards) // SHARDS_A_TASK)
    what = f"{n_fields:,} field{'s' if n_fields != 1 else ''} to measure"
    return Estimate(what, n_fields, n_tasks, workers if devices == ("cpu",) else len(devices))


def _measured(
    source: FieldSource, todo: list[Shard], settings: ExtractSettings, devices: tuple[str, ...], workers: int
) -> Iterator[tuple[int, float, str]]:
    """Yield of each task, as it is finished, the number of fields, the seconds that it took, and who did it."""
    then = partial(store_pooled, table_columns(settings))
    if devices == ("cpu",):
        long_first = sorted(todo, key=lambda shard: -len(shard.ids))  # so that workers end together
        tasks = ((source.part(shard.ids), shard, settings, then) for shard in long_first)
        yield from run_tasks(_timed, ((measure_shard, *task) for task in tasks), workers)
    elif len(devices) == 1:
        name = devices[0]
        yield from _since_the_last(name, measure_shards(source, todo, settings, open_device(name), workers, then))
    else:
        pieces = [todo[i : i + SHARDS_A_TASK] for i in range(0, len(todo), SHARDS_A_TASK)]
        threads = max(workers // len(devices), 1)
        given = ((piece, devices[k % len(devices)]) for k, piece in enumerate(pieces))
        tasks = ((source, piece, settings, device, threads, then) for piece, device in given)
        yield from run_tasks(_timed, ((measure_on, *task) for task in tasks), len(devices))


def _timed(measure: Callable[..., tuple[int, int]], *task: Any) -> tuple[int, float, str]:
    """A worker's task: measure; gives the number of fields, the seconds that it took, and the worker's name."""
    begun = time.monotonic()
    n_fields, _ = measure(*task)
    return n_fields, time.monotonic() - begun, f"{platform.node()} {os.getpid()}"


def _since_the_last(device: str, finished: Iterable[tuple[int, int]]) -> Iterator[tuple[int, float, str]]:
    """As `_timed`, for shards that one GPU finishes in order."""
    before = time.monotonic()
    for n_fields, _ in finished:
        now = time.monotonic()
        yield n_fields, now - before, device
        before = now
