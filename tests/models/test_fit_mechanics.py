"""The whole fit: what it leaves on disk, what it says again when loaded, and data too small or odd to learn from."""

import json
import re
from functools import partial

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from field_ids import field_ids
from suggested import parsed

from commands.earlier_fit import clear_earlier_fit
from engine.errors import InputError
from models.data.labels import read_labels
from models.design import make_design
from models.fit import fit
from models.fitted import PlatesOfFit
from models.saved_fit import load
from models.settings import FitSettings
from store.classes import ORGANELLES
from store.matrix import FieldMatrix
from store.prediction import PredictionFiles
from store.run_folder import RunFolder


def data(rng, n=400, n_columns=10):
    """Four organelles with signal, in groups of two; the others have none or a handful of positives."""
    values = rng.normal(0, 1, (n, n_columns)).astype(np.float32)
    labels = np.zeros((n, 28), bool)
    for i, j in enumerate([0, 7, 21, 25]):
        labels[:, j] = values[:, i] + 0.5 * rng.normal(0, 1, n) > 0.8
    labels[:3, 27] = True
    labels[~labels.any(1), 25] = True
    values[:, -1], values[:, -2] = 1, np.nan
    return values, labels, np.repeat(np.arange(n // 2), 2)


def columns(n=10):
    return pd.DataFrame({"name": [f"Cells_Texture_F{j}_Protein" for j in range(n)]})


def settings(**changes):
    return FitSettings(**{"rounds": 6, "n_resamples": 20, "random_folds": 1} | changes)


@pytest.fixture(scope="module")
def fitted(tmp_path_factory):
    values, labels, groups = data(np.random.default_rng(3))
    folder = tmp_path_factory.mktemp("fit")
    return (
        fit(field_ids(values), values, columns(), labels, groups, settings(), folder, quiet=True),
        values,
        labels,
        groups,
    )


def test_every_field_has_probabilities_and_a_call(fitted):
    result, values, labels, _ = fitted
    for p, calls in ((result.probabilities, result.calls), result.predict(values[:7])):
        assert p.dtype == np.float32
        assert np.isfinite(p).all()
        assert (p >= 0).all()
        assert (p <= 1).all()
        assert calls.dtype == bool
        assert calls.any(1).all()
    assert result.probabilities.shape == result.calls.shape == labels.shape


def test_organelles_with_too_few_positives_get_their_prior_and_are_named(fitted):
    result, values, _, _ = fitted
    assert np.flatnonzero(result.trainable).tolist() == [0, 7, 21, 25]
    p, _ = result.predict(values[:5])
    assert np.ptp(p[:, 27]) == 0
    np.testing.assert_allclose(p[0, 1:6], result.prior[1:6], rtol=1e-6)
    metrics = result.leaderboard.metrics(simulated=True)
    assert "Rods & rings" in metrics["not_trainable"]
    assert len(metrics["not_trainable"]) == 24
    assert metrics["macro"]["n_organelles"] == 4
    assert metrics["organelles"]["Rods & rings"]["ap"] is None
    assert metrics["organelles"]["Rods & rings"]["threshold"] is None


def test_metrics_hold_what_the_contract_says(fitted):
    metrics = fitted[0].leaderboard.metrics(simulated=False)
    json.dumps(metrics, allow_nan=False)
    assert metrics["folds"] == "grouped"
    assert metrics["simulated"] is False
    assert set(metrics["macro"]) == {"ap", "f1", "brier", "log_loss", "ece", "chance_ap", "n_organelles"}
    assert list(metrics["organelles"]) == list(ORGANELLES)
    golgi = metrics["organelles"]["Golgi apparatus"]
    assert golgi["ap_low"] < golgi["ap"] < golgi["ap_high"]
    assert golgi["ap"] > 2 * golgi["chance_ap"]
    assert {"member lightgbm", "member xgboost", "member linear", "mean of members"} < set(metrics["steps"])
    assert len(metrics["splits"]) == 4
    assert metrics["splits"]["held-out groups"]["n_organelles"] == 4


def test_a_fit_read_back_is_the_same(fitted, tmp_path):
    result, values, _, _ = fitted
    again = load(result.folder.root)
    assert again.settings == result.settings
    np.testing.assert_array_equal(again.predict(values)[0], result.predict(values)[0])
    for name in (
        "ids",
        "labels",
        "groups",
        "fold",
        "members",
        "probabilities",
        "calls",
        "trainable",
        "prior",
        "threshold",
    ):
        np.testing.assert_array_equal(getattr(again, name), getattr(result, name))
    result.leaderboard.save(tmp_path / "a.csv")
    again.leaderboard.save(tmp_path / "b.csv")
    assert (tmp_path / "a.csv").read_bytes() == (tmp_path / "b.csv").read_bytes()
    assert again.leaderboard.metrics(True).keys() == result.leaderboard.metrics(True).keys()


def test_a_fit_knows_its_fields_with_labels_and_groups(fitted):
    result, values, labels, groups = fitted
    assert result.ids == field_ids(values)
    np.testing.assert_array_equal(result.labels, labels)
    np.testing.assert_array_equal(result.groups, groups)
    folder = result.folder
    assert {path.stem for path in folder.oof.iterdir()} == {
        "labels", "probabilities", "calls", "lightgbm", "xgboost", "linear", "kernel"
    }  # fmt: skip
    for path in folder.oof.iterdir():
        assert pq.read_schema(path).names == ["Metadata_Id", *ORGANELLES]
    assert pq.read_schema(folder.folds).names == ["Metadata_Id", "group", "fold"]
    metrics, board = json.loads(folder.metrics.read_text()), pd.read_csv(folder.leaderboard).set_index("name")
    assert metrics["organelles"]["Golgi apparatus"]["ap"] == board.loc["Golgi apparatus", "ap"]


def test_other_ids_make_another_fit_and_a_lost_table_is_written_again(rng, tmp_path):
    values, labels, groups = data(rng, 60)
    given = (values, columns(), labels, groups, settings(members=("linear",), n_resamples=2), tmp_path, True)
    first = fit(field_ids(values), *given)
    renamed = fit(tuple(f"x{name}" for name in first.ids), *given)
    assert load(tmp_path).ids == renamed.ids == tuple(f"x{name}" for name in first.ids)
    content = first.folder.scores("linear").read_bytes()
    first.folder.scores("linear").unlink()
    with pytest.raises(
        InputError, match=r"linear\.parquet is missing\. Remove it\. Run python cli\.py fit --run \S+ again\."
    ):
        load(tmp_path)
    fit(renamed.ids, *given)
    assert first.folder.scores("linear").read_bytes() == content
    with pytest.raises(InputError, match=r"ids of shape \(59,\) do not fit 60 fields"):
        fit(renamed.ids[1:], *given)


@pytest.mark.parametrize(("name", "spoil", "said"), [
    ("folds.parquet", lambda t: t.slice(1), "does not hold the 59 fields of folds.parquet"),
    ("folds.parquet", lambda t: t.set_column(2, "fold", pa.array([9] * 60, pa.int8())), "folds that the fit has not"),
    ("folds.parquet", lambda t: t.set_column(0, "Metadata_Id", pa.array(["=1"] * 60)), "starts with '='"),
    ("oof/labels.parquet", lambda t: t.set_column(8, t.column_names[8], pa.array([False] * 60)), "has no field with"),
    ("oof/calls.parquet", lambda t: t.take([1, 0, *range(2, 60)]), "does not hold the 60 fields"),
    ("oof/calls.parquet", lambda t: t.drop_columns("Nucleoli"), "Nucleoli should hold truth"),
    ("oof/probabilities.parquet", lambda t: t.set_column(3, "Nucleoli", pa.array([1.5] * 60)), "no probability"),
    ("oof/linear.parquet", lambda t: t.set_column(3, "Nucleoli", pa.array(["x"] * 60)), "should hold number"),
])  # fmt: skip
def test_a_table_that_does_not_belong_to_the_fit_is_refused_where_it_is_loaded(rng, tmp_path, name, spoil, said):
    values, labels, groups = data(rng, 60)
    asked = settings(members=("linear",), n_resamples=2)
    assert fit(field_ids(values), values, columns(), labels, groups, asked, tmp_path, quiet=True).trainable[7]
    pq.write_table(spoil(pq.read_table(tmp_path / name)), tmp_path / name)
    with pytest.raises(InputError, match=re.escape(said)):
        load(tmp_path)


def test_nothing_is_pickled(fitted):
    kinds = {path.suffix for path in fitted[0].folder.root.rglob("*") if path.is_file()}
    assert kinds == {".json", ".npy", ".csv", ".txt", ".parquet"}
    for path in fitted[0].folder.root.rglob("*.npy"):
        np.load(path, allow_pickle=False)


def test_the_same_again_does_nothing_and_other_workers_give_the_same_bytes(fitted, tmp_path):
    result, values, labels, groups = fitted
    before = {path: path.stat().st_mtime_ns for path in result.folder.root.rglob("*")}
    fit(field_ids(values), values, columns(), labels, groups, settings(workers=2), result.folder.root, quiet=True)
    assert before == {path: path.stat().st_mtime_ns for path in result.folder.root.rglob("*")}
    fit(field_ids(values), values, columns(), labels, groups, settings(workers=2), tmp_path, quiet=True)
    for path in result.folder.root.rglob("*"):
        if path.is_file():
            assert (tmp_path / path.relative_to(result.folder.root)).read_bytes() == path.read_bytes(), path.name


def test_a_corrected_label_trains_its_own_class_again_alone_and_exactly(rng, tmp_path):
    """With the folds kept, so that scores before and after compare."""
    values, labels, groups = data(rng)
    given = (field_ids(values), values, columns())
    before = fit(*given, labels, groups, settings(), tmp_path / "kept", quiet=True)
    notes = {path: path.stat().st_mtime_ns for path in (tmp_path / "kept/models").glob("[0-9]*/*_fold*_note.json")}
    corrected = labels.copy()
    corrected[:20, 7] ^= True
    kept = fit(*given, corrected, groups, settings(), tmp_path / "kept", quiet=True, fold=before.fold)
    changed = {path for path, time in notes.items() if path.stat().st_mtime_ns != time}
    assert changed == {path for path in notes if "07_Golgi" in str(path)}
    np.testing.assert_array_equal(kept.fold, before.fold)
    whole = fit(*given, corrected, groups, settings(), tmp_path / "whole", quiet=True, fold=before.fold)
    np.testing.assert_array_equal(kept.members, whole.members)
    np.testing.assert_array_equal(kept.probabilities, whole.probabilities)


def test_a_member_with_other_parameters_is_fitted_anew(rng, tmp_path):
    values, labels, groups = data(rng)
    asked = settings(members=("linear",))
    first = fit(field_ids(values), values, columns(), labels, groups, asked, tmp_path, quiet=True)
    changed = settings(members=("linear",), parameters={"linear": {"shrinkage": 3.0}})
    again = fit(field_ids(values), values, columns(), labels, groups, changed, tmp_path, quiet=True)
    assert (again.probabilities != first.probabilities).any()


def test_a_changed_setting_is_told_and_the_earlier_tables_go(rng, tmp_path, caplog):
    """Reports and submissions stay, for people may have looked at them, and are named."""
    values, labels, groups = data(rng, 60)
    folder = RunFolder(tmp_path)

    def again(n_columns=10, labels=labels, **changes):
        asked, described = settings(members=("linear",), n_resamples=2, **changes), columns(n_columns)
        clear = partial(clear_earlier_fit, folder, described)
        ids = field_ids(values)
        caplog.clear()
        fit(ids, values[:, :n_columns], described, labels, groups, asked, folder.root, quiet=True, clear=clear)
        return "\n".join(caplog.messages)

    assert again(rounds=2) == ""
    kept = (folder.report, folder.submission, folder.predictions)
    removed = (*folder.fit.tables(), folder.fit.scores("xgboost"), folder.label_errors)
    for path in (*kept, *removed):
        path.touch()
    assert again(rounds=2) == ""
    assert all(path.is_file() for path in removed)
    for path in removed:
        path.write_text("of the earlier fit")
    assert again(rounds=3, seed=1).splitlines() == [
        "settings differ from the earlier fit (seed: 0 -> 1; rounds: 2 -> 3): fitting again",
        f"still of an earlier fit: report.html; run {folder.command('report')} again",
        f"still of an earlier fit: submission.csv and predictions.parquet; run {folder.command('submit')} again",
    ]
    assert all(path.is_file() for path in kept)
    assert not any(path.exists() and path.read_bytes() == b"of the earlier fit" for path in removed)
    assert "(features: 10 -> 9): fitting again" in again(9, rounds=3, seed=1)
    assert "labels, groups, features or the program differ" in again(9, labels[::-1], rounds=3, seed=1)
    one = again(9, labels[::-1], rounds=3, seed=1, parameters={"linear": {"shrinkage": 3.0}})
    assert re.match(r"settings differ from the earlier fit \(linear shrinkage: \S+ -> 3.0\): fitting again\n", one)
    many = {"seed": 2, "rounds": 4, "n_folds": 4, "random_folds": 0}
    said = again(9, **many).partition("\n")[0]
    assert said.count(" -> ") == 4
    assert "; 1 more): fitting again" in said
    predicted = PredictionFiles(folder.predicted).predictions
    predicted.parent.mkdir()
    predicted.touch()
    RunFolder(folder.predicted).note("predict", {"images": "new fields", "masks": "m"})
    said = again(9, **many, normalise_by="Plate", controls=("A01",)).splitlines()
    assert said[0].startswith("settings differ from the earlier fit (normalise_by:  -> Plate; controls: () -> ('A01',)")
    name, typed = parsed(said[-1].partition("; run ")[2].removesuffix(" again"))
    assert said[-1].startswith("still of an earlier fit: predicted/predictions.csv; run ")
    assert (name, typed) == ("predict", {"images": "new fields", "run": str(folder.root), "masks": "m"})
    folder.fit.fit_file.write_text("{}")
    assert "the earlier fit cannot be read: fitting again" in again()


def test_the_held_out_groups_touch_nothing(rng, tmp_path):
    """Other values of the fields held out leave every threshold and score of the folds as they were."""
    values, labels, groups = data(rng, 500)
    asked = settings(members=("linear",), held_out=0.2)
    fold = make_design(values, columns(), labels, groups, asked).training.fold
    assert (fold == -1).mean() == pytest.approx(0.2, abs=0.02)
    first = fit(field_ids(values), values, columns(), labels, groups, asked, tmp_path / "a", quiet=True)
    inner = first.fold >= 0
    noise = values.copy()
    noise[~inner] = rng.normal(0, 9, (int((~inner).sum()), values.shape[1]))
    second = fit(field_ids(noise), noise, columns(), labels, groups, asked, tmp_path / "b", quiet=True)
    np.testing.assert_array_equal(first.fold, second.fold)
    np.testing.assert_array_equal(first.probabilities[inner], second.probabilities[inner])
    assert first.second_level.to_json() == second.second_level.to_json()
    assert (first.probabilities[~inner] != second.probabilities[~inner]).any()


@pytest.mark.parametrize(
    ("sizes", "named", "kind"),
    [(1, True, "grouped"), (1, False, "random"), (2, True, "grouped"), (2, False, "random")],
)
def test_folds_are_grouped_where_groups_are_named_whatever_their_size(rng, tmp_path, sizes, named, kind):
    values, labels, _ = data(rng, 60)
    groups, asked = np.arange(60) // sizes, settings(members=("linear",), n_resamples=2)
    result = fit(field_ids(values), values, columns(), labels, groups, asked, tmp_path, quiet=True, named=named)
    assert load(tmp_path).leaderboard.folds == result.leaderboard.folds == kind
    said = set(result.leaderboard.table["name"])
    assert f"{kind} folds" in said
    assert ("random folds, linear alone" in said) == (sizes == 2 and named), "only shared groups can leak"


def test_naming_groups_of_one_field_makes_another_fit(rng, tmp_path):
    values, labels, _ = data(rng, 60)
    asked = settings(members=("linear",), n_resamples=2)
    given = (field_ids(values), values, columns(), labels, np.arange(60), asked, tmp_path, True)
    assert [fit(*given, named=named).leaderboard.folds for named in (False, True)] == ["random", "grouped"]


def test_renamed_plates_make_another_fit(rng, tmp_path):
    """A new field gets the scale of its plate by name, which the names of an earlier fit would get wrong."""
    values, labels, groups = data(rng, 60)
    asked = settings(members=("linear",), n_resamples=2, normalise_by="Plate")
    names, used = np.repeat(["P1", "P2"], 30), np.ones(60, bool)
    for now in (names, names[::-1].copy()):
        plates = PlatesOfFit(now, used)
        given = (field_ids(values), plates.normalise(values), columns(), labels, groups, asked, tmp_path, True)
        fit(*given, plates=plates)
        assert load(tmp_path).plates.names.tolist() == now.tolist()


@pytest.mark.shared
def test_the_59_real_fields(shared_data, rng, tmp_path):
    labels = read_labels(shared_data / "hpa-sample" / "train.csv").matrix
    values = rng.normal(0, 1, (len(labels), 30)).astype(np.float32)
    result = fit(field_ids(values), values, columns(30), labels, None, settings(), tmp_path, quiet=True)
    assert 0 < result.trainable.sum() < 14
    assert result.leaderboard.folds == "random"
    assert result.calls.any(1).all()
    assert result.predict(values)[1].any(1).all()
    result.leaderboard.save_metrics(tmp_path / "metrics.json", simulated=False)


def test_nothing_can_be_learnt(rng, tmp_path):
    labels = np.zeros((12, 28), bool)
    labels[np.arange(12), np.arange(12)] = True
    values = np.ones((12, 3), np.float32)
    result = fit(field_ids(values), values, columns(3), labels, None, settings(), tmp_path, quiet=True)
    assert not result.trainable.any()
    assert result.calls.any(1).all()
    assert load(tmp_path).predict(np.ones((2, 3), np.float32))[1].any(1).all()
    assert result.leaderboard.metrics(False)["macro"]["ap"] is None


def test_misfits_are_said(fitted, rng, tmp_path):
    values, labels, groups = data(rng)
    for n, said in {
        4: r"4 groups of fields cannot fill 5 folds .* or ask for fewer folds \(--folds 4; .* n_folds=4\)\.",
        2: r"2 groups of fields cannot fill 5 folds .* at least 3 folds\)\. Give more fields or finer groups\.$",
        1: r"^1 group of fields cannot fill",
    }.items():
        with pytest.raises(InputError, match=said):
            fit(field_ids(values), values, columns(), labels, groups % n, settings(), tmp_path, quiet=True)
    with pytest.raises(InputError, match="10 columns, but 9 are described"):
        fit(field_ids(values), values, columns(9), labels, groups, settings(), tmp_path, quiet=True)
    with pytest.raises(InputError, match="was fitted on 10 columns"):
        fitted[0].predict(values[:, :9])
    with pytest.raises(InputError, match="no finished fit"):
        load(tmp_path / "nowhere")
    with pytest.raises(ValueError, match="n_folds must be at least 3"):
        FitSettings(n_folds=2)
    with pytest.raises(ValueError, match="expected some of lightgbm, xgboost, linear"):
        FitSettings(members=("forest",))


def test_the_same_fields_measured_again_after_the_fit_are_refused(fitted):
    result, values, _, _ = fitted
    described = columns(values.shape[1])
    metadata = pd.DataFrame({"Metadata_Id": result.ids})
    assert result.training_fields(FieldMatrix(metadata, values, described)).ids == result.ids
    other = values.copy()
    other[3, 2] += 1
    with pytest.raises(InputError, match="fitted on other values of these"):
        result.training_fields(FieldMatrix(metadata, other, described))
