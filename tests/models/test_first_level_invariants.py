"""The first level: members that learn, units that are done once, and the same bytes from any number of workers."""

import json
from dataclasses import replace

import lightgbm
import numpy as np
import pytest
import xgboost
from sklearn.kernel_ridge import KernelRidge

from engine.errors import InputError
from models.data.trainability import trainable
from models.evaluation.metrics import average_precision
from models.explanation.shap_values import gain
from models.first_level import kernel, linear
from models.first_level import xgboost as xgb
from models.first_level.class_weights import row_weights
from models.first_level.defaults import default_members, default_parameters, shape_of
from models.first_level.fold_model import FoldModel, Rows, Training, load_models
from models.first_level.members import BOOSTERS, KINDS, column_sets_of, is_member, member
from models.first_level.parameters import LIMITS
from models.first_level.screening import best, rank_columns
from models.first_level.training import train_first_level
from models.folds import make_folds
from models.settings import FitSettings
from store.classes import KAGGLE

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
    column_set = np.array([0] * 6 + [1] * (n_columns - 6), np.int8)
    return Training(values, labels, groups, make_folds(labels, groups, 3, seed=0).fold, column_set, names_of(values))


def names_of(values):
    return np.array([f"Cells_Intensity_{j}" for j in range(values.shape[1])])


def parameters(name, **changes):
    return default_parameters(name, 240, 12) | changes


@pytest.mark.parametrize("name", KINDS)
def test_a_member_learns_saves_and_repeats_itself(name, rng, tmp_path):
    kind, training = member(name), training_set(rng, 600)
    seen, unseen = training.fold != 0, training.fold == 0
    asked = parameters(name)
    for j in ORGANELLES:
        mine, prepared = training.labels[seen, j], kind.prepare(training.values[seen], asked, "cpu")
        model = kind.train(prepared, mine, row_weights(mine, 0.0), asked, seed=5)
        scores = kind.score(model, training.values[unseen])
        assert scores.dtype == np.float32
        assert average_precision(training.labels[unseen, j], scores) > 0.6
        path, shared = tmp_path / f"{j}{kind.SUFFIX}", ()
        kind.save(model, path, training.names)
        if name == "kernel":
            kind.save_shared(prepared, tmp_path / "shared.npy")
            shared = (kind.load_shared(tmp_path / "shared.npy", 12),)
        loaded = kind.load(path, training.values.shape[1], *shared)
        np.testing.assert_array_equal(kind.score(loaded, training.values[unseen]), scores)
        kind.train(prepared, ~mine, row_weights(mine, 0.5), asked, seed=6)
        again = kind.train(prepared, mine, row_weights(mine, 0.0), asked, seed=5)
        kind.save(again, tmp_path / "again", training.names)
        assert (tmp_path / "again").read_bytes() == path.read_bytes()


def test_model_files_name_their_columns_for_other_tools(rng, tmp_path):
    training = replace(training_set(rng), names=np.array(["a b", "a_b", "[x]<1>", "größe", '"q",{}', *"cdefghi"]))
    asked = settings(members=("lightgbm", "xgboost", "linear"), parameters={"xgboost": {"columns": 3}})
    train_first_level(training, [0], [0], asked.for_table(240, 12, ("protein", "landmarks")), tmp_path, Count())
    plain = ["a_b", "a_b_1", "_x__1_", "gr__e", "_q____", *"cdefghi"]
    paths = {name: FoldModel(tmp_path, 0, name, 0, KAGGLE.names).model for name in asked.members}
    of_lightgbm = lightgbm.Booster(model_file=paths["lightgbm"])
    assert of_lightgbm.feature_name() == plain
    of_xgboost, columns = xgboost.Booster(model_file=paths["xgboost"]), [0, 1]
    (model,) = load_models([FoldModel(tmp_path, 0, "xgboost", 0, KAGGLE.names)], 12)
    assert of_xgboost.feature_names == [plain[k] for k in model.columns]
    assert json.loads(paths["linear"].read_text())["columns"] == training.names.tolist()
    used = set(of_xgboost.get_score())
    assert used
    assert used <= {plain[k] for k in model.columns}
    assert gain(model)[columns].sum() > 0.5


