"""Settings for measuring new fields: those that the run was extracted with, as far as possible."""

import logging
from dataclasses import replace
from pathlib import Path
from typing import Any

from engine.errors import InputError, UsageError
from engine.files import read_json
from features.embedding.inference import backbone, own_network, recorded_network
from features.extraction.settings import ExtractSettings, NetworkFile
from store.run_folder import RunFolder, read_config

_log = logging.getLogger(__name__)


def settings_like(
    folder: RunFolder, *, no_er: bool, masks: Path | None, network: Path | None, device: str
) -> ExtractSettings:
    """The settings of a run, for new fields; logs every difference.

    Parameters
    ----------
    folder : RunFolder
    no_er : bool
        The new fields have no ER channel, even if the run's have one.
    masks : Path or None
        Masks of the new fields.
    network : Path or None
        The network that the run was extracted with; by default the one that `embed` wrote into the run folder. Any
        other is opened only if the user names it, because TorchScript runs code.
    device : str
        "cpu" or "cuda".

    Raises
    ------
    InputError
        If nothing was extracted, or masks or the network are needed and missing.
    """
    path = folder.features / "settings.json"
    if not path.is_file():
        raise InputError(f"{path} is missing: nothing was extracted yet. Run {folder.command('extract')} first.")
    known = _known(folder, path)
    chosen = ExtractSettings(
        known["no_er"] or no_er, _masks(folder, known["masks"], masks), device, _network(folder, known, network)
    )
    for sentence in _differences(known, chosen):
        _log.warning("%s", sentence)
    return chosen


def _known(folder: RunFolder, path: Path) -> dict[str, Any]:
    """The settings that `extract` wrote."""
    known, kinds = (
        read_json(path),
        {"no_er": bool, "masks": str | None, "network": str | None, "device": str, "code": str},
    )
    if not (isinstance(known, dict) and all(k in known and isinstance(known[k], kinds[k]) for k in kinds)):
        raise InputError(f"{path} does not hold the settings of an extraction. Run {folder.command('extract')} again.")
    return known


def _differences(known: dict[str, Any], chosen: ExtractSettings) -> list[str]:
    """Messages about differences that make the features of new fields less comparable."""
    lines = []
    if chosen.no_er and not known["no_er"]:
        lines.append(
            "the run was trained with ER, the new fields are measured without it: predictions are less reliable"
        )
    if chosen.masks and not known["masks"]:
        lines.append("the run's cells were segmented here, the new ones come from masks: predictions are less reliable")
    if known["code"] != replace(chosen, device=known["device"]).code:
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
    return {_option(used.kind): given} if used and given else {}


def _option(kind: str) -> str:
    return "embedding" if kind == "embedding" else "backbone"


def _network(folder: RunFolder, known: dict[str, Any], given: Path | None) -> NetworkFile | None:
    """The network that the run was extracted with, checked by its digest."""
    wanted = known["network"]
    if wanted is None and given is not None:
        raise InputError(f"the run in {folder.root} was extracted without a network: leave {given} out.")
    if wanted is None:
        return None
    record = read_config(folder.config).get("extract", {}).get("network") or {}
    if f"{record.get('kind')} {record.get('digest')}" != wanted:
        raise InputError(
            f"{folder.config} does not describe the network ({wanted}) that the run was extracted with. Run "
            f"{folder.command('extract')} to the end, then {folder.command('fit')}."
        )
    by_itself = folder.network if record["kind"] == "embedding" else None
    place = given if given is not None else by_itself
    found = recorded_network(place, record) if place is not None and place.is_file() else None
    if found is None:
        looked = "" if place is None else f"; {place} is not it"
        raise InputError(
            f"the run in {folder.root} was extracted with a network ({record['path']}, digest {record['digest']})"
            f"{looked}. Name that file with --{_option(record['kind'])} FILE."
        )
    return found


def choose_network(
    embedding_file: Path | None, backbone_file: Path | None, *, channels: str, side: int, mean: str, sd: str
) -> NetworkFile | None:
    """The network that `extract` adds, if any: what `embed` wrote, or the user's own."""
    one_network(embedding_file, backbone_file)
    if embedding_file:
        return own_network(embedding_file.absolute())
    return backbone(backbone_file.absolute(), channels, side, mean, sd) if backbone_file else None


def one_network(embedding_file: Path | None, backbone_file: Path | None) -> Path | None:
    """The network's file, if any was named; refuses two."""
    if embedding_file and backbone_file:
        raise UsageError("--embedding and --backbone were both given; expected one network. Leave one of them out.")
    return embedding_file or backbone_file
