"""The vocabulary of `models.words`: a phrase for each feature, with gaps for stains, places and parameters.

Gaps: {stain} the stain, {first} and {second} where there are two, {where} "in the nucleus", {body} "the nucleus", {p0},
{p1}, {p2} the parameters, each in the words of `PARAMETERS` ("*" is for any other value).
"""

from types import MappingProxyType

FAMILIES = MappingProxyType({
    "AreaShape": "size and shape", "BinaryPattern": "local binary patterns", "Correlation": "colocalisation",
    "Count": "cells in the field", "Embedding": "learnt embedding", "Gradient": "threads, dots and scales",
    "Granularity": "granularity", "Intensity": "brightness", "Neighbors": "neighbours and contacts",
    "Proximity": "distance to landmarks", "Quality": "image quality", "RadialDistribution": "radial distribution",
    "Size": "sizes in pixels", "Spectrum": "spectrum of the field", "Spots": "spots and objects", "Texture": "texture", "ThresholdAdjacency": "specks, threads and areas",
    "Zernike": "Zernike moments",
})  # fmt: skip

STAINS = MappingProxyType({
    "Microtubules": "the microtubules", "Protein": "the protein", "Nucleus": "the nuclear stain", "ER": "the ER",
})  # fmt: skip

BODIES = MappingProxyType({
    "Cells": "the cell", "Nuclei": "the nucleus", "Cytoplasm": "the cytoplasm", "Image": "the field",
})  # fmt: skip

POOLS = MappingProxyType({
    "mean": "average of the cells", "sd": "difference between cells", "top": "cells with the highest values", "": "",
})  # fmt: skip

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
    "Spectrum": ({"1of5": "finest", "2of5": "fine", "3of5": "medium-sized", "4of5": "coarse", "5of5": "coarsest",
                  "*": "octave-{}"},),
    "Texture": (_PX, {"mean": "", "range": "how far direction changes the "}, {"*": ""}),
    "ThresholdAdjacency": ({"bright": "bright pixels", "all": "pixels"}, _NEIGHBOURS),
    "Zernike": ({"*": "degree {}"}, {"0": "ring", "1": "one side", "2": "two poles", "*": "{} lobes"}),
})  # fmt: skip

_INTENSITY = {
    "Mean": "mean level of {stain} {where}",
    "Std": "spread of the level of {stain} {where}",
    "Min": "darkest pixel of {stain} {where}",
    "Max": "brightest pixel of {stain} {where}",
    "MAD": "typical deviation from the median of {stain} {where}",
    "Skewness": "few bright pixels among many dark ones of {stain} {where} (skewness)",
    "Kurtosis": "extreme pixels of {stain} {where} (kurtosis)",
    "Entropy": "variety of levels of {stain} {where} (entropy)",
    "Gini": "concentration of {stain} in few pixels {where} (Gini)",
    "Quantile": "{p0} of {stain} {where}",
    "Integrated": "amount of {stain} {where}",
    "CoefficientOfVariation": "unevenness of {stain} {where}",
    "MedianToMean": "median against mean level of {stain} {where}",
    "Quantile99ToMean": "brightest parts against mean level of {stain} {where}",
    "MaxToMean": "brightest pixel against mean level of {stain} {where}",
    "EdgeMean": "level of {stain} along the edge of {body}",
    "EdgeStd": "unevenness of {stain} along the edge of {body}",
    "EdgeToMean": "level of {stain} along the edge of {body} against its mean",
    "NuclearShare": "share of {stain} that lies in the nucleus",
    "NucleusToCytoplasm": "level of {stain} in the nucleus against the cytoplasm",
}

_TEXTURE = {
    "AngularSecondMoment": "{p1}{p0} uniformity of {stain} {where}",
    "Contrast": "{p1}{p0} contrast of {stain} {where}",
    "Correlation": "{p1}{p0} regularity of {stain} {where}",
    "Variance": "{p1}{p0} spread of levels of {stain} {where}",
    "InverseDifferenceMoment": "{p1}{p0} smoothness of {stain} {where}",
    "SumAverage": "{p1}{p0} relative brightness of {stain} {where}",
    "SumVariance": "{p1}{p0} patchiness of {stain} {where}",
    "SumEntropy": "{p1}{p0} variety of brightness of {stain} {where}",
    "Entropy": "{p1}{p0} disorder of {stain} {where}",
    "DifferenceVariance": "{p1}{p0} unevenness of steps of {stain} {where}",
    "DifferenceEntropy": "{p1}{p0} disorder of steps of {stain} {where}",
    "InfoMeas1": "{p1}{p0} predictability of {stain} {where}",
    "InfoMeas2": "{p1}{p0} predictability of {stain} {where} (second measure)",
}

_RADIAL = {
    "FracAtD": "share of {stain} in {p0} of {body}",
    "MeanFrac": "relative level of {stain} in {p0} of {body}",
    "RadialCV": "one-sidedness of {stain} in {p0} of {body}",
    "Shift": "distance of the centre of {stain} {where} from the nucleus' centre",
}

