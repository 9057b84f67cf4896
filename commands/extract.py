"""`extract`: finds the images, decides their scale, and measures the fields that are missing or out of date."""

import logging
from dataclasses import dataclass, replace
from pathlib import Path

from commands.brightness import brightest
from commands.job import Job
from commands.measuring import choose_devices, measure_missing
from commands.unused import found_fields
from features.extraction.settings import ExtractSettings, NetworkFile
from features.reading.mask_files import with_masks
from features.reading.options import ReadingOptions
from features.reading.source import FieldSource
from features.reading.splits import find_splits, scaled
from features.reading.survey import Acquisition, survey
from store.run_folder import RunFolder
from store.shards import Shard, plan_shards, reconcile_shards

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Extraction:
    """What to measure: images, settings and devices."""

    sources: dict[str, FieldSource]
    settings: ExtractSettings
    devices: tuple[str, ...]

    @property
    def network(self) -> Path | None:
        """The file of the user's network, if any; the pretrained one is installed where it runs."""
        network = self.settings.network
        return Path(network.path) if network and network.path else None


def prepare(
    job: Job, reading: ReadingOptions, masks: Path | None, network: NetworkFile | None, *, all_columns: bool
) -> Extraction:  # fmt: skip
    """Find the images, and choose settings and devices."""
    devices = choose_devices(job.worker_device, job.quiet)
    masks = job.path(masks)
    settings = ExtractSettings(
        str(masks) if masks else None, devices[0].partition(":")[0], network, reading, all_columns=all_columns
    )
    sources = find_splits(job.data, reading)
    if masks is not None:
        sources = with_masks(sources, masks)
    if not job.quiet:
        _log.info("%s", found_fields(sources.values()))
    return Extraction(sources, settings, devices)


def decide_scale(work: Extraction, folder: RunFolder, workers: int, quiet: bool) -> tuple[Extraction, Acquisition]:
    """Decide bit depth, level, offset and pixel size; says what the files do not state."""
    acquisition = survey(
        work.sources.values(), work.settings.reading,
        lambda: brightest(list(work.sources.values()), folder.features, workers, quiet),
    )  # fmt: skip
    if not quiet:
        for sentence in acquisition.sentences():
            _log.info("%s", sentence)
    settings = replace(work.settings, scale=acquisition.scale)
    return replace(work, sources=scaled(work.sources, acquisition.scale), settings=settings), acquisition


def plan(work: Extraction, folder: RunFolder) -> dict[str, list[Shard]]:
    """The shards of each split."""
    return {
        split: plan_shards(split, source.ids, source.fingerprint, work.settings, folder.features)
        for split, source in work.sources.items()
    }


def measure(work: Extraction, shards: dict[str, list[Shard]], workers: int, quiet: bool) -> None:
    """Measure the shards that are missing or out of date."""
    todo = [(source, reconcile_shards(shards[split])) for split, source in work.sources.items()]
    measure_missing(todo, work.settings, work.devices, workers, quiet)
