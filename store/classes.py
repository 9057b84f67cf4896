"""The classes that a fit learns: Kaggle's 28 organelles, other locations of the HPA, or a lab's own, always by name."""

import re
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from functools import cache

import numpy as np

from engine.counted import counted
from engine.errors import UsageError
from engine.ids import shown, why_unsafe
from store.schema import CELL_SCORES, FIELD_PLACES, MASK_ID, METADATA, PREDICTIONS

ORGANELLES: tuple[str, ...] = (
    "Nucleoplasm",
    "Nuclear membrane",
    "Nucleoli",
    "Nucleoli fibrillar center",
    "Nuclear speckles",
    "Nuclear bodies",
    "Endoplasmic reticulum",
    "Golgi apparatus",
    "Peroxisomes",
    "Endosomes",
    "Lysosomes",
    "Intermediate filaments",
    "Actin filaments",
    "Focal adhesion sites",
    "Microtubules",
    "Microtubule ends",
    "Cytokinetic bridge",
    "Mitotic spindle",
    "Microtubule organizing center",
    "Centrosome",
    "Lipid droplets",
    "Plasma membrane",
    "Cell junctions",
    "Mitochondria",
    "Aggresome",
    "Cytosol",
    "Cytoplasmic bodies",
    "Rods & rings",
)
"""The 28 organelles in Kaggle's order of 2018: label number 0 is Nucleoplasm."""

OTHER_LOCATIONS: tuple[str, ...] = (
    "Acrosome",
    "Annulus",
    "Basal body",
    "Calyx",
    "Centriolar satellite",
    "Cleavage furrow",
    "Connecting piece",
    "Cytoplasm",
    "End piece",
    "Equatorial segment",
    "Flagellar centriole",
    "Kinetochore",
    "Mid piece",
    "Midbody",
    "Midbody ring",
    "Mitotic chromosome",
    "Nucleoli rim",
    "Nucleus",
    "Perinuclear theca",
    "Primary cilium",
    "Primary cilium tip",
    "Primary cilium transition zone",
    "Principal piece",
    "Vesicles",
)
"""Locations that proteinatlas.org names, now or in earlier releases, besides the 28 organelles."""

HPA_2021: tuple[str, ...] = (
    *ORGANELLES[:8],
    "Intermediate filaments",
    "Actin filaments",
    "Microtubules",
    "Mitotic spindle",
    "Centrosome",
    "Plasma membrane",
    "Mitochondria",
    "Aggresome",
    "Cytosol",
    "Vesicles and punctate cytosolic patterns",
    "Negative",
)
"""The 19 classes in Kaggle's order of 2021 (HPA Single Cell Classification): label number 8 is another than in 2018."""

LONGEST = 100  # characters of a name
_LONGEST_FOLDER = 80
_KNOWN_TO_HPA = frozenset((*ORGANELLES, *OTHER_LOCATIONS, *HPA_2021))
_TAKEN = frozenset((*PREDICTIONS, *FIELD_PLACES, *CELL_SCORES, MASK_ID))
_BETWEEN = ("|", ";")


@dataclass(frozen=True)
class Classes:
    """The classes of a fit, in the order of their columns.

    Attributes
    ----------
    names : tuple of str
        Each once.
    """

    names: tuple[str, ...]

    @property
    def is_kaggle(self) -> bool:
        """Whether they are the 28 organelles in Kaggle's order, which a submission needs."""
        return self.names == ORGANELLES

    @property
    def noun(self) -> str:
        """What a class is called in messages and on the report: an organelle, or else a class."""
        return "organelle" if _KNOWN_TO_HPA.issuperset(self.names) else "class"

    @property
    def nouns(self) -> str:
        """The plural of `noun`."""
        return "organelles" if self.noun == "organelle" else "classes"

    def counted(self, n: int) -> str:
        """A number of them, e.g. "1 class", "28 organelles"."""
        return counted(n, self.noun, self.nouns)

    def named(self, row: np.ndarray) -> tuple[str, ...]:
        """The names of the classes that are true in a row (bool, shape (n_classes,))."""
        return tuple(self.names[j] for j in np.flatnonzero(row))

    def find(self, name: str) -> str:
        """A class's full name from any unambiguous part of it, in upper or lower case.

        Raises
        ------
        UsageError
            If no class or several match; the message suggests similar names.
        """
        wanted, known = plain(name), {plain(one): one for one in self.names}
        parts = [full for key, full in known.items() if wanted and wanted in key]
        if wanted in known or len(parts) == 1:
            return known.get(wanted) or parts[0]
        if parts:
            raise UsageError(f"{shown(name)!r} may be {either(parts)}. Write the whole name.")
        near = [known[key] for key in get_close_matches(wanted, known, n=3, cutoff=0.5)]
        hint = f"Did you mean {either(near)}?" if near else f"Choose one of: {', '.join(self.names)}."
        article = "an" if self.noun == "organelle" else "a"
        none = "no organelle" if self.is_kaggle else f"not {article} {self.noun} of this run"
        raise UsageError(f"{shown(name)!r} is {none}. {hint}")


KAGGLE = Classes(ORGANELLES)


def plain(name: str) -> str:
    """A name without what a reader overlooks: upper case, the number of spaces, the form of a composed letter."""
    return " ".join(unicodedata.normalize("NFKC", name).casefold().split())


def either(names: Sequence[str]) -> str:
    """E.g. "A, B or C"."""
    return " or ".join([", ".join(names[:-1]), names[-1]] if len(names) > 1 else names)


def folder_name(number: int, names: Sequence[str] = ORGANELLES) -> str:
    """The folder of a class's models, e.g. 3 -> "03_Nucleoli_fibrillar_center"; safe on every file system."""
    return f"{number:02d}_{_safe(names[number])}"


@cache
def _safe(name: str) -> str:
    plain = re.sub(r"[^\w.-]+", "_", name.replace(" & ", "_and_"), flags=re.ASCII)
    return plain[:_LONGEST_FOLDER].rstrip(".")


def why_no_class(name: str) -> str | None:
    """Why a text cannot name a class, to follow it in a message; None if it can.

    Class names become columns of tables, among others, and several are written into one cell. What would be unsafe or
    ambiguous there is refused rather than changed.
    """
    if name in _TAKEN or name.startswith(METADATA):
        return "is the name of another column in the tables of predictions"
    between = next((mark for mark in _BETWEEN if mark in name), None)
    if between:
        return f"holds {between!r}, which stands between the classes of a field"
    return why_unsafe(name, LONGEST)