@pytest.mark.parametrize("name", KINDS)
def test_values_read_in_pieces_give_the_same_model(name, rng, tmp_path, monkeypatch):
    kind, training = member(name), training_set(rng)
    training.values[rng.random(training.values.shape) < 0.6] = 0  # as many equal values as LightGBM would bundle
    seen = np.flatnonzero(training.fold != 0)
    mine, asked = training.labels[seen, 0], parameters(name)

    def trained(values) -> bytes:
        model = kind.train(kind.prepare(values, asked, "cpu"), mine, row_weights(mine, 0.5), asked, seed=5)
        kind.save(model, tmp_path / "model", training.names)
        return (tmp_path / "model").read_bytes()

    whole = trained(training.values[seen])
    monkeypatch.setattr("models.first_level.standard.COLUMNS_AT_ONCE", 5)
    assert trained(training.of(seen)) == whole


@pytest.mark.parametrize("name", KINDS)
def test_nothing_to_learn_from_gives_one_finite_score(name):
    kind, values = member(name), np.full((30, 3), np.nan, np.float32)
    values[:, 0] = 2
    labels = np.arange(30) < 5
    model = kind.train(kind.prepare(values, parameters(name), "cpu"), labels, row_weights(labels, 0.0),
                       parameters(name), seed=0)  # fmt: skip
    scores = kind.score(model, values)
    assert np.isfinite(scores).all()
    assert np.ptp(scores) < 1e-6


def test_the_kernel_with_all_landmarks_is_scikit_learns_kernel_ridge(rng):
    values = rng.normal(size=(120, 5)).astype(np.float32)
    labels = values[:, 0] * values[:, 1] > 0.2
    prepared = kernel.prepare(values, parameters("kernel"), "cpu")
    model = kernel.train(prepared, labels, np.ones(120), parameters("kernel"), seed=0)
    standard = (values - prepared.landmarks.mean) / prepared.landmarks.scale
    target = (labels - labels.mean()) / labels.std()
    scores = kernel.score(model, values)
    similarity = prepared.landmarks.similarity(standard)
    centred = similarity - similarity.mean(0) - similarity.mean(1)[:, None] + similarity.mean()

    def theirs(shrinkage):
        return KernelRidge(alpha=shrinkage, kernel="precomputed").fit(centred, target).predict(centred)

    off = [np.ptp(scores - theirs(shrinkage)) for shrinkage in kernel.SHRINKAGES]
    assert min(off) < 1e-3 < sorted(off)[1]


def test_the_kernels_left_out_error_is_that_of_fits_without_each_row(rng):
    values = rng.normal(size=(40, 3)).astype(np.float32)
    target = rng.normal(size=40)
    target -= target.mean()
    prepared = kernel.prepare(values, parameters("kernel"), "cpu")
    features = prepared.directions * np.sqrt(prepared.variance)
    errors = []
    for left in range(40):
        rest = np.arange(40) != left
        # The mean is not shrunk, as in the whole fit.
        middle = features[rest].mean(0)
        x, y = features[rest] - middle, target[rest] - target[rest].mean()
        weight = np.linalg.solve(x.T @ x + 1.0 * np.eye(x.shape[1]), x.T @ y)
        errors.append(target[left] - target[rest].mean() - (features[left] - middle) @ weight)
    found = kernel.left_out_errors(prepared, target, prepared.directions.T @ target)[list(kernel.SHRINKAGES).index(1.0)]
    assert found == pytest.approx(np.mean(np.square(errors)), rel=1e-6)


def test_the_kernels_contributions_add_up_to_the_difference_from_the_mean_field(rng):
    values = rng.normal(size=(80, 4)).astype(np.float32)
    labels = values[:, 0] + values[:, 1] ** 2 > 1
    prepared = kernel.prepare(values, parameters("kernel", landmarks=30), "cpu")
    model = kernel.train(prepared, labels, np.ones(80), parameters("kernel"), seed=0)
    base = kernel.score(model, prepared.landmarks.mean[None])
    added = kernel.contributions(model, values).sum(1)
    np.testing.assert_allclose(added, kernel.score(model, values) - base, atol=1e-4)


def planted(rng, n=400, n_columns=300):
    """Organelle 0 goes with column 7; organelle 1 with the difference of 20 and 21, which only together tell."""
    values = rng.normal(0, 1, (n, n_columns)).astype(np.float32)
    nuisance = 5 * rng.normal(0, 1, n)
    labels = np.zeros((n, 28), bool)
    labels[:, 0] = values[:, 7] > 0.5
    hidden = rng.normal(0, 1, n)
    values[:, 20], values[:, 21] = nuisance + hidden, nuisance
    labels[:, 1] = hidden > 0.5
    return values, labels


