"""What the page shows of a run: predictions as the commands make them, filters, cells, labels as they stand."""

import subprocess
import sys
import threading
import time
from dataclasses import replace

import numpy as np
import pytest
from review_run import fit_quickly, make_review, opened

import pipeline
from commands.job import Job
from commands.plates import PlateOptions, new_scales
from commands.submit import read_test_fields
from engine.errors import UsageError
from models.saved_fit import load
from review import answers
from review.cell_pages import cells_page
from review.map_points import points
from review.selection import select
from review.tasks import FIELDS
from store.places import read_places

STARTED = """
import sys
from pathlib import Path
import review.server, review.state
from commands.job import Job
from commands.review import IMPORTED_FIRST, ReviewOptions, show
review.state.Review.begin = lambda self: print(set(IMPORTED_FIRST) <= set(sys.modules))
review.server.serve = lambda *args: None
show(Job(Path(sys.argv[1]), Path(sys.argv[2]), quiet=True), ReviewOptions(browser=False), lambda: None)
"""


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    made = make_review(tmp_path_factory.mktemp("fitted"), images=False)
    fit_quickly(made)
    return made


@pytest.fixture(scope="module")
def review(made):
    return opened(made)


def test_training_fields_have_held_out_probabilities_and_test_fields_those_of_the_fit(made, review):
    fitted, job = load(made.run), Job(made.run, made.data)
    probabilities, calls = review.predicted()
    np.testing.assert_array_equal(probabilities[:24], fitted.probabilities)
    ids, values = read_test_fields(job, fitted)
    assert review.catalogue.ids[24:] == ids
    expected, called = fitted.predict(values)
    np.testing.assert_array_equal(probabilities[24:], expected)
    np.testing.assert_array_equal(calls[24:], called)


def test_a_fit_by_plates_is_applied_on_the_scale_of_the_plate(tmp_path):
    made = make_review(tmp_path, images=False)
    fields = [*(f"train-{k:03d}" for k in range(24)), "test-000", "test-001"]
    rows = "".join(f"{field},{'P1' if k % 2 else 'P2'}\n" for k, field in enumerate(fields))
    (made.data / "fields.csv").write_text(f"Id,Plate\n{rows}")
    job = Job(made.run, made.data, workers=1, quiet=True)
    plates = PlateOptions(normalise_by="plate")
    pipeline.fit(job, n_folds=3, members=("linear",), plates=plates)
    fitted = load(made.run)

    def scales_of(fitted, split, ids, values):
        return new_scales(job, fitted, read_places(job.data, job.folder.measured(split), ids), ids, values)

    review = opened(made, scales_of=scales_of)
    expected, _ = fitted.predict(read_test_fields(job, fitted)[1])
    np.testing.assert_array_equal(review.predicted()[0][24:], expected)
    name = next(name for name in review.catalogue.classes if answers.is_trainable(review, name))
    shown = answers.why(review, 0, name)["reasons"]
    assert shown
    known = set(review.cells().number[review.cells().of_field(0)].tolist()) if review.cells() else set()
    assert all(set(one["cells"]) <= known for one in shown)
    assert answers.run_facts(review)["plates"] == ["P2", "P1"]
    assert not answers.run_facts(review)["one_call"]
    assert answers.fields_page(review, {"plate": "P1"})["total"] == 13
    go = threading.Event()  # until the scales are known again, cells wait to be scored
    review.tasks.start(FIELDS, "predictions", lambda _: go.wait(20), again=True)
    assert cells_page(review, {"sort": "score", "score": name})["waiting"]
    go.set()
    assert review.tasks.state("cell scores").stage == "absent"


