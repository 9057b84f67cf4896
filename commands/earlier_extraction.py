"""What an earlier `extract` left in the run folder: its settings, and its fields, some of which may be gone by now."""

import logging
from pathlib import Path

from engine.command_line import DATA
from engine.errors import InputError
from engine.files import read_json, write_json
from features.extraction.recorded import acquisition_record, settings_path
from features.extraction.settings import ExtractSettings
from features.reading.source import FieldSource
from features.reading.survey import Acquisition
from store.run_folder import SPLITS, RunFolder
from store.shards import measured_ids

_log = logging.getLogger(__name__)


def remember_settings(
    folder: RunFolder, settings: ExtractSettings, acquisition: Acquisition, data: Path = DATA
) -> None:
    """Write the settings beside the shards; if they differ from the earlier run's, log how, and how to fit on `data`.

    Matrices, fit, and the tables made from them are then removed first, so that a run that is interrupted never mixes
    two settings. What people look at or hand in (report, submission, predictions) stays until it is made again.
    """
    path = settings_path(folder)
    today = {key: _brief(value) for key, value in (settings.content() | {"code": settings.code}).items()}
    before = read_json(path) if path.is_file() else today
    before = before if isinstance(before, dict) else {}
    changed = [f"{key}: {before.get(key)} -> {now}" for key, now in today.items() if before.get(key) != now]
    if changed:
        refit = f"; then run {folder.command_on('fit', data)} again" if folder.fit.fit_file.is_file() else ""
        _log.warning("settings differ from the earlier run (%s): measuring again%s", "; ".join(changed), refit)
        folder.fit.clear()
        for stale in (*map(folder.matrix, SPLITS), folder.duplicates, folder.label_errors, folder.importance):
            stale.unlink(missing_ok=True)
    write_json(path, today | {"acquisition": acquisition_record(acquisition)})


def _brief(value: object) -> object:
    """A network's settings as its kind and digest; any other value unchanged."""
    return f"{value['kind']} {value['digest']}" if isinstance(value, dict) else value


def measured_before(folder: RunFolder, sources: dict[str, FieldSource]) -> dict[str, set[str]]:
    """The fields of each split that the run has measured.

    Raises
    ------
    InputError
        If a split shares no field with the run: its results are of other images and must not be lost.
    """
    measured = {split: measured_ids(folder.features, split) for split in SPLITS}
    for split, source in sources.items():
        if measured[split] and measured[split].isdisjoint(source.ids):
            raise InputError(
                f"{folder.root} holds {len(measured[split])} {split} fields of other images ({min(measured[split])} "
                f"...); {source.path} has none of them. Name another folder with --run DIR, or remove {folder.root}."
            )
    return measured


def no_longer_there(folder: RunFolder, sources: dict[str, FieldSource], measured: dict[str, set[str]]) -> list[str]:
    """Messages about measured fields whose images are gone."""
    lines = []
    for split, ids in measured.items():
        if split in sources and (n_gone := len(ids.difference(sources[split].ids))):
            lines.append(f"measured {split} fields that are no longer in {sources[split].path}, removed: {n_gone}")
        elif split not in sources and folder.matrix(split).is_file():
            lines.append(f"no {split} images found; measured {split} fields that are kept: {len(ids)}")
    return lines
