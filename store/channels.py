"""The four stained channels of a field, in the order of the pixel planes."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Channel:
    """One stained channel.

    Attributes
    ----------
    name : str
        The token used in column names.
    colour : str
        HPA's display colour, which is also the suffix of Kaggle's file names (`<Id>_red.png`).
    index : int
        Its plane: `pixels[field, index]`.
    """

    name: str
    colour: str
    index: int


MICROTUBULES = Channel("Microtubules", "red", 0)
PROTEIN = Channel("Protein", "green", 1)
NUCLEUS = Channel("Nucleus", "blue", 2)
ER = Channel("ER", "yellow", 3)

CHANNELS = (MICROTUBULES, PROTEIN, NUCLEUS, ER)
COMPARTMENTS = ("Cells", "Nuclei", "Cytoplasm")
"""Parts of a cell that features are measured in."""

IMAGE = "Image"
"""The compartment of features that are measured on the whole field."""
