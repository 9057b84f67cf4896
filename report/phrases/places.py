"""Phrases for shape and position: rings, spots, neighbouring cells, distances, colocalisation."""

RADIAL = {
    "FracAtD": "share of {stain} in {p0} of {body}",
    "MeanFrac": "relative level of {stain} in {p0} of {body}",
    "RadialCV": "one-sidedness of {stain} in {p0} of {body}",
    "Shift": "distance of the centre of {stain} {where} from the nucleus' centre",
}

SHAPE = {
    "Area": "area of {body}{p0}",
    "ConvexArea": "convex area of {body}{p0}",
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
    "Solidity": "solidity of {body} (share of its convex hull)",
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

NEIGHBORS = {
    "FirstDistance": "distance to the nearest neighbour",
    "SecondDistance": "distance to the second neighbour",
    "AngleBetween": "angle between the two nearest neighbours",
    "FirstIsMutual": "whether the nearest neighbour is mutual",
    "FirstNucleusAreaRatio": "similarity in nuclear size to the nearest neighbour",
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

COUNT = {
    "Cells": "number of cells in the field",
    "Covered": "share of the field that cells cover",
    "Crowding": "crowding of nuclei in the field",
}

QUALITY = {
    "Focus": "sharpness of {stain} in the field",
    "Dark": "share of black pixels of {stain} in the field",
    "Saturated": "share of saturated pixels of {stain} in the field",
}

CORRELATION = {
    "Pearson": "correlation of {first} with {second} {where}",
    "Slope": "steepness of {second} against {first} {where}",
    "Spearman": "rank correlation of {first} with {second} {where}",
    "Overlap": "overlap of {first} with {second} {where}",
    "Manders": "share of {first} that lies on {second} {where} (Manders)",
    "K": "level of {second} where {first} is {where}",
    "RWC": "share of {first} that lies on {second} of similar brightness {where}",
    "Information": "mutual information of {first} and {second} {where}",
    "Costes": "share of {first} that lies on {second} {where} (Costes)",
}

SPOTS = {
    "Count": "number of {p0} spots of {stain} {where}",
    "Density": "density of {p0} spots of {stain} {where}",
    "Excess": "summed height of {p0} spots against all of {stain} {where}",
    "MeanContrast": "contrast of {p0} spots of {stain} {where}",
    "NearestDistance": "distance between {p0} spots of {stain} {where}",
    "Regularity": "regular spacing of {p0} spots of {stain} {where}",
    "MeanNucleusDistance": "distance of {p0} spots of {stain} {where} from the nuclear border",
    "ShareInNucleus": "share of the {p0} spots of {stain} that lie in the nucleus",
    "MeanBorderDistance": "distance of {p0} spots of {stain} from the cell border",
    "ContrastVariation": "unevenness of {p0} spots of {stain} {where}",
    "BrightestContrast": "contrast of the brightest {p0} spot of {stain} {where}",
    "BrightestToSecond": "brightest against second {p0} spot of {stain} {where}",
    "BrightestNucleusDistance": "distance of the brightest {p0} spot of {stain} from the nuclear border",
    "BrightestCentreDistance": "distance of the brightest {p0} spot of {stain} from the nucleus' centre",
    "BrightestPairDistance": "distance between the two brightest {p0} spots of {stain}",
    "LevelAtOrganisingCentre": "level of {second} at the organising centre of {first}",
    "ContrastAtOrganisingCentre": "contrast of {second} at the organising centre of {first}",
    "ObjectCount": "number of {p0} objects of {stain} {where}",
    "ObjectAreaShare": "area of {p0} objects of {stain} {where}",
    "ObjectMassShare": "share of {stain} in {p0} objects {where}",
    "ObjectContrast": "contrast of {p0} objects of {stain} {where}",
    "ObjectSeparability": "separability of {p0} objects of {stain} {where}",
    "ObjectMeanArea": "mean size of {p0} objects of {stain} {where}",
    "ObjectMeanEccentricity": "elongation of {p0} objects of {stain} {where}",
    "ObjectMeanNucleusDistance": "distance of {p0} objects of {stain} {where} from the nuclear border",
    "ObjectHoles": "holes in {p0} objects of {stain} {where}",
    "ObjectSpread": "spread of {p0} objects of {stain} over {body}",
    "LargestAreaShare": "relative size of the largest {p0} object of {stain} {where}",
    "LargestMassShare": "share of {stain} in its largest {p0} object {where}",
    "LargestArea": "size of the largest {p0} object of {stain} {where}",
    "LargestEccentricity": "elongation of the largest {p0} object of {stain} {where}",
    "LargestHoles": "holes in the largest {p0} object of {stain} {where}",
    "LargestNucleusDistance": "distance of the largest {p0} object of {stain} {where} from the nuclear border",
    "LargestCentreDistance": "distance of the largest {p0} object of {stain} {where} from the nucleus' centre",
}

PROXIMITY = {
    "MembraneShare": "share of {stain} {p0}",
    "MembraneLevel": "relative level of {stain} {p0}",
    "RimShare": "share of {stain} {p0}",
    "RimLevel": "relative level of {stain} {p0}",
    "RimContrast": "level of {stain} at the nuclear border against both sides of it",
    "BrightShare": "share of {first} {p0} bright parts of {second} {where}",
    "BrightLevel": "relative level of {first} {p0} bright parts of {second} {where}",
    "Nearness": "nearness of {first} to bright parts of {second} {where}",
    "Contrast": "level of {first} on bright parts of {second} against away from them {where}",
    "Alignment": "parallelism of {first} and {second} {where}",
    "RadialAlignment": "alignment of {stain} towards the nucleus",
    "Peak": "distance of the brightest point of {stain} from {p0}",
    "PeakDistance": "distance between the brightest points of {first} and {second}",
}

SIZE = {"Height": "height of the field in px", "NucleusDiameter": "median diameter of the nuclei in px"}

SPECTRUM = {"Share": "share of {p0} detail in all detail of {stain} in the field"}
