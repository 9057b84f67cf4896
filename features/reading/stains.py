"""Which channel of the images is which stain: `--stains "nucleus=DAPI,protein=GFP,er=3"`, by name or by number."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from engine.errors import InputError, UsageError
from engine.ids import shown
from store.channels import CHANNELS, ER, MICROTUBULES, NUCLEUS, PROTEIN, Channel

_WORDS = {
    "nucleus": NUCLEUS, "nuclei": NUCLEUS, "dna": NUCLEUS, "protein": PROTEIN, "microtubules": MICROTUBULES,
    "tubulin": MICROTUBULES, "er": ER,
} | {channel.colour: channel for channel in CHANNELS}  # fmt: skip
_GUESSES = {
    NUCLEUS: r"dapi|hoechst|h33342|draq|dna|nucle|blue|405|357|351|390|387|385",
    PROTEIN: r"gfp|fitc|protein|488|yfp|green|origgreen|alexa ?fluor",
    MICROTUBULES: r"tub|microtub|\bmt\b",
    ER: r"\ber\b|calnexin|calreticulin|cona|concanavalin",
}
_PLAIN = re.compile(r"[\w .+()-]{1,24}")


@dataclass(frozen=True)
class Stains:
    """The wanted channel of each stain.

    Attributes
    ----------
    wanted : tuple of (Channel, str)
        A name or a number; in the order of `CHANNELS`.
    """

    wanted: tuple[tuple[Channel, str], ...]

    @property
    def absent(self) -> tuple[Channel, ...]:
        """The stains that the images do not have."""
        named = [channel for channel, _ in self.wanted]
        return tuple(channel for channel in CHANNELS if channel not in named)

    def text(self) -> str:
        """As --stains takes it."""
        return ",".join(f"{channel.name.lower()}={name}" for channel, name in self.wanted)


HPA = Stains(tuple((channel, channel.colour) for channel in CHANNELS))
"""Kaggle's and HPA's colours."""


def parse_stains(text: str) -> Stains:
    """Read the value of --stains.

    Raises
    ------
    UsageError
        If it is malformed, a stain is unknown or comes twice, or nucleus or protein is missing.
    """
    wanted: dict[Channel, str] = {}
    for part in filter(None, (part.strip() for part in text.split(","))):
        word, _, value = (piece.strip() for piece in part.partition("="))
        channel = _WORDS.get(word.lower())
        if channel is None or not value or channel in wanted:
            found = "comes twice" if channel in wanted else "is no stain with its channel"
            raise UsageError(
                f"--stains: {shown(part)!r} {found}; expected for example nucleus=DAPI,protein=GFP,microtubules=3,er=4."
            )
        wanted[channel] = value
    if missing := [channel.name.lower() for channel in (NUCLEUS, PROTEIN) if channel not in wanted]:
        raise UsageError(
            f"--stains names no {' and no '.join(missing)}; both are needed, as in nucleus=DAPI,protein=GFP."
        )
    return Stains(tuple((channel, wanted[channel]) for channel in CHANNELS if channel in wanted))


def resolve(stains: Stains, tokens: Sequence[str], names: Mapping[str, str]) -> dict[Channel, str]:
    """The channel of each stain.

    Parameters
    ----------
    stains : Stains
    tokens : sequence of str
        The channels as file names have them, or "1", "2" ... of a file that holds several.
    names : mapping of str to str
        Names of channels, by token, where the files or the plate's index have them.

    Raises
    ------
    InputError
        If a stain's channel is not there, or fits several.
    """
    found = {channel: matching(wanted, tokens, names) for channel, wanted in stains.wanted}
    for channel, matches in found.items():
        wanted = dict(stains.wanted)[channel]
        if len(matches) != 1:
            what = "is not there" if not matches else f"fits {' and '.join(matches)}; name it by its number"
            optional = not matches and channel not in (NUCLEUS, PROTEIN)
            remedy = f" Name one of them, or leave {channel.name.lower()} out of --stains." if optional else ""
            raise InputError(
                f"--stains: channel {shown(wanted)} for {channel.name.lower()} {what}. The images have "
                f"{channels_in_words(tokens, names)}.{remedy}"
            )
    chosen = [matches[0] for matches in found.values()]
    if twice := next((token for token in chosen if chosen.count(token) > 1), None):
        raise InputError(f"--stains names channel {shown(twice)} for two stains; expected another channel for each.")
    return {channel: matches[0] for channel, matches in found.items()}


def matching(wanted: str, tokens: Sequence[str], names: Mapping[str, str]) -> list[str]:
    """The tokens that a name or number fits: as it stands, by name, by number, and only then by a part of the name."""
    low = wanted.lower()
    number = int(wanted) if wanted.isdigit() else None
    tests = (
        lambda token: token.lower() == low,
        lambda token: names.get(token, "").lower() == low,
        lambda token: number is not None and _number(token) == number,
        lambda token: number is None and any(_holds(text.lower(), low) for text in (token, names.get(token, ""))),
    )
    return next((matches for test in tests if (matches := [token for token in tokens if test(token)])), [])


def _holds(name: str, part: str) -> bool:
    """Whether a name has a part at the start or end of a word, e.g. "gfp" in "EGFP"; two letters must be a word.

    So "er" is in "Calnexin ER", but neither in "mCherry" nor in "filter".
    """
    before, after = r"(?<![^\W_])", r"(?![^\W_])"
    at_word = rf"{before}{re.escape(part)}|{re.escape(part)}{after}"
    return re.search(at_word if len(part) > 2 else rf"{before}{re.escape(part)}{after}", name) is not None


def _number(token: str) -> int | None:
    digits = re.search(r"\d+$", token)
    return int(digits[0]) if digits else None


def channels_in_words(tokens: Sequence[str], names: Mapping[str, str]) -> str:
    """E.g. "channels 1 (DAPI) and 2 (FITC)"."""
    parts = [shown(f"{token} ({names[token]})" if names.get(token) else token) for token in tokens]
    if not parts:
        return "no channels"
    return ("channel " if len(parts) == 1 else "channels ") + " and ".join(
        filter(None, (", ".join(parts[:-1]), parts[-1]))
    )


def guess_stains(tokens: Sequence[str], names: Mapping[str, str]) -> Stains | None:
    """A proposal for --stains, to be looked at by a person; None with fewer than two channels.

    Stains are recognised by common names; nucleus and protein that are not, are the first channels left.
    """
    left = list(tokens)
    wanted: dict[Channel, str] = {}
    for channel, words in _GUESSES.items():
        hits = [token for token in left if re.search(words, f"{token} {names.get(token, '')}".lower())]
        if hits:
            wanted[channel] = hits[0]
            left.remove(hits[0])
    for channel in (NUCLEUS, PROTEIN):
        if channel not in wanted and left:
            wanted[channel] = left.pop(0)
    if NUCLEUS not in wanted or PROTEIN not in wanted:
        return None
    called = {token: _called(token, tokens, names) for token in wanted.values()}
    return Stains(tuple((channel, called[wanted[channel]]) for channel in CHANNELS if channel in wanted))


def _called(token: str, tokens: Sequence[str], names: Mapping[str, str]) -> str:
    """How --stains best names a channel: by its name where that is unique and plain, else as the file names do."""
    name = names.get(token, "")
    unique = sum(names.get(other, "").lower() == name.lower() for other in tokens) == 1
    return name if unique and _PLAIN.fullmatch(name) and not name.lower().endswith(".tif") else token