def test_each_organelle_keeps_its_own_columns_also_those_that_help_only_together(rng):
    values, labels = planted(rng)
    ranking = rank_columns(linear.prepare(values, parameters("linear"), "cpu"), labels, [0, 1])
    assert ranking.shape == (28, 300)
    assert (ranking[2:] == -1).all()
    kept = [best(ranking[j], 12, None).tolist() for j in (0, 1)]
    assert all(one == sorted(one) and len(one) == 12 for one in kept)
    assert 7 in kept[0]
    assert {20, 21} <= set(kept[1])
    assert 20 not in kept[0]
    assert best(ranking[0], 12, np.array([5, 7, 250])).tolist() == [5, 7, 250]


def test_screening_sees_only_the_training_part(rng, tmp_path):
    values, labels = planted(rng)
    fold = np.arange(400) % 3
    turned = np.where((fold == 1)[:, None], ~labels, labels)
    asked = settings(members=("lightgbm",), parameters={"lightgbm": {"columns": 9}})
    kept = []
    for name, which in (("given", labels), ("turned", turned)):
        training = Training(
            values, which, np.arange(400), fold.astype(np.int8), np.full(300, -1, np.int8), names_of(values)
        )
        chosen = asked.for_table(400, 300, ())
        train_first_level(training, [0, 1], [1], chosen, tmp_path / name, Count())
        kept.append(
            [load_models([FoldModel(tmp_path / name, j, "lightgbm", 1, KAGGLE.names)], 300)[0].columns for j in (0, 1)]
        )
    np.testing.assert_array_equal(kept[0], kept[1])
    assert 7 in kept[0][0]


def test_a_member_on_a_set_uses_its_columns_alone(rng, tmp_path):
    training = training_set(rng)
    asked = settings(members=("linear-landmarks", "kernel-protein")).for_table(240, 12, ("protein", "landmarks"))
    scores = train_first_level(training, [0], [0], asked, tmp_path, Count())
    other = replace(training, values=np.where(training.column_set == 0, 1.0, training.values).astype(np.float32))
    again = train_first_level(other, [0], [0], asked, tmp_path / "other", Count())
    np.testing.assert_array_equal(scores[:, 0, 0], again[:, 0, 0])
    (model,) = load_models([FoldModel(tmp_path, 0, "kernel-protein", 0, KAGGLE.names)], 12)
    assert model.columns.tolist() == [0, 1, 2, 3, 4, 5]
    mine = training.fold == 0
    np.testing.assert_array_equal(model.score(training.values[mine]), scores[mine, 0, 1])


def test_a_linear_member_on_two_sets_gives_both_kernels_the_same_trace(rng):
    """Against kernel ridge on the sum of the sets' kernels, each divided by its number of columns."""
    values = rng.normal(size=(60, 24)).astype(np.float32)
    sets = np.repeat([0, 2], [18, 6]).astype(np.int8)
    labels = values[:, 20] + values[:, 1] > 0
    kind, parameters = member("linear"), {"shrinkage": 0.3}
    rows = Rows(values, np.arange(60), np.arange(24), sets)
    found = kind.score(kind.train(kind.prepare(rows, parameters, "cpu"), labels, np.ones(60), parameters, 0), values)
    standard = np.clip((values - values.mean(0)) / values.std(0), -4, 4)
    kernel = 24 / 2 * sum(standard[:, sets == one] @ standard[:, sets == one].T / (sets == one).sum() for one in (0, 2))
    target = (labels - labels.mean()) / labels.std()
    expected = kernel / 60 @ np.linalg.solve(kernel / 60 + 0.3 * np.eye(60), target)
    np.testing.assert_allclose(found, expected, atol=1e-4)
    alone = kind.train(kind.prepare(values, parameters, "cpu"), labels, np.ones(60), parameters, 0)
    assert abs(kind.score(alone, values) - found).max() > 0.01


def test_members_of_several_sets_are_named_with_a_plus():
    assert column_sets_of("linear-protein+embedding") == ("protein", "embedding")
    assert column_sets_of("linear") == ()
    assert is_member("lightgbm-protein+landmarks")
    wrong = ("linear-protein+protein", "linear-protein+x", "linear-", "kernel-protein+embedding", "tree-protein")
    assert [name for name in wrong if is_member(name)] == []


def test_with_an_embedding_boosters_of_large_tables_take_it_apart_and_those_of_small_ones_leave_it_to_linear_models():
    sets = ("protein", "landmarks", "embedding")
    small = ("lightgbm-protein", "xgboost-protein+landmarks", "linear-protein+embedding", "linear-embedding")
    assert default_members(300, 4125, sets) == small
    apart = tuple(f"{k}-{s}" for k in ("lightgbm", "xgboost") for s in ("protein+landmarks", "embedding"))
    assert default_members(30_000, 4125, sets) == (*apart, "linear")
    assert default_members(300, 512, ("embedding",)) == ("lightgbm", "xgboost", "linear", "kernel")


