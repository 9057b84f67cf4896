"""Phrases for the appearance of a stain: brightness, texture, granularity, threads, specks, Zernike moments."""

INTENSITY = {
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

TEXTURE = {
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

ADJACENCY = {
    "AroundMean": "pixels of {stain} near {p0} {where}, {p1}",
    "AboveLow": "pixels of {stain} above {p0} minus one sd {where}, {p1}",
    "AboveMean": "pixels of {stain} above {p0} {where}, {p1}",
    "NotAroundMean": "pixels of {stain} far from {p0} {where}, {p1}",
    "NotAboveLow": "dim pixels of {stain} (below {p0} minus one sd) {where}, {p1}",
    "NotAboveMean": "pixels of {stain} below {p0} {where}, {p1}",
}

GRADIENT = {
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

GRANULARITY = {
    "OpeningShare": "share of {stain} in {p0} grains {where}",
    "MeanRadius": "mean size of grains of {stain} {where}",
}

BINARY_PATTERN = {"Uniform": "{p0} {p1} of {stain} {where}"}

ZERNIKE = {
    "Stain": "waves of {stain} across {body} ({p1}, {p0})",
    "Outline": "waves of the outline of {body} ({p1}, {p0})",
}

EMBEDDING = {
    "Mean": "channel {p1} of the network's block {p0} in {body}",
    "SD": "how much channel {p1} of the network's block {p0} varies in {body}",
    "Pattern": "pattern {p0} that a network sees in {body}",
    "Mass": "amount of the protein in {body}",
}
