"""Words for the parameters of each family or feature: one table for each position; "*" means any other value."""

from types import MappingProxyType

_PX = {"1": "finest", "2": "fine", "4": "medium-sized", "8": "coarse", "*": "{}-px"}
_SIZE = {"": "", "relative": " (in nuclear sizes)"}
_NEIGHBOURS = {
    "0": "isolated (no neighbour alike)", "1": "in specks or at ends (1 neighbour alike)",
    "2": "in threads (2 neighbours alike)", "8": "in solid areas (all 8 neighbours alike)",
    "*": "with {} neighbours alike",
}  # fmt: skip
_RINGS = {
    "1of4": "the innermost ring", "2of4": "the second ring", "3of4": "the third ring", "4of4": "the outermost ring",
    "deeper0.2": "the interior of the nucleus", "in0.2": "a band well inside the nuclear border",
    "in0.1": "the inner rim of the nucleus", "out0.1": "the outer rim of the nucleus",
    "out0.2": "a band just around the nucleus", "out0.4": "a band around the nucleus",
    "out0.8": "a band away from the nucleus", "beyond0.8": "the far periphery", "*": "the zone {}",
}  # fmt: skip
_PATTERNS = {"0": "bright specks", "8": "dark specks or flat areas", "9": "mixed patterns", "4": "straight edges",
             "1": "bright line ends", "2": "bright sharp corners", "3": "bright corners", "5": "dark corners",
             "6": "dark sharp corners", "7": "dark line ends", "*": "pattern {}"}  # fmt: skip

_MEMBRANE = {
    "1of5": "at the cell border", "2of5": "just beneath the cell border", "3of5": "near the cell border",
    "4of5": "away from the cell border", "5of5": "far from the cell border",
}  # fmt: skip
_RIM = {
    "1of4": "inside the nucleus near its border", "2of4": "at the inner nuclear rim",
    "3of4": "at the outer nuclear rim", "4of4": "just around the nucleus",
}  # fmt: skip
_BRIGHT = {"1of4": "on", "2of4": "close to", "3of4": "near", "4of4": "away from"}
_PEAK = {
    "NucleusBorder": "the nuclear border", "CellBorder": "the cell border", "NucleusCentre": "the nucleus' centre",
}  # fmt: skip

PARAMETERS: MappingProxyType[str, tuple[dict[str, str], ...]] = MappingProxyType({
    "AreaShape": (_SIZE,),
    "BinaryPattern": ({"1": "finest", "2": "fine", "*": "{}-px"}, _PATTERNS),
    "Embedding": ({"*": "{}"}, {"*": "{}"}),
    "Gradient": (_PX | {"rest": "coarsest"},),
    "Granularity": ({"1": "finest", "2": "very fine", "3": "fine", "4": "fine to medium-sized", "5": "medium-sized",
                     "6": "medium-sized to coarse", "7": "rather coarse", "8": "coarse", "12": "coarsest",
                     "*": "{}-px"},),
    "Intensity": ({"50": "median", "1": "darkest parts (1st percentile)", "99": "brightest parts (99th percentile)",
                   "*": "{}th percentile"},),
    "Proximity MembraneShare": (_MEMBRANE,), "Proximity MembraneLevel": (_MEMBRANE,),
    "Proximity RimShare": (_RIM,), "Proximity RimLevel": (_RIM,),
    "Proximity BrightShare": (_BRIGHT,), "Proximity BrightLevel": (_BRIGHT,),
    "Proximity Peak": (_PEAK,),
    "RadialDistribution": (_RINGS,),
    "Spots": ({"fine": "fine", "coarse": "coarse", "otsu": "bright", "peak": "brightest"},),
    "Spectrum": ({"1of5": "finest", "2of5": "fine", "3of5": "medium-sized", "4of5": "coarse", "5of5": "coarsest",
                  "*": "octave-{}"},),
    "Texture": (_PX, {"mean": "", "range": "change with direction of the "}, {"*": ""}),
    "ThresholdAdjacency": ({"bright": "the mean of bright pixels", "all": "the mean"}, _NEIGHBOURS),
    "Zernike": ({"*": "degree {}"}, {"0": "ring", "1": "one side", "2": "two poles", "*": "{} lobes"}),
})  # fmt: skip