def test_filters_and_orders(review):
    labels, known, catalogue = review.labels.table(), review.known(), review.catalogue
    every = select({}, catalogue, labels, known)
    assert len(every) == 26
    assert select({"label": "Nucleoplasm", "split": "train"}, catalogue, labels, known).tolist() == list(
        range(0, 24, 2)
    )
    assert select({"labelled": False}, catalogue, labels, known).tolist() == [24, 25]
    assert select({"text": "TEST-"}, catalogue, labels, known).tolist() == [24, 25]
    assert select({"rows": [3, 99, "x", True]}, catalogue, labels, known).tolist() == [3]
    unsure = known.uncertainty[select({"sort": "uncertainty"}, catalogue, labels, known)]
    assert (np.diff(unsure) <= 0).all()
    p = known.probabilities[:, 0]
    high = select({"label": "Nucleoplasm", "low": 0.5}, catalogue, labels, known)
    assert high.tolist() == np.flatnonzero((p >= 0.5) & labels.matrix[:, 0]).tolist()
    learnt = np.array([answers.is_trainable(review, name) for name in catalogue.classes])
    highest = known.probabilities[:, learnt].max(1)
    assert len(answers.one_field(review, 0)["probabilities"]) == learnt.sum() == 3
    likely = select({"low": 0.6}, catalogue, labels, known)
    assert likely.tolist() == np.flatnonzero(highest >= 0.6).tolist() != every.tolist()
    assert select({"descending": False}, catalogue, labels, known).tolist() == every[::-1].tolist()
    name = answers.features(review)["fields"][0][0]
    values = review.values.column(name)[select({"sort": "feature", "feature": name}, catalogue, labels, known)]
    assert (np.diff(values[~np.isnan(values)]) <= 0).all()
    for bad in ({"label": "Flagellum"}, {"sort": "taste"}, {"sort": "feature", "feature": "x"}):
        with pytest.raises(UsageError):
            select(bad, catalogue, labels, known)


def test_a_doubt_ends_with_its_label_and_a_class_that_was_not_learnt_contradicts_none(review):
    labels, known, catalogue = review.labels.table(), review.known(), review.catalogue
    name = "Peroxisomes"
    j = catalogue.classes.index(name)
    assert not answers.is_trainable(review, name)
    before = select({"wrong": True}, catalogue, labels, known)
    marked = replace(labels, matrix=labels.matrix.copy())
    marked.matrix[:, j] = True
    assert select({"wrong": True}, catalogue, marked, known).tolist() == before.tolist()
    doubts = {4: [(j, False, 0.9, 2.0)], 7: [(j, True, 0.1, 1.0), (j, False, 0.9, 0.5)]}
    doubted = replace(catalogue, doubts=doubts)
    ordered = {"doubted": True, "sort": "doubt"}
    assert select(ordered, doubted, labels, known).tolist() == [4, 7]
    assert select(ordered, doubted, marked, known).tolist() == [7]
    assert select({"sort": "doubt"}, doubted, marked, known)[0] == 7


def test_filters_hold_for_cells_that_the_map_selected_too(review):
    cells = list(range(0, 60, 3))
    assert cells_page(review, {"cells": cells})["total"] == len(cells)
    page = cells_page(review, {"cells": cells, "label": "Nucleoplasm", "border": False})
    assert 0 < page["total"] < len(cells)
    assert {row["index"] for row in page["rows"]} < set(cells)
    rows = [review.catalogue.row[row["id"]] for row in page["rows"]]
    assert review.labels.table().matrix[rows, 0].all() and not any(row["border"] for row in page["rows"])
    turned = cells_page(review, {"cells": cells, "descending": False})["rows"]
    assert [row["index"] for row in turned] == cells[::-1]


def test_both_maps_are_prepared_before_anybody_asks(made):
    review = opened(made)
    for level in ("fields", "cells"):
        assert not points(review, level, "label", "")["waiting"]


def test_the_same_map_twice(made, review):
    again = opened(made)
    for level in ("fields", "cells"):
        assert points(review, level, "label", "") == points(again, level, "label", "")


