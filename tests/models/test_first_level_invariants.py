"""The first level: members that learn, units that are done once, and the same bytes from any number of workers."""

import json

import numpy as np
import pytest
import xgboost

from models.evaluation.metrics import average_precision
from models.first_level import xgboost as xgb
from models.first_level.class_weights import WeightExponents, choose_exponents, row_weights
from models.first_level.fold_model import FoldModel, Training
from models.first_level.members import MEMBERS, member
from models.first_level.training import train_first_level, trainable
from models.folds import make_folds
from models.settings import FitSettings

ORGANELLES = [0, 7, 25]


class Count:
    """A progress that counts."""

    def __init__(self):
        self.n = 0

    def advance(self, n=1):
        self.n += n


def training_set(rng, n=240, n_columns=12):
    """Labels that follow the sum of two columns, in groups of two; one column constant, one missing, one with holes."""
    values = rng.normal(0, 1, (n, n_columns)).astype(np.float32)
    labels = np.zeros((n, 28), bool)
    for i, j in enumerate(ORGANELLES):
        labels[:, j] = values[:, i] + values[:, i + 1] + rng.normal(0, 0.5, n) > 1
    values[:, -1], values[:, -2] = 3, np.nan
    values[rng.random(n) < 0.1, -3] = np.nan
    groups = np.repeat(np.arange(n // 2), 2)
    return Training(values, labels, groups, make_folds(labels, groups, 3, seed=0).fold)


@pytest.mark.parametrize("name", MEMBERS)
def test_a_member_learns_saves_and_repeats_itself(name, rng, tmp_path):
    kind, training = member(name), training_set(rng, 600)
    seen, unseen = training.fold != 0, training.fold == 0
    for j in ORGANELLES:
        mine, prepared = training.labels[seen, j], kind.prepare(training.values[seen], "cpu")
        model = kind.train(prepared, mine, row_weights(mine, 0.0), 60, seed=5)
        scores = kind.score(model, training.values[unseen])
        assert scores.dtype == np.float32
        assert average_precision(training.labels[unseen, j], scores) > 0.6
        path = tmp_path / f"{j}{kind.SUFFIX}"
        kind.save(model, path)
        np.testing.assert_array_equal(
            kind.score(kind.load(path, training.values.shape[1]), training.values[unseen]), scores
        )
        kind.train(prepared, ~mine, row_weights(mine, 0.5), 5, seed=6)
        again = kind.train(prepared, mine, row_weights(mine, 0.0), 60, seed=5)
        kind.save(again, tmp_path / "again")
        assert (tmp_path / "again").read_bytes() == path.read_bytes()


@pytest.mark.parametrize("name", MEMBERS)
def test_values_read_in_pieces_and_kept_on_disk_give_the_same_model(name, rng, tmp_path, monkeypatch):
    kind, training = member(name), training_set(rng)
    training.values[rng.random(training.values.shape) < 0.6] = 0  # as many equal values as LightGBM would bundle
    seen = np.flatnonzero(training.fold != 0)
    mine = training.labels[seen, 0]

    def trained(values) -> bytes:
        kind.save(kind.train(kind.prepare(values, "cpu"), mine, row_weights(mine, 0.5), 12, seed=5), tmp_path / "model")
        return (tmp_path / "model").read_bytes()

    whole = trained(training.values[seen])
    monkeypatch.setattr(kind, "COLUMNS_AT_ONCE", 5, raising=False)
    monkeypatch.setattr(xgb, "BYTES_IN_MEMORY", 0)
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    assert trained(training.of(seen)) == whole
    assert not list(tmp_path.glob("hpa-boost-*")), "the blocks stay on disk"


@pytest.mark.parametrize("name", MEMBERS)
def test_nothing_to_learn_from_gives_one_finite_score(name):
    kind, values = member(name), np.full((30, 3), np.nan, np.float32)
    values[:, 0] = 2
    labels = np.arange(30) < 5
    model = kind.train(kind.prepare(values, "cpu"), labels, row_weights(labels, 0.0), 10, seed=0)
    scores = kind.score(model, values)
    assert np.isfinite(scores).all()
    assert np.ptp(scores) == 0


@pytest.mark.parametrize("n_visits", [2, xgb.BLOCKS + 8])
def test_joined_blocks_score_as_the_blocks_do(n_visits, rng):
    training = training_set(rng)
    prepared = xgb.prepare(training.values, "cpu")
    mine = training.labels[:, 0]
    model = xgb.train(prepared, mine, row_weights(mine, 0.0), n_visits * xgb.TREES_PER_VISIT, seed=1)
    margin = np.zeros(len(mine), np.float32)
    order = np.random.default_rng(1).permutation(len(prepared.blocks))
    for visit in range(n_visits):
        block = prepared.blocks[order[visit % xgb.BLOCKS]]
        block.quantised.set_info(label=mine.astype(np.float32), weight=np.ones(len(mine)), base_margin=margin)
        part = xgboost.train(xgb.SETTINGS | {"seed": 1 + visit}, block.quantised, xgb.TREES_PER_VISIT)
        margin += part.inplace_predict(training.values[:, block.columns], predict_type="margin")
    np.testing.assert_allclose(xgb.score(model, training.values), margin, atol=1e-5)
    assert model.num_features() == training.values.shape[1]
    used = {int(name[1:]) for name in model.get_score()}
    assert used <= set(np.concatenate([prepared.blocks[v].columns for v in order[:n_visits]]).tolist())


def settings(**changes):
    return FitSettings(**{"n_folds": 3, "rounds": 8} | changes)


def all_bytes(folder):
    return {str(p.relative_to(folder)): p.read_bytes() for p in sorted(folder.rglob("*")) if p.is_file()}


def test_worker_count_does_not_change_a_byte_and_lost_units_are_made_again(rng, tmp_path):
    training, folds = training_set(rng), range(3)
    counts = [Count() for _ in range(4)]
    one = train_first_level(training, ORGANELLES, folds, settings(), tmp_path / "one", counts[0])
    two = train_first_level(training, ORGANELLES, folds, settings(workers=2), tmp_path / "two", counts[1])
    whole = all_bytes(tmp_path / "one")
    assert one.tobytes() == two.tobytes()
    assert whole == all_bytes(tmp_path / "two")
    lost = [FoldModel(tmp_path / "two", 7, "xgboost", 1), FoldModel(tmp_path / "two", 0, "lightgbm", 2)]
    lost[0].model.unlink()
    lost[1].note.unlink()
    kept = FoldModel(tmp_path / "two", 25, "linear", 0).model
    before = kept.stat().st_mtime_ns
    again = train_first_level(training, ORGANELLES, folds, settings(), tmp_path / "two", counts[2])
    assert again.tobytes() == one.tobytes()
    assert all_bytes(tmp_path / "two") == whole
    assert kept.stat().st_mtime_ns == before
    train_first_level(training, ORGANELLES, folds, settings(), tmp_path / "two", counts[3])
    assert [count.n for count in counts] == [27] * 4


def test_other_settings_values_or_labels_are_trained_anew(rng, tmp_path):
    training, only = training_set(rng), {"members": ("lightgbm",)}

    def trained(which, changed):
        train_first_level(which, [0], range(3), changed, tmp_path, Count())
        return {json.loads(p.read_text())["stamp"] for p in tmp_path.rglob("*_note.json")}

    values = training.values.copy()
    values[0, 0] += 1
    others = [
        trained(training, settings(**only)),
        trained(training, settings(**only, rounds=9)),
        trained(training, settings(**only, seed=1)),
        trained(Training(values, training.labels, training.groups, training.fold), settings(**only)),
    ]
    assert all(len(keys) == 1 for keys in others)
    assert len(set.union(*others)) == 4
    assert trained(training, settings(**only, workers=3)) == others[0]


def test_every_field_is_in_every_block_and_every_column_in_some(rng):
    """Two columns meet in one or two blocks: fields left out there would never tell anything of the two."""
    values = rng.normal(0, 1, (50, 60)).astype(np.float32)
    blocks = xgb.prepare(values, "cpu").blocks
    assert {block.quantised.num_row() for block in blocks} == {50}
    assert set(np.concatenate([block.columns for block in blocks]).tolist()) == set(range(60))


def test_a_fold_is_scored_without_its_labels_or_the_held_out(rng, tmp_path):
    training = training_set(rng)
    fold = training.fold.copy()
    fold[fold == 2] = -1
    labels = training.labels.copy()
    labels[fold != 1] = ~labels[fold != 1]
    given, turned = (Training(training.values, which, training.groups, fold) for which in (training.labels, labels))
    scores = [
        train_first_level(t, [7], range(2), settings(), tmp_path / str(i), Count())
        for i, t in enumerate((given, turned))
    ]
    np.testing.assert_array_equal(scores[0][fold == 0], scores[1][fold == 0])
    assert np.isnan(scores[0][fold == -1]).all()
    assert np.isnan(scores[0][:, 0]).all()
    assert (scores[0][fold == 1, 7] != scores[1][fold == 1, 7]).any()


def test_trainable_needs_positives_in_as_many_groups_as_folds():
    fold = np.repeat([0, 1, 2, -1], 10)
    labels = np.zeros((40, 5), bool)
    labels[[0, 1, 10, 11, 20], 0] = True
    labels[[0, 1, 10, 11], 1] = True
    labels[:5, 2] = True
    labels[30:, 3] = True
    labels[:, 4] = True
    assert trainable(labels, np.arange(40), fold).tolist() == [True, False, False, False, False]
    assert not trainable(labels, np.arange(40) // 20, fold)[0]


def test_weights_are_bounded():
    labels = np.arange(1000) < 10
    assert row_weights(labels, 0.0).max() == 1
    assert row_weights(labels, 0.5).max() == pytest.approx(np.sqrt(99))
    assert row_weights(labels, 1.0).max() == 10
    assert WeightExponents(0.5, 0.0, {}).of(labels) == 0.5
    assert WeightExponents(0.5, 0.0, {}).of(~labels) == 0.0


def test_the_pilot_sees_only_the_training_part(rng, monkeypatch):
    monkeypatch.setattr("models.first_level.class_weights.PILOT_FIELDS", 50)
    training = training_set(rng)
    seen = np.flatnonzero(training.fold != 1)
    labels = np.where((training.fold == 1)[:, None], ~training.labels, training.labels)
    turned = Training(training.values, labels, training.groups, training.fold)
    kind = member("lightgbm")
    chosen = [choose_exponents(kind, which, seen, settings(rounds=40)) for which in (training, turned)]
    assert chosen[0] == chosen[1]
    assert set(chosen[0].pilot["common"]) == {"0.0", "0.5"}
    assert str(chosen[0].common) == max(chosen[0].pilot["common"], key=chosen[0].pilot["common"].get)


def test_for_a_gpu_all_cores_quantise_to_the_same_bins(rng, monkeypatch):
    asked = []
    quantise = xgboost.QuantileDMatrix
    monkeypatch.setattr(xgb, "default_workers", lambda: 3)
    monkeypatch.setattr(xgboost, "QuantileDMatrix", lambda *a, **k: asked.append(k["nthread"]) or quantise(*a, **k))
    values = rng.normal(size=(3000, 40)).astype(np.float32)
    values[rng.random(values.shape) < 0.1] = np.nan
    one, all_of_them = (xgb.prepare(values, device).blocks for device in ("cpu", "cuda:0"))
    assert asked == [1] * xgb.BLOCKS + [3] * xgb.BLOCKS
    for a, b in zip(one, all_of_them, strict=True):
        for ours, theirs in zip(a.quantised.get_quantile_cut(), b.quantised.get_quantile_cut(), strict=True):
            np.testing.assert_array_equal(ours, theirs)
