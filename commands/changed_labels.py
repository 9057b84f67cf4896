"""Training fields that have other labels by now than the fit learnt."""

import logging
from pathlib import Path

from engine.counted import counted
from engine.errors import InputError
from models.data.corrected_labels import CORRECTED, TRAIN, read_corrected_labels
from models.fitted import Fitted
from store.run_folder import RunFolder

_log = logging.getLogger(__name__)


def warn_of_changed_labels(folder: RunFolder, fitted: Fitted, data: Path) -> int:
    """Warn of fields of the fit that have other labels now, or are marked as unusable, and return how many these are.

    0 where the labels are not at hand. Where they cannot be read, the warning says why.
    """
    if not any((data / name).is_file() for name in (TRAIN, CORRECTED)):
        return 0
    try:
        now = read_corrected_labels(data, own_classes=folder.own_classes)
    except InputError as error:
        _log.warning("%s The labels shown are those of the fit.", error)
        return 0
    standing = dict(zip(now.labels.ids, map(now.labels.classes.named, now.labels.matrix), strict=True))
    before = zip(fitted.ids, map(fitted.classes.named, fitted.labels), strict=True)
    n = sum(field in now.unusable or set(standing.get(field, ())) != set(learnt) for field, learnt in before)
    if n:
        _log.warning(
            "labels of %s have changed since the fit: run %s to learn them", counted(n, "field"),
            folder.command_on("fit", data),
        )  # fmt: skip
    return n
