"""The options that a run's `extract` and `fit` were given, as a suggested command repeats them."""

from collections.abc import Mapping
from typing import Any

from engine.ids import shown
from store.channels import CHANNELS

_HPA = ",".join(f"{channel.name.lower()}={channel.colour}" for channel in CHANNELS)
_LONGEST = 300  # characters of a value

FIT_OPTIONS = ("folds", "members", "rounds", "settings", "leave_out", "no_covariates")
"""Options of `fit` that config.json notes as they were typed; the others follow from what it notes of the result."""


def noted_options(command: str, config: Mapping[str, Mapping[str, Any]]) -> dict[str, object]:
    """Options for a command on the run, by name.

    Without them `extract` would measure all fields anew, `fit` would train another model, and `report` and `review`
    could not draw cells. A run may come from a stranger: text is made printable, and values that are neither text nor
    numbers are left out.

    Parameters
    ----------
    command : str
        "extract", "fit", "report" or "review"; others have none of these options.
    config : mapping
        What config.json notes, by command.
    """
    if command == "fit":
        return _plain(_of_fit(config.get("fit", {})))
    extract = config.get("extract", {})
    if command in ("report", "review"):
        return _plain({name: extract.get(name) for name in ("masks", "images")})
    if command != "extract":
        return {}
    named = {name: extract.get(name) for name in ("layout", "pattern", "images", "stains", "z", "t", "masks")}
    if (named["layout"], named["stains"]) == ("hpa", _HPA):
        named |= {"layout": None, "stains": None}
    return _plain({
        **named,
        "pixel_size": extract.get("stated_size") if extract.get("size_of_all") else None,
        "max_level": extract.get("level") if extract.get("level_of_all") else None,
        "camera_offset": extract.get("offset") or None,
        "all_columns": extract.get("all_columns") is True,
        **_network(extract),
    })  # fmt: skip


def _of_fit(fit: Mapping[str, Any]) -> dict[str, object]:
    """Options that differ from the defaults; a run of an earlier version does not note all of them."""
    typed, controls = fit.get("options"), fit.get("controls")
    tables = {name: fit.get(f"{name}_table") for name in ("groups", "fields")}
    return {
        **{name: table.get("path") if isinstance(table, dict) else None for name, table in tables.items()},
        **({name: typed.get(name) for name in FIT_OPTIONS} if isinstance(typed, dict) else {}),
        "own_classes": fit.get("own_classes") is True,
        "normalise_by": fit.get("normalise_by"),
        "controls": ",".join(map(str, controls)) if isinstance(controls, list | tuple) else None,
        "seed": fit.get("seed") or None,
    }


def _network(extract: Mapping[str, Any]) -> dict[str, object]:
    """The user's network with its input, or that there was none.

    Its file is not named: a network can run any code, and the run may come from a stranger.
    """
    network = extract.get("network")
    if not isinstance(network, dict):
        return {"no_embedding": "network" in extract and network is None}
    if not network.get("path"):
        return {}
    several = {name: network.get(name) for name in ("channels", "mean", "sd")}
    joined = {f"backbone_{name}": ",".join(map(str, of)) for name, of in several.items() if isinstance(of, list)}
    return {"backbone": "FILE", **joined, "backbone_size": network.get("crop")}


def _plain(options: Mapping[str, object]) -> dict[str, object]:
    return {
        name: shown(value, _LONGEST) if isinstance(value, str) else value
        for name, value in options.items()
        if isinstance(value, str | int | float) and value != ""
    }