@pytest.mark.parametrize(
    ("rows", "columns", "shape", "members"),
    [
        (60, 15, "narrow", ("lightgbm", "xgboost", "linear", "kernel")),
        (5999, 200, "narrow", ("lightgbm", "xgboost", "linear", "kernel")),
        (6000, 15, "narrow and long", ("lightgbm", "xgboost", "linear", "kernel")),
        (31072, 200, "narrow and long", ("lightgbm", "xgboost", "linear")),
        (1999, 201, "small", ("lightgbm-protein", "xgboost", "linear-protein", "kernel-protein")),
        (2000, 201, "large", ("lightgbm", "xgboost", "linear")),
    ],
)
def test_the_shape_of_the_table_decides(rows, columns, shape, members):
    assert shape_of(rows, columns) == shape
    assert default_members(rows, columns, ("protein", "landmarks")) == members
    assert (default_parameters("lightgbm", rows, columns)["columns"] == 200) == (shape == "large")
    rounds = {"narrow": (70, 80), "narrow and long": (100, 120), "small": (150, 150), "large": (200, 150)}
    assert tuple(default_parameters(kind, rows, columns)["rounds"] for kind in BOOSTERS) == rounds[shape]


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"members": ("forest",)}, "no such member: forest; expected some of lightgbm, xgboost, linear, kernel"),
        ({"members": ("linear-embedding",)}, "the table has no column of the set embedding"),
        (
            {"parameters": {"lightgbm": {"leaves": 3}}},
            r"\[lightgbm\] has no parameter 'leaves'; expected some of",
        ),
        (
            {"parameters": {"xgboost": {"max_depth": "deep"}}},
            r"\[xgboost\] max_depth is 'deep'; expected a whole number from 0 to 50",
        ),
        ({"parameters": {"linear": {"shrinkage": -1.0}}}, r"\[linear\] shrinkage is -1.0"),
        ({"parameters": {"linear": {"shrinkage": 0.0}}}, r"\[linear\] shrinkage is 0.0; expected a number from 1e-06"),
        (
            {"parameters": {"lightgbm": {"feature_fraction": 2}}},
            "feature_fraction is 2; expected a number from 1e-06 to 1",
        ),
        ({"parameters": {"lightgbm": {"rounds": 0}}}, "rounds is 0; expected a whole number from 1 to 100000"),
        ({"parameters": {"lightgbm": {"extra_trees": 1}}}, "extra_trees is 1; expected true or false"),
        ({"members": ("linear", "lightgbm", "linear")}, "member linear is named twice"),
    ],
)
def test_settings_that_cannot_be_are_named(changes, sentence):
    with pytest.raises(ValueError, match=sentence):
        FitSettings(**changes).for_table(100, 20, ("protein",))


@pytest.mark.parametrize("end", [0, 1], ids=["least", "most"])
@pytest.mark.parametrize("name", KINDS)
def test_the_least_and_the_most_of_each_parameter_can_be_used(name, end, rng, tmp_path):
    training, few = training_set(rng), {"rounds": 3} if name in BOOSTERS else {}
    for key, default in default_parameters(name, 240, 12).items():
        if isinstance(default, bool) or (key, end) == ("rounds", 1):  # the most rounds would take minutes
            continue
        changed = few | {key: type(default)(LIMITS[key][end])}
        asked = settings(members=(name,), rounds=None, parameters={name: changed}).for_table(240, 12, ())
        scores = train_first_level(training, ORGANELLES[:1], [0], asked, tmp_path / key, Count())
        assert np.isfinite(scores[training.fold == 0, ORGANELLES[0]]).all(), key


@pytest.mark.parametrize(
    ("spoil", "sentence"),
    [
        (lambda note: note | {"columns": [3, 1]}, "said to use columns that are not among"),
        (lambda note: note | {"columns": [0, 99]}, "said to use columns that are not among"),
        (lambda note: note | {"model": "other"}, "has changed since it was fitted"),
        (lambda note: note | {"shared": "other"}, "has changed since it was fitted"),
        (lambda note: {"stamp": note["stamp"]}, "has no note as fit writes it"),
    ],
)
def test_a_changed_note_is_refused(spoil, sentence, rng, tmp_path):
    asked = settings(members=("kernel",)).for_table(240, 12, ())
    train_first_level(training_set(rng), [0], [0], asked, tmp_path, Count())
    model = FoldModel(tmp_path, 0, "kernel", 0, KAGGLE.names)
    model.note.write_text(json.dumps(spoil(json.loads(model.note.read_text()))))
    with pytest.raises(InputError, match=sentence):
        load_models([model], 12)


