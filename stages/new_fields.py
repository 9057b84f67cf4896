"""How fields that a run has never seen are measured: with what the run was extracted with, as far as it can be had."""

import sys
from pathlib import Path
from typing import Any

from engine.errors import InputError
from engine.files import read_json
from engine.run_folder import RunFolder, read_config
from features._embedder import recorded_network
from features._settings import ExtractSettings, NetworkFile


def settings_like(
    folder: RunFolder, *, no_er: bool, masks: Path | None, network: Path | None, device: str
) -> ExtractSettings:
    """The settings of a run for new fields; says on stderr where the new fields are measured otherwise.

    Parameters
    ----------
    folder : RunFolder
    no_er : bool
        The new fields have no ER channel, though the run's may have had one.
    masks : Path or None
        Masks of the new fields.
    network : Path or None
        The network that the run was extracted with; by default what `embed` left in the run folder. Nothing else is
        opened unless the user names it: TorchScript runs code.
    device : str
        "cpu" or "cuda".

    Raises
    ------
    InputError
        If nothing was extracted, or masks or the network are needed and not there.
    """
    path = folder.features / "settings.json"
    if not path.is_file():
        raise InputError(f"{path} is missing: nothing was extracted yet. Run {folder.command('extract')} first.")
    known = _known(folder, path)
    chosen = ExtractSettings(
        known["no_er"] or no_er, _masks(folder, known["masks"], masks), device, _network(folder, known, network)
    )
    for sentence in _differences(known, chosen):
        print(sentence, file=sys.stderr)  # noqa: T201
    return chosen


def _known(folder: RunFolder, path: Path) -> dict[str, Any]:
    """What extract wrote of its settings."""
    known, kinds = read_json(path), {"no_er": bool, "masks": str | None, "network": str | None, "code": str}
    if not (isinstance(known, dict) and all(k in known and isinstance(known[k], kinds[k]) for k in kinds)):
        raise InputError(f"{path} does not hold the settings of an extraction. Run {folder.command('extract')} again.")
    return known


def _differences(known: dict[str, Any], chosen: ExtractSettings) -> list[str]:
    """What may make the new fields' features unlike the training fields'."""
    told = []
    if chosen.no_er and not known["no_er"]:
        told.append("the run's fields have ER and these are measured without it: its features are missing, trust less")
    if chosen.masks and not known["masks"]:
        told.append("the run's cells were found by hpa-boost, these are outlined by masks: trust the calls less")
    if known["code"] != chosen.code:
        told.append(
            "the run was extracted by another version of features/: trust the calls less, or extract and fit again"
        )
    return told


def _masks(folder: RunFolder, recorded: str | None, given: Path | None) -> str | None:
    if given is None and recorded is not None:  # never followed: a run folder may come from a stranger
        raise InputError(
            f"the run in {folder.root} was extracted with masks made elsewhere. Give those of the new fields with "
            "--masks DIR."
        )
    return str(given) if given is not None else None


def named_network(used: NetworkFile | None, given: Path | None) -> dict[str, Path]:
    """The option that named the network, and the file; nothing where none was named."""
    return {_option(used.kind): given} if used and given else {}


def _option(kind: str) -> str:
    return "embedding" if kind == "embedding" else "backbone"


def _network(folder: RunFolder, known: dict[str, Any], given: Path | None) -> NetworkFile | None:
    """The network that the run's settings name, found by its digest."""
    wanted = known["network"]
    if wanted is None and given is not None:
        raise InputError(f"the run in {folder.root} was extracted without a network: leave {given} out.")
    if wanted is None:
        return None
    record = read_config(folder.config).get("extract", {}).get("network") or {}
    if f"{record.get('kind')} {record.get('digest')}" != wanted:
        raise InputError(
            f"{folder.config} does not describe the network ({wanted}) that the run was extracted with. Run "
            f"{folder.command('extract')} to its end, then {folder.command('fit')}."
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
