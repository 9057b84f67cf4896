"""The table of the first predicted fields at several widths of the terminal."""

import pandas as pd
import pytest

from report import prediction_summary
from store.prediction import PredictionTables

CLASSES = ("Microtubule organizing center", "Endoplasmic reticulum", "Golgi apparatus")
IDS = [f"{k}a1b2c3d-bbb1-11e8-b2b9-ac1f6b6435d0" for k in range(7)]


def tables(ids) -> PredictionTables:
    n = len(ids)
    predictions = pd.DataFrame({
        "Id": ids, "Called": [CLASSES[:2]] * (n - 1) + [()], "Set": [CLASSES] * n, "OutOfDistribution": False,
        "OutOfRange": 0.0,
    }).assign(**dict.fromkeys(CLASSES, 0.5))  # fmt: skip
    cells = pd.DataFrame({"Id": ids, "Cell": 1, "Area": 10, "AtBorder": False}).assign(**dict.fromkeys(CLASSES, 1.0))
    near = pd.DataFrame({"Id": ids, "Neighbour": ids[::-1], "Labels": [CLASSES[1:2]] * n, "NearIdentical": False})
    near.loc[0, "NearIdentical"] = True
    return PredictionTables(predictions, cells, pd.DataFrame(), near)


@pytest.mark.parametrize("ids", [IDS, [f"f{k}" for k in range(7)]])
@pytest.mark.parametrize("width", [80, 120, 140, 200])
def test_it_fits_breaks_no_id_or_word_and_keeps_the_warning(monkeypatch, ids, width):
    monkeypatch.setattr(prediction_summary, "_PLAIN_WIDTH", width)
    lines = prediction_summary.field_lines(tables(ids), 0.9)
    table = [line for line in lines if not line.startswith("all ")]
    assert max(len(line) for line in table if " is like " not in line) <= width  # prose is wrapped when it is printed
    text = " ".join(" ".join(table).split())
    assert all(field in text for field in ids[:5])
    assert all(word in text for name in CLASSES for word in name.split())
    assert "NEAR-IDENTICAL" in text
    assert ids[-1] in text  # the field that the first one is near-identical to


def test_many_fields_are_counted_by_call(monkeypatch):
    lines = prediction_summary.field_lines(tables(IDS), 0.9)
    assert "... and 2 more fields" in lines
    assert (
        "all 7 fields: Microtubule organizing center 6, Endoplasmic reticulum 6; 1 field without a call; in 0 of them "
        "the prediction set adds nothing to the calls"
    ) in lines
    assert not any(line.startswith("all ") for line in prediction_summary.field_lines(tables(IDS[:5]), 0.9))