def settings(**changes):
    return FitSettings(**{"n_folds": 3, "rounds": 8} | changes)


def whole_settings(**changes):
    """Settings with every parameter, for `training_set`."""
    return settings(**changes).for_table(240, 12, ())


def all_bytes(folder):
    return {str(p.relative_to(folder)): p.read_bytes() for p in sorted(folder.rglob("*")) if p.is_file()}


def test_worker_count_does_not_change_a_byte_and_lost_units_are_made_again(rng, tmp_path):
    training, folds = training_set(rng), range(3)
    counts = [Count() for _ in range(4)]
    one = train_first_level(training, ORGANELLES, folds, whole_settings(), tmp_path / "one", counts[0])
    two = train_first_level(training, ORGANELLES, folds, whole_settings(workers=2), tmp_path / "two", counts[1])
    whole = all_bytes(tmp_path / "one")
    assert one.tobytes() == two.tobytes()
    assert whole == all_bytes(tmp_path / "two")
    lost = [
        FoldModel(tmp_path / "two", 7, "xgboost", 1, KAGGLE.names),
        FoldModel(tmp_path / "two", 0, "lightgbm", 2, KAGGLE.names),
    ]
    lost[0].model.unlink()
    lost[1].note.unlink()
    kept = FoldModel(tmp_path / "two", 25, "linear", 0, KAGGLE.names).model
    before = kept.stat().st_mtime_ns
    again = train_first_level(training, ORGANELLES, folds, whole_settings(), tmp_path / "two", counts[2])
    assert again.tobytes() == one.tobytes()
    assert all_bytes(tmp_path / "two") == whole
    assert kept.stat().st_mtime_ns == before
    train_first_level(training, ORGANELLES, folds, whole_settings(), tmp_path / "two", counts[3])
    assert [count.n for count in counts] == [3 * 3 * len(BOOSTERS)] * 4


def test_other_settings_values_or_labels_are_trained_anew(rng, tmp_path):
    training, only = training_set(rng), {"members": ("lightgbm",)}

    def trained(which, changed):
        train_first_level(which, [0], range(3), changed, tmp_path, Count())
        return {json.loads(p.read_text())["stamp"] for p in tmp_path.rglob("*_note.json")}

    values = training.values.copy()
    values[0, 0] += 1
    others = [
        trained(training, whole_settings(**only)),
        trained(training, whole_settings(**only, rounds=9)),
        trained(training, whole_settings(**only, seed=1)),
        trained(replace(training, values=values), whole_settings(**only)),
    ]
    assert all(len(keys) == 1 for keys in others)
    assert len(set.union(*others)) == 4
    assert trained(training, whole_settings(**only, workers=3)) == others[0]


def test_a_fold_is_scored_without_its_labels_or_the_held_out(rng, tmp_path):
    training = training_set(rng)
    fold = training.fold.copy()
    fold[fold == 2] = -1
    labels = training.labels.copy()
    labels[fold != 1] = ~labels[fold != 1]
    given, turned = (replace(training, labels=which, fold=fold) for which in (training.labels, labels))
    scores = [
        train_first_level(t, [7], range(2), whole_settings(), tmp_path / str(i), Count())
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


def test_for_a_gpu_all_cores_quantise_to_the_same_bins(rng, monkeypatch):
    asked = []
    quantise = xgboost.QuantileDMatrix
    monkeypatch.setattr(xgb, "default_workers", lambda: 3)
    monkeypatch.setattr(xgboost, "QuantileDMatrix", lambda *a, **k: asked.append(k["nthread"]) or quantise(*a, **k))
    values = rng.normal(size=(3000, 40)).astype(np.float32)
    values[rng.random(values.shape) < 0.1] = np.nan
    one, all_of_them = (xgb.prepare(values, parameters("xgboost"), device) for device in ("cpu", "cuda:0"))
    assert asked == [1, 3]
    assert (one.device, all_of_them.device) == ("cpu", "cuda:0")
    for ours, theirs in zip(
        *(one_device.quantised.get_quantile_cut() for one_device in (one, all_of_them)), strict=True
    ):
        np.testing.assert_array_equal(ours, theirs)
