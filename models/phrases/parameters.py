"""Words for the parameters of each family, one table a position; "*" is for any other value."""

from types import MappingProxyType

_PX = {"1": "finest", "2": "fine", "4": "medium-sized", "8": "coarse", "*": "{}-px"}
_SIZE = {"": "", "relative": " (in nuclear sizes)"}
_NEIGHBOURS = {"0": "no", "8": "8 (areas)", "1": "1 (specks, ends)", "2": "2 (threads)", "*": "{}"}
_RINGS = {
    "1of4": "the innermost ring", "2of4": "the second ring", "3of4": "the third ring", "4of4": "the outermost ring",
    "deeper0.2": "the depth of the nucleus", "in0.2": "a band well inside the nuclear border",
    "in0.1": "the inner rim of the nucleus", "out0.1": "the outer rim of the nucleus",
    "out0.2": "a band just around the nucleus", "out0.4": "a band around the nucleus",
    "out0.8": "a band away from the nucleus", "beyond0.8": "the far periphery", "*": "the zone {}",
}  # fmt: skip
_PATTERNS = {"0": "bright specks", "8": "dark specks or flat areas", "9": "mixed patterns", "4": "straight edges",
             "1": "bright line ends", "2": "bright sharp corners", "3": "bright corners", "5": "dark corners",
             "6": "dark sharp corners", "7": "dark line ends", "*": "pattern {}"}  # fmt: skip

PARAMETERS: MappingProxyType[str, tuple[dict[str, str], ...]] = MappingProxyType({
    "AreaShape": (_SIZE,),
    "BinaryPattern": ({"1": "finest", "2": "fine", "*": "{}-px"}, _PATTERNS),
    "Gradient": (_PX | {"rest": "coarsest"},),
    "Intensity": ({"50": "median", "1": "darkest parts (1st percentile)", "99": "brightest parts (99th percentile)",
                   "*": "{}th percentile"},),
    "RadialDistribution": (_RINGS,),
    "Spots": ({"fine": "fine", "coarse": "coarse", "otsu": "bright", "peak": "brightest"},),
    "Spectrum": ({"1of5": "finest", "2of5": "fine", "3of5": "medium-sized", "4of5": "coarse", "5of5": "coarsest",
                  "*": "octave-{}"},),
    "Texture": (_PX, {"mean": "", "range": "how far direction changes the "}, {"*": ""}),
    "ThresholdAdjacency": ({"bright": "bright pixels", "all": "pixels"}, _NEIGHBOURS),
    "Zernike": ({"*": "degree {}"}, {"0": "ring", "1": "one side", "2": "two poles", "*": "{} lobes"}),
})  # fmt: skip
