"""The cells that show a class' leading reason most: the right feature, the right end of it, the right cells."""

import cv2
import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from models.explanation.readable import ALL_READABLE, READABLE
from report.field_picture import draw
from report.leading_cells import LeadingReason, cells_that_show, extreme_cells, leading_reasons
from report.report_data import PICTURE_SIDE
from store.channels import PROTEIN
from store.columns import Column, columns_frame
from store.matrix import EMBEDDING, FieldMatrix, matrix_columns
from store.run_folder import RunFolder

COLUMNS = columns_frame([
    Column("Cells", EMBEDDING, "Mean", (PROTEIN,), (1,)), Column("Cells", "Texture", "Contrast", (PROTEIN,), (3,)),
    Column("Nuclei", "Intensity", "Mean", (PROTEIN,)), Column("Image", "Count", "Cells"),
])  # fmt: skip


def importance(rows):
    return pd.DataFrame(rows, columns=["level", "what", "share_mean", "share_sd", "shap_mean"]).assign(organelle="A")


@pytest.fixture
def matrix():
    described = matrix_columns(COLUMNS)
    values = np.arange(12, dtype=np.float32)[:, None].repeat(len(described), axis=1)
    return FieldMatrix(pd.DataFrame({"Metadata_Id": [f"f{k}" for k in range(12)]}), values, described)


BLOCKS = [
    ("block", "Cells Embedding Protein", 0.5, 0.1, 1.0),
    ("block", "Nuclei Intensity Protein", 0.3, 0.1, 1.0),
    ("feature", "Cells_Embedding_Mean_Protein_1_mean", 0.4, 0.1, 1.0),
    ("feature", "Nuclei_Intensity_Mean_Protein_mean", 0.2, 0.1, 1.0),
]
GOES_WITH = [
    (READABLE, ALL_READABLE, 0.6, 0.1, np.nan),
    (READABLE, "Cells_Texture_Contrast_Protein_3_mean", 0.4, 0.1, -1.0),
]


@pytest.mark.parametrize("labelled_high", [True, False])
@pytest.mark.parametrize(
    ("rows", "of_cells"),
    [(BLOCKS + GOES_WITH, "Cells_Texture_Contrast_Protein_3"), (BLOCKS, "Nuclei_Intensity_Mean_Protein")],
)
def test_the_leading_feature_is_readable_and_its_end_is_that_of_the_labelled_fields(
    matrix, rows, of_cells, labelled_high
):
    labels = (np.arange(12) > 6 if labelled_high else np.arange(12) < 6)[:, None]
    reason = leading_reasons(importance(rows), matrix, labels, ["A"])[0]
    assert (reason.of_cells, reason.high) == (of_cells, labelled_high)
    assert reason.said.startswith("highest" if labelled_high else "lowest")


def test_features_of_the_whole_field_name_no_cells(matrix):
    rows = [("block", "Image Count", 0.9, 0.1, 1.0), ("feature", "Image_Count_Cells", 0.9, 0.1, 1.0)]
    assert leading_reasons(importance(rows), matrix, np.zeros((12, 1), bool), ["A"]) == {}


def test_the_cells_at_that_end_are_found_slivers_last(tmp_path):
    folder = RunFolder(tmp_path)
    (folder.features / "cells").mkdir(parents=True)
    table = {
        "Metadata_Id": ["a"] * 5 + ["b"], "Metadata_Cell": [1, 2, 3, 4, 5, 1],
        "Metadata_AtBorder": [False, False, True, False, False, False],
        "Cells_AreaShape_Area": [900.0, 950.0, 100.0, 1000.0, 980.0, 500.0], "X": [5.0, 1.0, 9.0, np.nan, 3.0, 7.0],
    }  # fmt: skip
    pq.write_table(pa.table(table), folder.features / "cells" / "train-0.parquet")
    high, low = LeadingReason("x", "X", True), LeadingReason("x", "X", False)
    found = cells_that_show(folder, {"a": [high, low]})
    assert found == {("a", high): {1, 5, 2}, ("a", low): {2, 5, 1}}
    assert cells_that_show(folder, {}) == {}


def test_marked_cells_are_yellow_and_in_the_picture():
    pixels = np.zeros((4, 400, 400), np.uint8)
    pixels[1, 20:180, 20:180], pixels[1, 280:340, 280:340] = 200, 60
    cells = np.zeros((400, 400), np.int32)
    cells[20:180, 20:180], cells[280:340, 280:340] = 1, 2
    for marked, yellow in ((frozenset(), False), (frozenset([2]), True)):
        image = cv2.imdecode(np.frombuffer(draw(pixels, cells, marked=marked), np.uint8), cv2.IMREAD_COLOR)
        blue, green, red = (image[:PICTURE_SIDE, :, k].astype(int) for k in range(3))
        assert ((red > 200) & (green > 170) & (blue < 120)).any() == yellow


def test_extreme_cells_leave_out_the_unknown_and_say_nothing_where_all_are_equal():
    values, sliver = np.array([3.0, np.nan, 9.0, 1.0, 5.0]), np.array([False, False, True, False, False])
    assert extreme_cells(values, sliver, high=True).tolist() == [4, 0, 3]
    assert extreme_cells(values, sliver, high=False).tolist() == [3, 0, 4]
    assert extreme_cells(values[:3], sliver[:3], high=True).tolist() == [0, 2]
    for equal in (np.full(5, 2.0), np.full(5, np.nan)):
        assert extreme_cells(equal, sliver, high=True).tolist() == []
