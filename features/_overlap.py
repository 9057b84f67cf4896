"""Shards on a GPU: threads read ahead, two streams find and measure the cells of batches in turn, threads write."""

from collections import deque
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from itertools import cycle

import cv2

from engine.errors import MachineError
from features._batches import Launched, MeasuredCells, ReadField, batches, fetch, launch, read_one, read_pixels
from features._device import Device, is_of_a_gpu, open_device
from features._images import FieldSource
from features._settings import ExtractSettings
from features._shards import Shard, readable, write_shard

_AHEAD = 4  # fields that each thread may have read before they are measured
_TO_WRITE = 2  # shards that may wait to be written


def measure_on(
    source: FieldSource, shards: list[Shard], settings: ExtractSettings, device: str, n_threads: int
) -> tuple[int, int]:
    """Measure shards on the device of that name, in this process; gives fields and failures of all."""
    try:
        counts = list(measure_shards(source, shards, settings, open_device(device), n_threads))
    except MemoryError as error:
        if not is_of_a_gpu(error):
            raise
        raise MachineError(
            f"device {device}: its memory ran out ({error}). What was finished is kept, and the same command goes on "
            "from there. End what else uses it (nvidia-smi shows it), or run with --device cpu."
        ) from error
    return sum(n_fields for n_fields, _ in counts), sum(n_failed for _, n_failed in counts)


@dataclass
class _Work:
    """A shard under way."""

    shard: Shard
    unread: list[dict[str, object]] = field(default_factory=list)
    measured: list[MeasuredCells] = field(default_factory=list)


@dataclass(frozen=True)
class _Step:
    """A batch of a shard on the GPU; without one, the end of the shard."""

    work: _Work
    launched: Launched | None = None
    stream: AbstractContextManager | None = None


def measure_shards(
    source: FieldSource, shards: list[Shard], settings: ExtractSettings, device: Device, n_threads: int
) -> Iterator[tuple[int, int]]:
    """Measure shards on one GPU and write their files.

    Decoding and writing release the interpreter, so that threads of one process do them side by side. The device finds
    the cells, but where masks are given or a network looks at each cell: then they are known before, on the host.

    Parameters
    ----------
    source : FieldSource
    shards : list of Shard
    settings : ExtractSettings
    device : Device
    n_threads : int
        Threads beside the one that launches.

    Yields
    ------
    n_fields, n_failed : int
        Of each shard, as its files are finished.
    """
    with ThreadPoolExecutor(n_threads, initializer=cv2.setNumThreads, initargs=(1,)) as threads:
        writing: deque[Future] = deque()
        for work in _measured(_read_ahead(source, shards, settings, threads, n_threads), settings, device):
            writing.append(threads.submit(write_shard, work.shard, work.unread, work.measured, settings))
            while writing and (writing[0].done() or len(writing) > _TO_WRITE):
                yield writing.popleft().result()
        while writing:
            yield writing.popleft().result()


def _read_ahead(
    source: FieldSource, shards: list[Shard], settings: ExtractSettings, threads: ThreadPoolExecutor, n_threads: int
) -> Iterator[tuple[Shard, Iterator[ReadField]]]:
    """Each shard with its fields in order, read by threads that run ahead across shards."""
    wanted = ((shard, field_id) for shard in shards for field_id in shard.ids)
    reading: deque[Future] = deque()
    read = read_pixels if settings.masks is None and settings.network is None else read_one

    def submit() -> None:
        for _, field_id in wanted:
            reading.append(threads.submit(read, source, field_id, settings))
            if len(reading) >= _AHEAD * n_threads:
                return

    def fields(shard: Shard) -> Iterator[ReadField]:
        for _ in shard.ids:
            submit()
            yield reading.popleft().result()

    for shard in shards:
        yield shard, fields(shard)


def _measured(
    read: Iterator[tuple[Shard, Iterator[ReadField]]], settings: ExtractSettings, device: Device
) -> Iterator[_Work]:
    """Shards whose batches have all come back, in order; a batch is launched before the one before it is fetched."""
    streams = cycle([device.stream(), device.stream()])
    under_way: deque[_Step] = deque()

    def settle(keep: int) -> Iterator[_Work]:
        while len(under_way) > keep:
            step = under_way.popleft()
            if step.launched is None:
                yield step.work
                continue
            with step.stream:
                step.work.measured.append(fetch(step.launched, settings, device))

    for shard, fields in read:
        work = _Work(shard)
        for batch in batches(readable(fields, work.unread), device):
            with (stream := next(streams)):
                under_way.append(_Step(work, launch(batch, device), stream))
            yield from settle(keep=1)
        under_way.append(_Step(work))
    yield from settle(keep=0)
