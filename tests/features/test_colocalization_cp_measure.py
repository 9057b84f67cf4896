"""Colocalisation against cp_measure, SciPy and scikit-learn on the same pixels, painted and real."""

import warnings

import numpy as np
import pytest
from cp_measure.core import measurecolocalization as peer
from mosaics import mosaic_cells
from scipy.stats import rankdata, spearmanr
from sklearn.metrics import normalized_mutual_info_score

from features import colocalization
from features.core.cells import Cells, make_cells
from store.channels import COMPARTMENTS, ER, MICROTUBULES, NUCLEUS, PROTEIN

PAIRS = [
    (PROTEIN, MICROTUBULES),
    (PROTEIN, NUCLEUS),
    (PROTEIN, ER),
    (MICROTUBULES, NUCLEUS),
    (MICROTUBULES, ER),
    (NUCLEUS, ER),
]


@pytest.fixture(params=[0, 40])
def real(request, shared_data, device) -> Cells:
    """A mosaic of real cells."""
    folder = shared_data / "hpa-cells" / "train"
    names = sorted(path.stem.removesuffix("_red") for path in folder.glob("*_red.png"))
    return mosaic_cells(folder, names[request.param], device)


def levels(x):
    """Eight levels of equal counts, by middle ranks."""
    return (8 * (2 * rankdata(x) - 1) // (2 * x.size)).astype(int)


def of_peers(x: np.ndarray, y: np.ndarray, with_protein: bool) -> dict[str, float]:
    """The coefficients of two lists of values; K and the like of the first, then (`back`) of the second."""
    mask = np.ones(x.shape, bool)
    with warnings.catch_warnings(), np.errstate(all="ignore"):
        warnings.simplefilter("ignore")
        found = peer.get_correlation_pearson_ind(x, y, mask)
        found |= peer.get_correlation_manders_fold_ind(x, y, mask) | peer.get_correlation_rwc_ind(x, y, mask)
        found |= peer.get_correlation_overlap_ind(x, y, mask)
        found["Correlation_Spearman"] = spearmanr(x, y)[0]
        if with_protein:
            top = max(x.max(), y.max(), 1)
            found |= peer.get_correlation_costes_ind(x / top, y / top, mask, scale_max=255)
            found["Correlation_Information"] = normalized_mutual_info_score(levels(x), levels(y))
    return {name.removeprefix("Correlation_"): value for name, value in found.items()}


def assert_as_peers(cells: Cells, device, least_costes: float) -> None:
    columns = {(c.compartment, c.feature, c.channels): k for k, c in enumerate(colocalization.columns())}
    values = colocalization.measure(cells)
    costes, compared = [], 0
    for i in range(cells.n):
        f = cells.field[i]
        for compartment in COMPARTMENTS:
            mine = cells.labels(compartment)[f] == i + 1
            for a, b in PAIRS:
                x, y = (cells.pixels[f, c.index][mine].astype(float) for c in (a, b))
                if mine.sum() < 3 or not (np.ptp(x) and np.ptp(y)):
                    continue
                for name, wanted in of_peers(x, y, a is PROTEIN).items():
                    feature, _, number = name.partition("_")
                    if feature == "Costes" and compartment != "Cells":
                        continue
                    found = values[i, columns[compartment, feature, (b, a) if number == "2" else (a, b)]]
                    if feature == "Costes":
                        rises = np.cov(x[(x + y) > 0], y[(x + y) > 0])[0, 1] > 0
                        wanted = wanted if rises else np.nan
                        costes.append(np.isclose(found, wanted, rtol=1e-4, atol=1e-5, equal_nan=True))
                    elif feature in ("Overlap", "K") and wanted == 0:
                        assert np.isnan(found) or found == 0
                    else:
                        assert found == pytest.approx(wanted, rel=1e-4, abs=2e-5), (i, compartment, name, a, b)
                    compared += 1
    assert compared > 100
    assert np.mean(costes) >= least_costes


def test_painted_cells(painted, device):
    assert_as_peers(painted, device, 1.0)


def test_real_cells(real, device):
    assert_as_peers(real, device, 1.0)


def test_channels_that_exclude_or_mirror_each_other(rng, device):
    """Negative and perfect correlation: the regression line falls, or is the diagonal."""
    labels = np.ones((1, 20, 30), np.int32)
    pixels = rng.integers(0, 200, (1, 4, 20, 30)).astype(np.uint8)
    pixels[:, 0] = 210 - pixels[:, 1] + rng.integers(0, 9, (20, 30)).astype(np.uint8)
    pixels[:, 2] = pixels[:, 1] // 2 + 3
    assert_as_peers(
        make_cells(np.repeat(pixels, 3, 0), offset_labels(labels), offset_labels(labels), device), device, 1
    )


def offset_labels(labels):
    return np.concatenate([labels, labels + 1, labels + 2])


def test_black_and_constant_channels_have_no_coefficients(device):
    labels = np.ones((1, 9, 9), np.int32)
    pixels = np.zeros((1, 4, 9, 9), np.uint16)
    pixels[:, 1] = 40001
    values = colocalization.measure(make_cells(pixels, labels, labels, device))
    blind = [c.feature in ("Pearson", "Slope", "Spearman", "Information", "Costes") for c in colocalization.columns()]
    assert np.isnan(values[:, blind]).all()


def test_levels_do_not_depend_on_the_camera(painted, device):
    """A change of gain changes nothing, in 8 bits or 16."""
    wide = make_cells(painted.pixels.astype(np.uint16) // 64 * 3, painted.cell_labels, painted.nucleus_labels, device)
    narrow = make_cells(painted.pixels // 64, painted.cell_labels, painted.nucleus_labels, device)
    np.testing.assert_allclose(colocalization.measure(wide), colocalization.measure(narrow), rtol=1e-5, atol=1e-6)