def test_cells_belong_to_their_fields(review):
    index = review.cells()
    page = cells_page(review, {"text": "train-003", "size": 50})
    assert page["total"] == int((index.field == 3).sum()) > 0
    assert {row["id"] for row in page["rows"]} == {"train-003"}
    assert [row["cell"] for row in page["rows"]] == list(range(1, page["total"] + 1))
    for level, n in (("cells", len(index.field)), ("fields", 26)):
        while (found := points(review, level, "label", "")).get("waiting"):
            time.sleep(0.02)
        assert found["all"] == len(found["x"]) == n
        assert 0 <= min(found["x"]) <= max(found["y"]) <= 10_000


def test_cells_by_a_feature_wait_until_it_is_read(review):
    name = answers.features(review)["cells"][0][0]
    assert cells_page(review, {"sort": "feature", "feature": name})["waiting"]
    ends = time.monotonic() + 60
    while (page := cells_page(review, {"sort": "feature", "feature": name, "size": 200}))["waiting"]:
        assert time.monotonic() < ends
        time.sleep(0.02)
    values = review.cell_feature(name)[[row["index"] for row in page["rows"]]]
    assert page["total"] == len(review.cells().field)
    assert (np.diff(values[~np.isnan(values)]) <= 0).all() and len(values) > 3
    with pytest.raises(UsageError, match="no feature of the cells"):
        cells_page(review, {"sort": "feature", "feature": "x"})


def scored(review, query: dict) -> dict:
    """A page of cells by score, once they are scored."""
    ends = time.monotonic() + 60
    while (page := cells_page(review, {"sort": "score", "size": 200} | query))["waiting"]:
        assert time.monotonic() < ends
        time.sleep(0.02)
    return page


