"""Settings for measuring new fields: those that the run was extracted with, as far as possible."""

import logging
from dataclasses import replace
from pathlib import Path

from engine.errors import InputError, UsageError
from features.embedding.pretrained import KIND, NOT_INSTALLED, pretrained_network
from features.embedding.user_network import backbone, recorded_network
from features.extraction.recorded import Recorded, read_recorded
from features.extraction.settings import ExtractSettings, NetworkFile
from features.reading.options import ReadingOptions
from features.reading.survey import Acquisition
from store.channels import ER
from store.run_folder import RunFolder, read_config

_log = logging.getLogger(__name__)


def settings_like(
    folder: RunFolder, *, reading: ReadingOptions, masks: Path | None, network: Path | None, device: str
) -> tuple[ExtractSettings, Acquisition]:
    """The settings of a run, for new fields, and the scale of the run; logs every difference.

    Parameters
    ----------
    folder : RunFolder
    reading : ReadingOptions
        How the new images are read; what it does not say is as in the run.
    masks : Path or None
        Masks of the new fields.
    network : Path or None
        The user's network that the run was extracted with. It is opened only if the user names it again, because
        TorchScript runs code.
    device : str
        "cpu" or "cuda".

    Raises
    ------
    InputError
        If nothing was extracted, or masks, the network or a list of images are needed and missing.
    """
    known = read_recorded(folder)
    chosen = ExtractSettings(
        _masks(folder, known.settings["masks"], masks), device, _network(folder, known.settings["network"], network),
        _reading(folder, known, reading), all_columns=known.all_columns,
    )  # fmt: skip
    for sentence in _differences(known, chosen):
        _log.warning("%s", sentence)
    return chosen, known.acquisition


def _reading(folder: RunFolder, known: Recorded, given: ReadingOptions) -> ReadingOptions:
    """The options for new images: those given, else the run's; stains that the run has not are left out."""
    if not given.names_images:
        if known.by_csv:
            raise InputError(
                f"the images of the run in {folder.root} were listed in a csv. List the new ones with --images "
                "FILE.csv, or say how they are named with --layout or --pattern, and --stains."
            )
        own = {name: getattr(given, name) for name in ("pixel_size", "max_level", "camera_offset")}
        own |= {name: value for name in ("z", "t") if (value := getattr(given, name))}
        run = known.reading.without((ER,)) if given.no_er else known.reading
        given = replace(run, **own)
        if not given.is_hpa:
            _log.info("reading images as the run's: --layout %s, --stains %s", given.kind, given.chosen_stains.text())
    return given.without(known.reading.chosen_stains.absent)


def _differences(known: Recorded, chosen: ExtractSettings) -> list[str]:
    """Messages about differences that make the features of new fields less comparable."""
    lines = []
    if missing := [one.name for one in chosen.absent if one not in known.reading.chosen_stains.absent]:
        stains = " and ".join(missing)
        lines.append(
            f"the run was trained with {stains}, the new fields are measured without: predictions are less reliable"
        )
    if chosen.masks and not known.settings["masks"]:
        lines.append("the run's cells were segmented here, the new ones come from masks: predictions are less reliable")
    if known.settings["code"] != replace(chosen, device=known.settings["device"]).code:
        lines.append(
            "the run was extracted by another version of features/: predictions are less reliable, until you extract "
            "and fit again"
        )
    return lines


def _masks(folder: RunFolder, recorded: str | None, given: Path | None) -> str | None:
    if given is None and recorded is not None:  # never followed: a run folder may come from someone else
        raise InputError(
            f"the run in {folder.root} was extracted with masks made elsewhere. Give those of the new fields with "
            "--masks DIR."
        )
    return str(given) if given is not None else None


def named_network(used: NetworkFile | None, given: Path | None) -> dict[str, Path]:
    """The option that names the network, with its file; empty if the user named none."""
    return {"backbone": given} if used and given else {}


def _network(folder: RunFolder, wanted: str | None, given: Path | None) -> NetworkFile | None:
    """The network that the run was extracted with, checked by its digest."""
    pretrained = wanted is not None and wanted.startswith(KIND)
    if given is not None and (wanted is None or pretrained):
        used = "the pretrained network" if pretrained else "no network"
        raise InputError(f"the run in {folder.root} was extracted with {used}: leave {given} out.")
    if wanted is None:
        return None
    return _pretrained(folder, wanted) if pretrained else _backbone(folder, wanted, given)


def _pretrained(folder: RunFolder, wanted: str) -> NetworkFile:
    """The pretrained network, if this machine has the one of the run."""
    found = pretrained_network()
    if found is None:
        raise InputError(f"the run in {folder.root} was extracted with an embedding, and {NOT_INSTALLED}.")
    if f"{found.kind} {found.digest}" != wanted:
        raise InputError(
            f"the run in {folder.root} was extracted with another pretrained network ({wanted}; this is {found.kind} "
            f"{found.digest}). Run {folder.command('extract')} and {folder.command('fit')} again."
        )
    return found


def _backbone(folder: RunFolder, wanted: str, given: Path | None) -> NetworkFile:
    """The user's network that the run was extracted with: the file that the user names again."""
    record = read_config(folder.config).get("extract", {}).get("network") or {}
    if f"{record.get('kind')} {record.get('digest')}" != wanted:
        raise InputError(
            f"{folder.config} does not describe the network ({wanted}) that the run was extracted with. Run "
            f"{folder.command('extract')} to the end, then {folder.command('fit')}."
        )
    found = recorded_network(given, record) if given is not None and given.is_file() else None
    if found is None:
        looked = "" if given is None else f"; {given} is not it"
        raise InputError(
            f"the run in {folder.root} was extracted with a network ({record['path']}, digest {record['digest']})"
            f"{looked}. Name that file with --backbone FILE."
        )
    return found


def choose_network(
    backbone_file: Path | None = None, *, embedding: bool = True, channels: str = "red,green,blue,yellow",
    side: int = 224, mean: str = "0", sd: str = "1",
) -> NetworkFile | None:  # fmt: skip
    """The network that `extract` adds: the user's, or else the pretrained one, unless `embedding` is False.

    Logs a sentence if the pretrained network is not installed; the features are then those without a network.
    """
    if backbone_file is not None and not embedding:
        raise UsageError("--no-embedding and --backbone were both given; leave one of them out.")
    if backbone_file is not None:
        return backbone(backbone_file.absolute(), channels, side, mean, sd)
    network = pretrained_network() if embedding else None
    if embedding and network is None:
        _log.warning("%s: the cells get no embedding", NOT_INSTALLED)
    return network
