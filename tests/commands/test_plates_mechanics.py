"""fit --normalise-by: plates reach every reader of the fit, plates are left out, and new plates are normalised."""

from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
from random_run import make_run

import cli
from commands.job import Job
from commands.plates import new_scales, plates_of_fit
from engine.errors import InputError, UsageError
from models.saved_fit import load, read_fitted_fields
from store.matrix import read_fields
from store.places import Places

N = 48


@pytest.fixture(scope="module")
def plated(tmp_path_factory):
    """48 fields of random features on three plates, two classes; fitted by the command."""
    folder = tmp_path_factory.mktemp("plates")
    run = make_run(folder / "run", np.random.default_rng(4), {"train": N})
    ids = [f"train-{k:03d}" for k in range(N)]
    plates = [f"p{k % 3}" for k in range(N)]
    wells = [f"{'AB'[k % 2]}{k // 6:02d}" for k in range(N)]
    pd.DataFrame({"Id": ids, "Plate": plates, "Well": wells}).to_csv(folder / "fields.csv", index=False)
    pd.DataFrame({"Id": ids, "Target": [("x", "y")[k // 3 % 2] for k in range(N)]}).to_csv(
        folder / "train.csv", index=False
    )
    options = ["--data", str(folder), "--run", str(run.root), "--quiet", "--workers", "1"]
    asked = ["--folds", "3", "--rounds", "5", "--members", "lightgbm,linear", "--normalise-by", "plate"]
    return SimpleNamespace(folder=folder, run=run, options=options, code=cli.main(["fit", *options, *asked]))


def test_every_reader_sees_normalised_features_and_the_fit_knows_its_plates(plated):
    assert plated.code == 0
    fitted = load(plated.run.root)
    assert fitted.settings.normalise_by == "Plate"
    assert sorted(set(fitted.plates.names)) == ["p0", "p1", "p2"]
    matrix = read_fitted_fields(plated.run, fitted)
    for plate in ("p0", "p1", "p2"):
        medians = np.nanmedian(matrix.values[fitted.plates.names == plate], axis=0)
        np.testing.assert_allclose(np.nan_to_num(medians), 0, atol=1e-4)
    assert cli.main(["importances", "x", *plated.options[2:]]) == 0
    assert cli.main(["report", *plated.options]) == 0


def test_the_leaderboard_compares_plates_left_out_with_the_usual_folds(plated):
    names = load(plated.run.root).leaderboard.of("split")["name"].tolist()
    assert "plates left out, lightgbm alone, all folds" in names
    assert "grouped folds, lightgbm alone, all folds" in names


def test_a_new_plate_is_normalised_by_itself_and_a_known_one_as_in_training(plated):
    fitted, job = load(plated.run.root), Job(plated.run.root)
    raw = read_fields(plated.run, "train").named(fitted.columns)
    ids = [f"new{k}" for k in range(20)]
    values = np.concatenate([raw[fitted.plates.names == "p1"][:10], 3 * raw[:10] + 7])
    places = Places("a table", {"Plate": ("p1",) * 10 + ("p9",) * 10})
    scales = new_scales(job, fitted, places, ids, values)
    known = read_fitted_fields(plated.run, fitted).named(fitted.columns)[fitted.plates.names == "p1"][:10]
    found = scales.apply(ids, values)
    np.testing.assert_array_equal(found[:10], known)
    np.testing.assert_allclose(np.nan_to_num(np.nanmedian(found[10:], axis=0)), 0, atol=1e-4)
    with pytest.raises(UsageError, match=r"Plate of the new fields is not known .*--fields FILE\.csv"):
        new_scales(job, fitted, Places("a table", {}), ids, values)
    few = Places("a table", {"Plate": ("p1",) * 17 + ("p9",) * 3})
    with pytest.raises(InputError, match="Plate p9 is new to the run and has 3 fields"):
        new_scales(job, fitted, few, ids, values)


def test_labels_do_not_reach_the_normalisation(plated, tmp_path):
    """Flipped labels leave every value as it is: nothing of a held-out label is in the features."""
    fitted = load(plated.run.root)
    before = read_fitted_fields(plated.run, fitted).values.tobytes()
    table = pd.read_csv(plated.folder / "train.csv")
    for name in ("fields.csv", "train.csv"):
        (tmp_path / name).write_bytes((plated.folder / name).read_bytes())
    table.assign(Target=table["Target"].map({"x": "y", "y": "x"})).to_csv(tmp_path / "train.csv", index=False)
    options = ["--data", str(tmp_path), *plated.options[2:], "--folds", "3", "--rounds", "2", "--members", "linear"]
    assert cli.main(["fit", *options, "--normalise-by", "Plate"]) == 0
    assert read_fitted_fields(plated.run, load(plated.run.root)).values.tobytes() == before


def test_controls_need_wells_and_a_column(plated, capsys):
    assert cli.main(["fit", *plated.options, "--controls", "A00"]) == 2
    assert "--normalise-by" in capsys.readouterr().err
    assert cli.main(["fit", *plated.options, "--normalise-by", "plate", "--controls", "Z99"]) == 2
    assert "no training field is in a well Z99" in capsys.readouterr().err
    assert cli.main(["fit", *plated.options, "--normalise-by", "plate", "--controls", "A00,Z99,a01"]) == 2
    assert "no training field is in a well Z99 or a01; those of" in capsys.readouterr().err
    assert cli.main(["fit", *plated.options, "--normalise-by", "line"]) == 2
    assert "no column 'line'" in capsys.readouterr().err


def test_plates_that_differ_only_in_case_are_two_and_said(caplog):
    found = plates_of_fit(Places("fields.csv", {"Plate": ("P1", "p1", "P2", "P1")}), "plate", ())
    assert found.names.tolist() == ["P1", "p1", "P2", "P1"]
    assert "Plate P1 and p1 differ only in upper and lower case, and are normalised as two." in caplog.text


def test_one_guessed_group_is_said_to_be_a_guess(plated, tmp_path, capsys):
    run = make_run(tmp_path / "run", np.random.default_rng(5), {"exp1_x": 12})
    for path in run.features.rglob("exp1_x*.parquet"):
        path.rename(path.with_name(path.name.replace("exp1_x", "train")))
    rows = "".join(f"exp1_x-{k:03d},{'ab'[k % 2]}\n" for k in range(12))
    (tmp_path / "train.csv").write_text(f"Id,Target\n{rows}")
    assert cli.main(["fit", "--data", str(tmp_path), "--run", str(run.root), "--quiet", "--folds", "3"]) == 4
    said = capsys.readouterr().err
    assert "12 fields are in 1 group only. The groups were guessed from the ids" in said
    assert "groups.csv" in said
    assert "--groups FILE" in said


@pytest.mark.parametrize(
    ("targets", "groups", "sentence"),
    [
        (["a"] * 40, range(40), "on every field"),
        (["b"] * 4 + ["a"] * 44, range(48), "too rare: 4 fields"),
        (["b"] * 16 + ["a"] * 32, [0] * 16 + list(range(1, 33)), "are in 1 group only"),
    ],
)
def test_a_class_that_cannot_be_learnt_has_its_own_sentence_and_nothing_learnt_is_4(
    plated, tmp_path, capsys, targets, groups, sentence
):
    targets, groups = [*targets, *["a|z"] * (N - len(targets))], [*groups, *range(100, 100 + N - len(list(groups)))]
    ids = [f"train-{k:03d}" for k in range(N)]
    pd.DataFrame({"Id": ids, "Target": targets}).to_csv(tmp_path / "train.csv", index=False)
    pd.DataFrame({"Id": ids, "Group": groups}).to_csv(tmp_path / "groups.csv", index=False)
    table = pd.read_csv(tmp_path / "train.csv")
    if sentence == "on every field":
        table["Target"] = ["a|z" if k < 3 else "a" for k in range(N)]
        table.to_csv(tmp_path / "train.csv", index=False)
    code = cli.main(["fit", "--data", str(tmp_path), "--run", str(plated.run.root), "--quiet", "--folds", "3"])
    said = capsys.readouterr().err
    assert code == 4
    assert "nothing can be learnt from 48 fields" in said
    assert sentence in said
