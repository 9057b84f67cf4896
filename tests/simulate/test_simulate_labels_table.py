"""The plan of a simulation against the table it is drawn from (and, where it is at hand, the real train.csv)."""

from collections import Counter
from itertools import pairwise

import numpy as np
import pandas as pd
import pytest

from simulate.labels import FLOOR, N_ORGANELLES, draw_label_sets, floor_for, label_sets
from simulate.plan import CELL_JUNCTIONS, make_plan


def prevalences(sets, counts=None):
    """Share of each organelle in (weighted) label sets."""
    counts = np.ones(len(sets)) if counts is None else np.asarray(counts, float)
    held = np.array([[organelle in labels for organelle in range(N_ORGANELLES)] for labels in sets])
    return counts @ held / counts.sum()


def test_prevalences_follow_the_table(rng):
    table = label_sets()
    drawn = prevalences(draw_label_sets(2000, 0, rng))
    assert abs(drawn - prevalences(list(table), list(table.values()))).max() < 0.01


def test_the_table_is_the_real_one(shared_data):
    real = [tuple(map(int, text.split())) for text in pd.read_csv(shared_data / "tables" / "train.csv").Target]
    counts = Counter(tuple(sorted(labels)) for labels in real)
    table = label_sets()
    assert all(counts[labels] == count for labels, count in table.items())
    assert sum(table.values()) > 0.96 * len(real)
    ours, theirs = prevalences(list(table), list(table.values())), prevalences(real)
    np.testing.assert_allclose(ours, theirs, rtol=0.16)


@pytest.mark.parametrize(("fields", "floor"), [(125, 1), (250, 2), (500, FLOOR), (2000, FLOOR)])
@pytest.mark.parametrize("seed", [0, 1, 2])
def test_every_organelle_reaches_the_floor(fields, floor, seed):
    sets = {plan.group: plan.labels for plan in make_plan(fields, 50, seed) if plan.split == "train"}
    antibodies = np.array([sum(organelle in labels for labels in sets.values()) for organelle in range(N_ORGANELLES)])
    assert antibodies.min() >= floor == floor_for(fields)
    assert antibodies.argmax() == 0
    assert floor_for(500) == FLOOR
    assert floor_for(124) == 0


def test_an_antibody_has_two_to_six_fields_one_label_set_and_one_style():
    plan = make_plan(300, 40, 5)
    groups = pd.DataFrame([(p.group, p.labels, p.style, p.split, p.cell_line.name) for p in plan])
    sizes = groups.groupby(0).size()
    assert sizes.between(2, 6).all()
    assert sizes.nunique() == 5
    assert len(groups[[0, 1, 2, 3]].drop_duplicates()) == len(sizes)
    assert set(groups.groupby(0)[4].nunique()) == {1, 2, 3}
    assert groups[4].nunique() >= 6
    assert groups.drop_duplicates(0)[2].nunique() == len(sizes)


def test_ids_say_nothing_about_antibodies():
    groups = [plan.group for plan in make_plan(300, 0, 5)]
    neighbours_alike = np.mean([a == b for a, b in pairwise(groups)])
    assert neighbours_alike < 0.06


def test_junctions_are_stained_where_cells_form_them():
    plan = [p for p in make_plan(500, 0, 3) if CELL_JUNCTIONS in p.labels]
    assert plan
    assert all(p.cell_line.epithelial for p in plan)


@pytest.mark.parametrize(("fields", "test_fields"), [(1, 0), (2, 1), (3, 7), (17, 5)])
def test_any_number_of_fields(fields, test_fields):
    plan = make_plan(fields, test_fields, 0)
    assert [p.index for p in plan] == list(range(fields + test_fields))
    assert [p.split for p in plan] == ["train"] * fields + ["test"] * test_fields
    assert not {p.group for p in plan[:fields]} & {p.group for p in plan[fields:]}
