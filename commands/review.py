"""`review`: a local page to look at fields and cells, correct labels and refit."""

import logging
import sys
import webbrowser
from collections.abc import Callable
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import NoReturn

import numpy as np
from threadpoolctl import threadpool_limits

from commands.job import Job
from commands.plates import new_scales
from engine.errors import InputError
from models.data.corrected_labels import read_corrected_labels
from models.data.plate_normalisation import FieldScales
from models.fitted import Fitted
from models.saved_fit import load
from store.places import read_places

IMPORTED_FIRST = ("sklearn.linear_model", "sklearn.metrics", "sklearn.utils.extmath")
"""What the threads of the page import. Two threads that do so at once can fail, as these modules import each other."""

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class ReviewOptions:
    """What a user chose.

    Attributes
    ----------
    port : int or None
        None for the usual port, or any free one.
    browser : bool
        Open the page in a browser.
    masks : Path or None
        Folder of label images, for outlines, if the fields were measured with masks.
    images : Path or None
        The csv that lists the images, if they were listed in one.
    """

    port: int | None = None
    browser: bool = True
    masks: Path | None = None
    images: Path | None = None


def comparable(job: Job) -> bool:
    """Whether a refit can keep settings and folds of the run's fit: it can be read, and labels name no new class."""
    try:
        before = set(load(job.folder.root).classes.names)
        return before.issuperset(
            read_corrected_labels(job.data, own_classes=job.folder.own_classes).labels.classes.names
        )
    except InputError:
        return False


def show(job: Job, options: ReviewOptions, refit: Callable[[], object]) -> NoReturn:
    """Open the page, and answer it until the command is interrupted."""
    from review.security import Gate
    from review.server import open_port, serve
    from review.state import Review

    for name in IMPORTED_FIRST:
        import_module(name)
    listening = open_port(options.port)
    gate = Gate(listening.getsockname()[1])

    def scales_of(fitted: Fitted, split: str, ids: tuple[str, ...], values: np.ndarray) -> FieldScales | None:
        places = read_places(job.data, job.folder.measured(split), ids, job.folder.noted_table("fields"))
        return new_scales(job, fitted, places, ids, values)

    review = Review(job.folder, job.data, options.masks, refit, scales_of, options.images)
    # For BLAS, until the end: several threads work already, and so the maps are the same for any number of cores.
    threadpool_limits(1)
    review.begin()
    sys.stdout.write(f"review of {job.run}: {gate.address}\n")
    sys.stdout.flush()
    if not job.quiet:
        _log.info("only this machine can open that address; keep it to yourself. Ctrl-C ends the page")
    if options.browser and not webbrowser.open(gate.address):
        _log.info("no browser was found: open the address yourself")
    serve(review, listening, gate)