def test_cells_of_called_fields_are_sorted_by_their_own_score_for_a_class(review):
    calls = review.predicted()[1]
    j = next(j for j, name in enumerate(review.catalogue.classes) if answers.is_trainable(review, name))
    name, called = review.catalogue.classes[j], set(np.flatnonzero(calls[:, j]))
    page, row = scored(review, {"score": name}), review.catalogue.row
    assert page["called"] == page["scored"] == len(called) > 3
    assert {row[one["id"]] for one in page["rows"]} <= called
    for field in called:
        expected = answers.why(review, int(field), name)["cells"]
        mine = [one for one in page["rows"] if row[one["id"]] == field]
        assert {one["cell"]: one["score"] for one in mine} == {
            one["cell"]: pytest.approx(one["score"], abs=0.0006) for one in expected
        }
    scores = [one["score"] for one in page["rows"] if not one["border"]]
    assert scores == sorted(scores, reverse=True)
    least = scores[len(scores) // 2]
    assert all(one["score"] >= least - 0.001 for one in scored(review, {"score": name, "least": least})["rows"])
    lowest = scored(review, {"score": name, "descending": False, "border": False})["rows"]
    assert [one["score"] for one in lowest] == sorted(scores)
    for bad in (None, "Flagellum"):
        with pytest.raises(UsageError, match="choose a class"):
            cells_page(review, {"sort": "score", "score": bad})


def test_only_the_most_probable_fields_have_their_cells_scored(review, monkeypatch):
    monkeypatch.setattr("review.cell_pages.MOST_FIELDS", 2)
    p, calls = review.predicted()
    j = next(j for j, name in enumerate(review.catalogue.classes) if answers.is_trainable(review, name))
    page = scored(review, {"score": review.catalogue.classes[j], "split": "train"})
    called = np.flatnonzero(calls[:24, j])
    best = called[np.argsort(-p[called, j], kind="stable")[:2]]
    assert (page["called"], page["scored"]) == (len(called), 2)
    assert {review.catalogue.row[one["id"]] for one in page["rows"]} == set(best)


def test_a_run_of_one_field_is_shown_too(tmp_path):
    """No direction in which fields differ."""
    made = make_review(tmp_path, n=1, labelled=False, images=False)
    (made.run / "features/test.parquet").unlink()
    review = opened(made)
    assert answers.fields_page(review, {"sort": "most useful"})["total"] == 1
    assert answers.one_field(review, 0)["similar"] == []
    found = points(review, "fields", "label", "")
    assert (found["all"], len(found["x"]), len(found["y"])) == (1, 1, 1)


def test_a_class_of_ones_own_is_offered_where_there_is_no_train_csv(tmp_path):
    made = make_review(tmp_path, labelled=False, images=False)
    review = opened(made)
    review.add_class("Flagellum")
    assert review.catalogue.classes[-1] == "Flagellum"
    review.labels.save([{"entry": "e", "id": "train-000", "action": "add", "value": "Flagellum"}], "me")
    assert opened(made).catalogue.classes[-1] == "Flagellum"
    for bad in ("flagellum", "a|b", "=1", ""):
        with pytest.raises(UsageError):
            review.add_class(bad)


def test_what_threads_import_is_there_before_they_start(tmp_path):
    """Two that imported scikit-learn at once ended in "partially initialized module"."""
    made = make_review(tmp_path, images=False)
    started = subprocess.run([sys.executable, "-c", STARTED, made.run, made.data], capture_output=True, text=True)
    assert started.stdout.split()[0] == "True", started.stderr


def test_a_class_that_another_page_added_is_offered_and_no_set_removes_it_before(tmp_path):
    made = make_review(tmp_path, labelled=False, images=False)
    first, second = opened(made), opened(made)
    first.add_class("Flagellum")
    first.labels.save([{"entry": "e1", "id": "train-000", "action": "add", "value": "Flagellum"}], "me")
    second.labels.save([{"entry": "e2", "id": "train-000", "action": "set", "value": "Cytosol"}], "you")
    assert second.labels.standing()["train-000"].classes == {"Cytosol", "Flagellum"}
    before = answers.run_facts(second)["version"]
    assert answers.status(second, 0)["version"] == before + 1 == answers.status(second, 0)["version"]
    assert answers.run_facts(second)["classes"][-1] == "Flagellum"
    assert set(answers.one_field(second, 0)["labels"]) == {"Cytosol", "Flagellum"}


def test_a_label_that_was_edited_in_the_file_is_seen(tmp_path):
    made = make_review(tmp_path, images=False)
    review = opened(made)
    review.labels.save([{"entry": "e1", "id": "train-001", "action": "add", "value": "Cytosol"}], "me")
    assert answers.one_field(review, 1)["labels"] == ["Nucleoli", "Cytosol"]
    path = made.data / "corrections.csv"
    path.write_text(path.read_text().replace("add,Cytosol", "set,Cytosol"))
    assert answers.one_field(review, 1)["labels"] == ["Cytosol"]


def test_a_fit_that_another_command_made_is_opened_and_a_refit_is_compared_with_it(tmp_path):
    made = make_review(tmp_path, images=False)
    fit_quickly(made)
    review = opened(made)
    before, version = review.catalogue.probabilities, answers.status(review, 0)["version"]
    job = Job(made.run, made.data, workers=1, quiet=True)
    pipeline.fit(job, n_folds=4, members=("linear",))
    assert answers.status(review, 0)["version"] == version + 1 == answers.status(review, 0)["version"]
    assert (review.catalogue.probabilities[:24] != before[:24]).any()
    np.testing.assert_array_equal(review.catalogue.probabilities[:24], load(made.run).probabilities)
    pipeline.fit(job, n_folds=3, members=("linear",))
    review._refit = lambda: pipeline.fit(job, like_before=True)
    found = review._fit_again()
    assert (found.n_calls, found.n_same_fold) == (0, 24), "with the fit on the disk, not with the one that was shown"


def test_the_classes_of_train_csv_are_all(review):
    with pytest.raises(UsageError, match="the classes are those of"):
        review.add_class("Flagellum")
