"""Intensity against NumPy, SciPy and scikit-image on the masked pixels of painted and of real cells."""

import warnings

import numpy as np
import pytest
from mosaics import mosaic_cells
from painting import paint_cells
from scipy import stats
from skimage.measure import shannon_entropy
from skimage.segmentation import find_boundaries

from features import intensity
from features.core.cells import make_cells
from store.channels import CHANNELS, COMPARTMENTS

PERCENTS = (1, 5, 10, 25, 50, 75, 90, 95, 99)


def gini(values):
    """From the definition: the mean absolute difference of all pairs over twice the mean."""
    return abs(values[:, None] - values[None, :]).mean() / (2 * values.mean())


def expected(values, edge, full):
    """The features of one channel in one compartment, from its pixel values."""
    unit = values / full
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        out = {
            "Mean": unit.mean(),
            "Std": unit.std(),
            "Min": unit.min(),
            "Max": unit.max(),
            "MAD": stats.median_abs_deviation(unit),
            "Skewness": stats.skew(values.astype(float)),
            "Kurtosis": stats.kurtosis(values.astype(float)),
            "Entropy": shannon_entropy(values if full == 255 else values >> 8, base=2),
            "Gini": gini(values.astype(float)) if len(values) < 1500 else None,
            "Integrated": unit.sum(),
            "CoefficientOfVariation": unit.std() / unit.mean(),
            "MedianToMean": np.median(unit) / unit.mean(),
            "Quantile99ToMean": np.quantile(unit, 0.99) / unit.mean(),
            "MaxToMean": unit.max() / unit.mean(),
        }
        if edge.size:
            out |= {
                "EdgeMean": edge.mean() / full,
                "EdgeStd": edge.std() / full,
                "EdgeToMean": edge.mean() / values.mean(),
            }
    quantiles = {f"Quantile_{p}": np.quantile(unit, p / 100) for p in PERCENTS}
    return {k: v for k, v in (out | quantiles).items() if v is not None}


def named(cells, device):
    names = [column.name for column in intensity.columns()]
    return [dict(zip(names, row)) for row in intensity.measure(cells)]


def assert_as_expected(cells, device):
    rows = named(cells, device)
    full = np.iinfo(cells.pixels.dtype).max
    compared = 0
    for i, row in enumerate(rows):
        f = cells.field[i]
        for compartment in COMPARTMENTS:
            labels = cells.labels(compartment)[f]
            mask = labels == i + 1
            rim = mask & find_boundaries(labels, mode="inner", connectivity=1, background=-1)
            if not mask.any():
                continue
            for channel in CHANNELS:
                plane = cells.pixels[f, channel.index]
                for feature, value in expected(plane[mask], plane[rim], full).items():
                    name, *parameters = feature.split("_")
                    column = "_".join((compartment, "Intensity", name, channel.name, *parameters))
                    assert row[column] == pytest.approx(value, rel=2e-5, abs=1e-6, nan_ok=True), (i, column)
                    compared += 1
    return compared


def test_painted_cells_of_8_and_16_bits(painted, device):
    assert assert_as_expected(painted, device) > 2000


def test_real_cells(shared_data, device):
    cells = mosaic_cells(shared_data / "hpa-cells" / "train", "duloc1-mixed-img100", device)
    assert assert_as_expected(cells, device) > 1000


def test_touching_cells_in_one_box_do_not_see_each_other(device, rng):
    labels = np.where(np.add.outer(np.arange(24), np.arange(26)) < 25, 1, 2)[None]
    nuclei = np.where(abs(np.arange(24)[:, None] - 11.5) < 4, labels, 0)
    pixels = rng.integers(0, 255, (1, 4, 24, 26)).astype(np.uint8)
    pixels[:, :, labels[0] == 2] //= 3
    assert assert_as_expected(make_cells(pixels, labels, nuclei, device), device) > 200


def test_shares_and_ratios_of_the_nucleus(painted, device):
    for i, row in enumerate(named(painted, device)):
        cell, nucleus, cytoplasm = (
            painted.pixels[painted.field[i], 1][painted.labels(c)[painted.field[i]] == i + 1] for c in COMPARTMENTS
        )
        share = nucleus.sum() / cell.sum() if nucleus.size else np.nan
        assert row["Nuclei_Intensity_NuclearShare_Protein"] == pytest.approx(share, rel=1e-5, nan_ok=True)
        if nucleus.size and cytoplasm.size:
            ratio = nucleus.mean() / cytoplasm.mean()
            assert row["Nuclei_Intensity_NucleusToCytoplasm_Protein"] == pytest.approx(ratio, rel=1e-5)


def test_a_16_bit_copy_of_an_8_bit_field_measures_the_same(rng, device):
    small = paint_cells(rng)
    pixels = small.pixels.astype(np.uint16) * 257
    large = make_cells(pixels, small.cell_labels, small.nucleus_labels, device)
    np.testing.assert_allclose(intensity.measure(large), intensity.measure(small), rtol=1e-5, atol=1e-7)


def test_exposure_does_not_move_the_relative_values(rng, device):
    dim = paint_cells(rng, np.uint16)
    dim = make_cells(dim.pixels // 4, dim.cell_labels, dim.nucleus_labels, device)
    bright = make_cells(dim.pixels * 3, dim.cell_labels, dim.nucleus_labels, device)
    free = ("CoefficientOfVariation", "Gini", "ToMean", "Share", "NucleusToCytoplasm", "Skewness")
    chosen = [k for k, c in enumerate(intensity.columns()) if any(word in c.feature for word in free)]
    before, after = (intensity.measure(cells)[:, chosen] for cells in (dim, bright))
    np.testing.assert_allclose(after, before, rtol=1e-5, atol=1e-6)


def test_a_black_cell_has_no_ratios(device):
    labels = np.zeros((1, 20, 20), np.int32)
    labels[0, 5:15, 5:15] = 1
    cells = make_cells(np.zeros((1, 4, 20, 20), np.uint8), labels, np.zeros_like(labels), device)
    row = named(cells, device)[0]
    assert row["Cells_Intensity_Mean_Protein"] == row["Cells_Intensity_Std_Protein"] == 0
    for name in ("Gini", "CoefficientOfVariation", "Skewness", "EdgeToMean", "MaxToMean"):
        assert np.isnan(row[f"Cells_Intensity_{name}_Protein"])
    assert np.isnan(row["Nuclei_Intensity_Mean_Protein"])
    assert np.isnan(row["Nuclei_Intensity_NuclearShare_Protein"])


def test_a_flat_dim_cell_has_no_noise_of_rounding(device):
    """Standard deviation exactly 0, not the rounding of a mean: else skewness is random."""
    labels = np.ones((1, 21, 23), np.int32)
    cells = make_cells(np.full((1, 4, 21, 23), 3, np.uint16), labels, labels, device)
    row = named(cells, device)[0]
    assert row["Cells_Intensity_Std_ER"] == row["Cells_Intensity_Gini_ER"] == row["Cells_Intensity_Entropy_ER"] == 0
    assert np.isnan(row["Cells_Intensity_Kurtosis_ER"])