_SHAPE = {
    "Area": "area of {body}{p0}",
    "ConvexArea": "area of {body} with its bays filled{p0}",
    "Perimeter": "perimeter of {body}{p0}",
    "MajorAxisLength": "length of {body}{p0}",
    "MinorAxisLength": "width of {body}{p0}",
    "EquivalentDiameter": "diameter of {body}{p0}",
    "MaxFeretDiameter": "largest extent of {body}{p0}",
    "MinFeretDiameter": "smallest extent of {body}{p0}",
    "MaximumRadius": "thickest part of {body}{p0}",
    "MeanRadius": "mean thickness of {body}{p0}",
    "FormFactor": "smooth, round outline of {body} (form factor)",
    "Eccentricity": "elongation of {body} (eccentricity)",
    "AspectRatio": "length against width of {body}",
    "Roundness": "roundness of {body}",
    "Solidity": "absence of bays in {body} (solidity)",
    "Extent": "share of its bounding box that {body} fills",
    "EulerNumber": "pieces minus holes of {body}",
    "FeretRatio": "smallest against largest extent of {body}",
    "InscribedRatio": "compactness of {body} (inscribed circle)",
    **{f"HuMoment{k}": f"shape of {{body}} (Hu's moment {k})" for k in range(1, 8)},
    "NucleusAreaRatio": "area of the cytoplasm against that of the nucleus",
    "NucleusOffset": "distance of the nucleus from the cell's centre, in nuclear diameters",
    "NucleusOffsetRelative": "distance of the nucleus from the cell's centre, in cell radii",
    "NucleusOffsetAlongAxis": "distance of the nucleus from the cell's centre along the cell",
    "NucleusOrientationDifference": "angle between nucleus and cell",
    "NucleusPerimeterRatio": "perimeter of the nucleus against that of the cell",
    "NucleusMajorAxisRatio": "length of the nucleus against that of the cell",
}

_ADJACENCY = {
    "AroundMean": "{p0} of {stain} near their mean level with {p1} such neighbours, {where}",
    "AboveLow": "{p0} of {stain} that are not dark with {p1} such neighbours, {where}",
    "AboveMean": "{p0} of {stain} above their mean level with {p1} such neighbours, {where}",
    "NotAroundMean": "{p0} of {stain} far from their mean level with {p1} such neighbours, {where}",
    "NotAboveLow": "dark {p0} of {stain} with {p1} such neighbours, {where}",
    "NotAboveMean": "{p0} of {stain} below their mean level with {p1} such neighbours, {where}",
}

_GRADIENT = {
    "BandContrast": "{p0} detail of {stain} {where}",
    "BandShare": "share of {p0} detail in all detail of {stain} {where}",
    "Laplacian": "{p0} bumps and dips of {stain} {where}",
    "Ridge": "{p0} bright threads of {stain} {where}",
    "Valley": "{p0} dark lines in {stain} {where}",
    "Blob": "{p0} bright dots of {stain} {where}",
    "Hole": "{p0} dark holes in {stain} {where}",
    "Magnitude": "steepness of {p0} edges of {stain} {where}",
    "Coherence": "local parallelism of {p0} threads of {stain} {where}",
    "Alignment": "common direction of {p0} threads of {stain} {where}",
    "OrientationEntropy": "variety of directions of {p0} threads of {stain} {where}",
}

_NEIGHBORS = {
    "FirstDistance": "distance to the nearest neighbour",
    "SecondDistance": "distance to the second neighbour",
    "AngleBetween": "angle between the two nearest neighbours",
    "FirstIsMutual": "being one's nearest neighbour's nearest neighbour",
    "FirstNucleusAreaRatio": "likeness in size to the nearest neighbour's nucleus",
    "CountWithin2": "neighbours within 2 nuclear diameters",
    "CountWithin4": "neighbours within 4 nuclear diameters",
    "Touching": "number of touching cells",
    "ContactShare": "share of the border in contact with other cells",
    "LargestContactShare": "share of the border in contact with one other cell",
    "CutShare": "share of the border cut by the image",
    "FirstLevelShare": "level of {stain} {where} against the nearest neighbour's",
    "ContactLevel": "level of {stain} along contacts with other cells",
    "FreeLevel": "level of {stain} along the free cell border",
    "ContactContrast": "level of {stain} along contacts against the free cell border",
    "ContactPeak": "brightest {stain} at contacts with other cells",
    "FreePeak": "brightest {stain} at the free cell border",
    "BridgeThickness": "thickness of the bridge to the nearest neighbour",
    "BridgeContinuity": "continuity of {stain} towards the nearest neighbour",
    "BridgePeak": "brightest {stain} between the nuclei of nearest neighbours",
    "BridgeNeck": "level of {stain} at the neck between nearest neighbours",
    "BridgeSharpness": "sharpness of {stain} between nearest neighbours",
}

_COUNT = {
    "Cells": "number of cells in the field",
    "Covered": "share of the field that cells cover",
    "Crowding": "crowding of nuclei in the field",
}

_QUALITY = {
    "Focus": "sharpness of {stain} in the field",
    "Dark": "share of black pixels of {stain} in the field",
    "Saturated": "share of saturated pixels of {stain} in the field",
}

PHRASES: MappingProxyType[str, dict[str, str]] = MappingProxyType({
    "AreaShape": _SHAPE,
    "BinaryPattern": {"Uniform": "{p0} {p1} of {stain} {where}"},
    "Count": _COUNT,
    "Gradient": _GRADIENT,
    "Intensity": _INTENSITY,
    "Neighbors": _NEIGHBORS,
    "Quality": _QUALITY,
    "RadialDistribution": _RADIAL,
    "Size": {"Height": "height of the field in px", "NucleusDiameter": "median diameter of the nuclei in px"},
    "Spectrum": {"Share": "share of {p0} detail in all detail of {stain} in the field"},
    "Texture": _TEXTURE,
    "ThresholdAdjacency": _ADJACENCY,
    "Zernike": {"Stain": "waves of {stain} across {body} ({p1}, {p0})",
                "Outline": "waves of the outline of {body} ({p1}, {p0})"},
})  # fmt: skip
