"""Shards of fields measured: field after field on a CPU; on a GPU with reading, measuring and writing overlapped.

On a GPU threads read ahead, two streams find and measure the cells of batches in turn, and threads write.
"""

from collections import deque
from collections.abc import Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field
from itertools import cycle

import cv2

from engine.errors import MachineError
from features.core.device import Device, is_gpu_memory_error, open_device
from features.extraction.batches import (
    Launched,
    MeasuredCells,
    ReadField,
    Row,
    UnreadField,
    batches,
    fetch,
    launch,
    read_one,
    read_pixels,
)
from features.extraction.settings import ExtractSettings
from features.extraction.tables import Written, write_shard
from features.reading.source import FieldSource
from store.shards import Shard

_AHEAD = 4  # fields that each thread may have read before they are measured
_TO_WRITE = 2  # shards that may wait to be written


def measure_shard(
    source: FieldSource, shard: Shard, settings: ExtractSettings, then: Written | None = None
) -> tuple[int, int]:
    """Measure the fields of a shard on the CPU, one after the other, and write its two files; then call `then`.

    Returns
    -------
    n_fields, n_failed : int
    """
    device = open_device("cpu")
    unread: list[Row] = []
    fields = _readable((read_one(source, field_id, settings) for field_id in shard.ids), unread)
    measured = [fetch(launch(batch, settings, device), settings, device) for batch in batches(fields, device)]
    return write_shard(shard, unread, measured, settings, then)


def _readable(fields: Iterable[ReadField | UnreadField], unread: list[Row]) -> Iterator[ReadField]:
    """The fields that could be read; the rows of others are appended to `unread`."""
    for one in fields:
        if isinstance(one, ReadField):
            yield one
        else:
            unread.append(one.row)


def measure_on(
    source: FieldSource, shards: list[Shard], settings: ExtractSettings, device: str, n_threads: int,
    then: Written | None = None,
) -> tuple[int, int]:  # fmt: skip
    """Measure shards on the device of that name, in this process; gives fields and failures of all."""
    try:
        counts = list(measure_shards(source, shards, settings, open_device(device), n_threads, then))
    except MemoryError as error:
        if not is_gpu_memory_error(error):
            raise
        raise MachineError(
            f"device {device}: its memory ran out ({error}). Finished fields are kept, and the same command continues "
            "from there. Stop other programs on the GPU (nvidia-smi lists them), or run with --device cpu."
        ) from error
    return sum(n_fields for n_fields, _ in counts), sum(n_failed for _, n_failed in counts)


@dataclass
class _Work:
    """A shard under way."""

    shard: Shard
    unread: list[Row] = field(default_factory=list)
    measured: list[MeasuredCells] = field(default_factory=list)


@dataclass(frozen=True)
class _Step:
    """A batch of a shard on the GPU; without a batch, the end of the shard."""

    work: _Work
    launched: Launched | None = None
    stream: AbstractContextManager = field(default_factory=nullcontext)


def measure_shards(
    source: FieldSource, shards: list[Shard], settings: ExtractSettings, device: Device, n_threads: int,
    then: Written | None = None,
) -> Iterator[tuple[int, int]]:  # fmt: skip
    """Measure shards on one GPU and write their files.

    Decoding and writing release the interpreter, so threads of one process run them in parallel. The device finds the
    cells, unless masks are given or a network sees crops of them: then they are found or read on the host.

    Parameters
    ----------
    source : FieldSource
    shards : list of Shard
    settings : ExtractSettings
    device : Device
    n_threads : int
        Threads beside the one that launches.
    then : callable or None
        Called with each shard and its two tables once they are written.

    Yields
    ------
    n_fields, n_failed : int
        Of each shard, as its files are finished.
    """
    with ThreadPoolExecutor(n_threads, initializer=cv2.setNumThreads, initargs=(1,)) as threads:
        writing: deque[Future] = deque()
        for work in _measured(_read_ahead(source, shards, settings, threads, n_threads), settings, device):
            writing.append(threads.submit(write_shard, work.shard, work.unread, work.measured, settings, then))
            while writing and (writing[0].done() or len(writing) > _TO_WRITE):
                yield writing.popleft().result()
        while writing:
            yield writing.popleft().result()


def _read_ahead(
    source: FieldSource, shards: list[Shard], settings: ExtractSettings, threads: ThreadPoolExecutor, n_threads: int
) -> Iterator[tuple[Shard, Iterator[ReadField | UnreadField]]]:
    """Each shard with its fields in order, read by threads that run ahead across shards."""
    wanted = ((shard, field_id) for shard in shards for field_id in shard.ids)
    reading: deque[Future] = deque()
    crops = settings.network is not None and settings.network.crop is not None
    read = read_one if settings.masks is not None or crops else read_pixels

    def submit() -> None:
        for _, field_id in wanted:
            reading.append(threads.submit(read, source, field_id, settings))
            if len(reading) >= _AHEAD * n_threads:
                return

    def fields(shard: Shard) -> Iterator[ReadField | UnreadField]:
        for _ in shard.ids:
            submit()
            yield reading.popleft().result()

    for shard in shards:
        yield shard, fields(shard)


def _measured(
    read: Iterator[tuple[Shard, Iterator[ReadField | UnreadField]]], settings: ExtractSettings, device: Device
) -> Iterator[_Work]:
    """Shards with all their batches, in order; each batch is launched before the previous one is fetched."""
    streams = cycle([device.stream(), device.stream()])
    under_way: deque[_Step] = deque()

    def fetched(keep: int) -> Iterator[_Work]:
        while len(under_way) > keep:
            step = under_way.popleft()
            if step.launched is None:
                yield step.work
                continue
            with step.stream:
                step.work.measured.append(fetch(step.launched, settings, device))

    for shard, fields in read:
        work = _Work(shard)
        for batch in batches(_readable(fields, work.unread), device):
            with (stream := next(streams)):
                under_way.append(_Step(work, launch(batch, settings, device), stream))
            yield from fetched(keep=1)
        under_way.append(_Step(work))
    yield from fetched(keep=0)
