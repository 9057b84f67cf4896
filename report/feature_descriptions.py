"""Feature descriptions: what a column measures, in words, from its structured name; names are never parsed."""

import re
from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd

from models.explanation.feature_groups import NO_STAIN, block_names
from report.phrases import BODIES, FAMILIES, PHRASES, POOLS, STAINS
from report.phrases.parameters import PARAMETERS
from report.rows import rows_of

_CAPITAL = re.compile(r"(?<=[a-z])(?=[A-Z0-9])")


def in_words(column: Mapping[str, Any]) -> str:
    """Describe what a column measures.

    Parameters
    ----------
    column : mapping
        compartment, family, feature, channels and parameters (tuples of str), and pool where it is pooled; a row of
        `FieldMatrix.columns`, for example.

    Returns
    -------
    str
        E.g. "coarse contrast of the protein in the nucleus (cells with the highest values)". A feature without a
        phrase is described by its tokens.
    """
    compartment, family, feature = (str(column[name]) for name in ("compartment", "family", "feature"))
    parameters = tuple(column["parameters"])
    stains = [STAINS.get(name, name) for name in column["channels"]]
    body = BODIES.get(compartment, compartment)
    words = _phrase(family, feature, parameters, stains, body)
    if words is None:
        words = _plain(family, feature, parameters, stains, body)
    pool = str(column.get("pool", ""))
    pooled = POOLS.get(pool, pool)
    return f"{words} ({pooled})" if pooled else words


def has_phrase(column: Mapping[str, Any]) -> bool:
    """Whether there are words for every token of the column."""
    vocabulary = _vocabulary(str(column["family"]), str(column["feature"]))
    parameters = column["parameters"]
    return (
        str(column["feature"]) in PHRASES.get(str(column["family"]), {})
        and str(column["family"]) in FAMILIES
        and str(column["compartment"]) in BODIES
        and all(name in STAINS for name in column["channels"])
        and len(parameters) <= len(vocabulary)
        and all(value in words or "*" in words for value, words in zip(parameters, vocabulary))
    )


def columns_in_words(columns: pd.DataFrame) -> dict[str, str]:
    """The words of each column by its name."""
    return {row["name"]: in_words(row) for row in rows_of(columns)}


def family_in_words(family: str) -> str:
    """E.g. "RadialDistribution" -> "radial distribution"."""
    return FAMILIES.get(family, _spaced(family))


def channel_in_words(channel: str) -> str:
    """E.g. "Nucleus" -> "nuclear stain"; features of outlines alone have none."""
    return "no stain (outlines)" if channel == NO_STAIN else STAINS.get(channel, channel).removeprefix("the ")


def compartment_in_words(compartment: str) -> str:
    """E.g. "Nuclei" -> "nucleus"."""
    return BODIES.get(compartment, compartment).removeprefix("the ")


def block_in_words(compartment: str, family: str, channels: Sequence[str]) -> str:
    """E.g. ("Nuclei", "Texture", ("Protein",)) -> "texture of the protein in the nucleus"."""
    stains = [STAINS.get(name, name) for name in channels]
    of = f" of {' and '.join(stains)}" if stains else ""
    return f"{family_in_words(family)}{of} in {BODIES.get(compartment, compartment)}"


def blocks_in_words(columns: pd.DataFrame) -> dict[str, str]:
    """The words of each block of a matrix's columns by its name."""
    named = zip(block_names(columns), columns["compartment"], columns["family"], columns["channels"], strict=True)
    return {block: block_in_words(compartment, family, channels) for block, compartment, family, channels in named}


def _phrase(family: str, feature: str, parameters: Sequence[str], stains: Sequence[str], body: str) -> str | None:
    """The phrase with its gaps filled, or None without a phrase or without words for a gap."""
    phrase = PHRASES.get(family, {}).get(feature)
    if phrase is None:
        return None
    vocabulary = _vocabulary(family, feature)
    gaps = {"where": f"in {body}", "body": body}
    gaps |= {f"p{k}": words.get("", "") for k, words in enumerate(vocabulary)}
    gaps |= {
        f"p{k}": words.get(value, words.get("*", "{}")).format(value)
        for k, (value, words) in enumerate(zip(parameters, vocabulary))
    }
    if stains:
        gaps |= {"stain": " and ".join(stains), "first": stains[0], "second": stains[-1]}
    try:
        return " ".join(phrase.format(**gaps).split())
    except KeyError:
        return None


def _vocabulary(family: str, feature: str) -> tuple[dict[str, str], ...]:
    return PARAMETERS.get(f"{family} {feature}", PARAMETERS.get(family, ()))


def _plain(family: str, feature: str, parameters: Sequence[str], stains: Sequence[str], body: str) -> str:
    of = f" of {' and '.join(stains)}" if stains else ""
    settings = f" [{' '.join(parameters)}]" if parameters else ""
    return f"{family_in_words(family)}: {_spaced(feature)}{of} in {body}{settings}"


def _spaced(token: str) -> str:
    """CamelCase as words: "MeanRank2" -> "mean rank 2"."""
    return _CAPITAL.sub(" ", token).lower() if token != token.upper() else token
