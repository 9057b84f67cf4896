"""Each organelle is drawn where its definition says, measured on cells whose every part is known."""

from dataclasses import replace

import cv2
import numpy as np
import pytest

from simulate.camera import photograph, set_up_camera
from simulate.cell_lines import CELL_LINES
from simulate.field import draw_field, make_cells, paint_protein
from simulate.landmarks import paint_er, paint_microtubules, paint_nucleus
from simulate.layout import CYTOKINESIS, INTERPHASE, METAPHASE, choose_phases, lay_out
from simulate.organelles import RECIPES
from simulate.plan import FieldPlan, draw_style

A431 = next(line for line in CELL_LINES if line.name == "A-431")
STYLE = draw_style(1, np.random.default_rng(0))


def plan_of(*labels, index=0, line=A431):
    style = draw_style(len(labels), np.random.default_rng(index))
    return FieldPlan(index, f"sim-{index:05d}", "train", "antibody-0001", line, labels, style)


@pytest.fixture(scope="module")
def cells():
    """All cells of three fields, dividing ones among them, that lie well inside their field."""
    made = [c for i in range(3) for c in make_cells(plan_of(16, 17), 512, np.random.default_rng(i))]
    return [c for c in made if c.share > 0.6 and c.nucleus.sum() > 0.5 * np.pi * (0.4 * c.body.radius) ** 2]


@pytest.fixture(scope="module")
def interphase(cells):
    return [c for c in cells if c.body.phase == INTERPHASE][:20]


def paint(label, cells, seed=1):
    """The organelle in each of the cells."""
    rng = np.random.default_rng(seed)
    return [RECIPES[label](cell, STYLE, rng) for cell in cells]


def share(images, regions):
    """Share of the staining that lies in regions, over all cells."""
    return sum(float((i * r).sum()) for i, r in zip(images, regions)) / sum(float(i.sum()) for i in images)


def mean(images, regions):
    """Mean staining in regions, over all cells."""
    return sum(float((i * r).sum()) for i, r in zip(images, regions)) / sum(r.sum() for r in regions)


def to_mtoc(images, cells, power=1.0):
    """Mean distance of the brighter staining from the organizing centre, in nuclear radii."""
    far = []
    for image, cell in zip(images, cells):
        y, x = np.mgrid[: cell.shape[0], : cell.shape[1]]
        weight = np.where(image > 0.3 * image.max(), image, 0) ** power
        far.append((np.hypot(x - cell.mtoc[0], y - cell.mtoc[1]) * weight).sum() / weight.sum() / cell.body.radius)
    return float(np.mean(far))


def n_spots(images):
    """Mean number of connected bright spots."""
    return np.mean([cv2.connectedComponents((i > 0.3 * i.max()).astype(np.uint8))[0] - 1 for i in images])


@pytest.mark.parametrize("label", range(28))
def test_every_recipe_draws_in_its_cell(label, cells, interphase):
    phase = {16: CYTOKINESIS, 17: METAPHASE}.get(label, INTERPHASE)
    chosen = [c for c in cells if c.body.phase == phase][:20]
    if label == 22:
        chosen = [c for c in chosen if c.contact.any()]
    images = paint(label, chosen)
    assert chosen
    for image, cell in zip(images, chosen):
        assert (image.dtype, image.shape) == (np.float32, cell.shape)
        assert np.isfinite(image).all()
        assert image.min() >= 0
        if label != 16:
            assert not image[~cell.mask].any()
    assert np.mean([image.max() > 0.25 for image in images]) > 0.7
    other = np.random.default_rng(9)
    assert any((RECIPES[label](c, STYLE, other) != image).any() for c, image in zip(chosen, images))


@pytest.mark.parametrize("label", [0, 1, 2, 3, 4, 5])
def test_nuclear_organelles_lie_in_the_nucleus(label, interphase):
    assert share(paint(label, interphase), [c.nucleus for c in interphase]) > 0.95


@pytest.mark.parametrize("label", [6, 7, 8, 9, 10, 11, 13, 20, 23, 24, 25, 26, 27])
def test_cytoplasmic_organelles_lie_outside_the_nucleus(label, interphase):
    outside = [c.mask & ~c.nucleus for c in interphase]
    assert share(paint(label, interphase), outside) > (0.7 if label == 27 else 0.88)


def test_nuclear_membrane_is_a_ring(interphase):
    images = paint(1, interphase)
    rim, core = [c.nucleus & (c.depth < 3) for c in interphase], [c.depth > 6 for c in interphase]
    assert mean(images, rim) > 3 * mean(images, core)


def test_nucleoplasm_spares_the_nucleoli_that_others_fill(interphase):
    inside, around = [c.nucleolar > 0.9 for c in interphase], [c.nucleus & (c.nucleolar == 0) for c in interphase]
    assert mean(paint(0, interphase), inside) < 0.6 * mean(paint(0, interphase), around)
    assert mean(paint(2, interphase), inside) > 8 * mean(paint(2, interphase), around)
    assert mean(paint(3, interphase), inside) > 4 * mean(paint(3, interphase), around)
    assert n_spots(paint(3, interphase)) > n_spots(paint(2, interphase))


def test_speckles_are_more_than_bodies(interphase):
    assert n_spots(paint(4, interphase)) > 1.8 * n_spots(paint(5, interphase))


def test_vesicles_differ_in_number_and_place(interphase):
    images = {label: paint(label, interphase) for label in (8, 9, 10, 26)}
    counts = {label: n_spots(i) for label, i in images.items()}
    assert counts[8] > 1.5 * counts[9] > 1.5 * counts[26] > 3
    assert to_mtoc(images[10], interphase) < 0.75 * to_mtoc(images[9], interphase)
    assert to_mtoc(images[9], interphase) < 1.05 * to_mtoc(images[8], interphase)


def test_centrosome_is_a_sharper_spot_than_the_organizing_centre(interphase):
    whole = [c for c in interphase if c.mask[tuple(np.clip(c.mtoc[::-1].astype(int), 0, np.array(c.shape) - 1))]]
    centre, haze = paint(19, whole), paint(18, whole)
    assert to_mtoc(centre, whole) < 0.4
    assert to_mtoc(haze, whole) < 0.5
    width = [np.mean([(i > i.max() / 2).sum() for i in images]) for images in (centre, haze)]
    assert 1.4 * width[0] < width[1]


def test_golgi_and_aggresome_gather_at_the_organizing_centre(interphase):
    everywhere = to_mtoc(paint(25, interphase), interphase)
    assert to_mtoc(paint(7, interphase), interphase) < 0.6 * everywhere
    assert n_spots(paint(7, interphase)) > 1


def test_borders(interphase):
    edge, inner = [c.mask & (c.rim < 3) for c in interphase], [c.rim > 10 for c in interphase]
    membrane = paint(21, interphase)
    assert mean(membrane, edge) > 2.5 * mean(membrane, inner)
    touching = [c for c in interphase if c.contact.sum() > 30 and (~c.contact & c.mask & (c.rim < 3)).sum() > 30]
    junctions = paint(22, touching)
    free = [c.mask & (c.rim < 3) & (cv2.dilate(c.contact.astype(np.uint8), np.ones((9, 9))) == 0) for c in touching]
    assert mean(junctions, [c.contact for c in touching]) > 6 * mean(junctions, free)
    adhesions = paint(13, interphase)
    below = [(c.rim > 1) & (c.rim < 9) for c in interphase]
    assert mean(adhesions, below) > 3 * mean(adhesions, [c.rim > 14 for c in interphase])


def test_stress_fibres_run_along_the_cell(interphase):
    turned = []
    for image, cell in zip(paint(12, interphase), interphase):
        gx, gy = (cv2.Sobel(image, cv2.CV_32F, *d, ksize=3)[cell.rim > 8] for d in ((1, 0), (0, 1)))
        across = 0.5 * np.arctan2(2 * (gx * gy).sum(), (gx**2 - gy**2).sum())
        turned.append(np.cos(2 * (across + np.pi / 2 - cell.body.axis)))
    assert np.mean(turned) > 0.7


def test_microtubule_ends_are_tips_of_the_same_fibres(interphase):
    rng = np.random.default_rng(0)
    channel = [paint_microtubules(c, rng) for c in interphase]
    together = [
        [np.corrcoef(i[c.mask], m[c.mask])[0, 1] for i, m, c in zip(paint(k, interphase), channel, interphase)]
        for k in (14, 15)
    ]
    assert np.mean(together[0]) > 0.8
    assert 0.05 < np.mean(together[1]) < 0.6
    assert to_mtoc(paint(15, interphase), interphase) > 1.1 * to_mtoc(paint(14, interphase), interphase)


def test_er_antibody_looks_like_the_er_channel(interphase):
    rng = np.random.default_rng(0)
    alike = [np.corrcoef(i[c.mask], paint_er(c, rng)[c.mask])[0, 1] for i, c in zip(paint(6, interphase), interphase)]
    assert np.mean(alike) > 0.7


@pytest.mark.parametrize(("label", "phase"), [(16, CYTOKINESIS), (17, METAPHASE)])
def test_events_are_drawn_in_dividing_cells_only(label, phase, cells):
    for image, cell in zip(paint(label, cells), cells):
        assert bool(image.any()) == (cell.body.phase == phase)


def test_dividing_cells_show_it_in_the_landmarks(cells, interphase):
    rng = np.random.default_rng(0)
    mitotic = [c for c in cells if c.body.phase == METAPHASE]
    assert mean([paint_nucleus(c, rng) for c in mitotic], [c.nucleus for c in mitotic]) > 1.5 * mean(
        [paint_nucleus(c, rng) for c in interphase], [c.nucleus for c in interphase]
    )
    assert np.mean([c.nucleus.sum() for c in mitotic]) < 0.6 * np.mean([c.nucleus.sum() for c in interphase])
    spindle = [
        np.corrcoef(i[c.mask], paint_microtubules(c, rng)[c.mask])[0, 1] for i, c in zip(paint(17, mitotic), mitotic)
    ]
    assert min(spindle) > 0.6


@pytest.mark.parametrize("line", CELL_LINES, ids=lambda line: line.name)
@pytest.mark.parametrize(("label", "phase"), [(16, CYTOKINESIS), (17, METAPHASE)])
def test_a_field_of_events_has_one_to_few(label, phase, line):
    for seed, size in enumerate([512, 512, 300, 300, 160, 160]):
        bodies = lay_out(line, (0, label), size, 1.0, np.random.default_rng(seed))
        middles = [np.mean([(o.x, o.y) for o in b.nuclei], 0) for b in bodies if b.phase == phase]
        inside = [((middle > 0) & (middle < size)).all() for middle in middles]
        assert 1 <= sum(inside) <= 6


def test_asked_events_are_moved_into_the_field(rng):
    for _ in range(20):
        centres, phases = choose_phases(rng.choice([-20.0, 120.0], (9, 2)), (0, 16, 17), 100, rng)
        assert {METAPHASE, CYTOKINESIS} <= set(phases)
        inside = ((centres > 0) & (centres < 100)).all(1)
        assert {METAPHASE, CYTOKINESIS} <= {phase for phase, seen in zip(phases, inside) if seen}


def test_a_field_of_two_labels_shows_both(interphase):
    rng = np.random.default_rng(3)
    both = [paint_protein(c, plan_of(0, 21), rng) for c in interphase]
    outside = [c.mask & ~c.nucleus & (c.rim > 6) for c in interphase]
    for regions in ([c.nucleus for c in interphase], [c.mask & (c.rim < 3) for c in interphase]):
        assert mean(both, regions) > 1.6 * mean(both, outside)


def test_camera_leaves_empty_glass_black_and_bright_structures_bright(rng):
    planes = np.zeros((4, 80, 80), np.float32)
    planes[:, 20:60, 20:60] = 1
    for _ in range(40):
        camera = replace(set_up_camera(100, rng), crosstalk=0.0)
        picture = photograph(planes, camera, rng)
        assert np.median(picture[:, :10], axis=(1, 2)).max() <= 3
        inside = picture[:, 28:52, 28:52].mean((1, 2))
        expected = np.minimum(camera.gain - camera.offset, 255)
        assert (inside < 1.1 * expected + 8).all()
        assert (inside > 0.55 * expected - 8).all()


def test_fewer_photons_make_a_noisier_picture(rng):
    planes = np.full((4, 80, 80), 0.5, np.float32)
    camera = replace(set_up_camera(100, rng), gain=np.full(4, 200, np.float32), readout=0.0, crosstalk=0.0)
    photons = np.array([0.1, 0.2, 0.4, 0.8], np.float32)
    picture = photograph(planes, replace(camera, photons=photons), rng)
    np.testing.assert_allclose(picture.var((1, 2)), 100 / photons, rtol=0.15)


def test_a_field_is_dark_between_its_cells_and_bright_in_them():
    for index, line in enumerate(CELL_LINES):
        field = draw_field(plan_of(25, index=index, line=line), 200, seed=0)
        assert (field.shape, field.dtype) == ((4, 200, 200), np.uint8)
        assert all(plane.max() > 2 * max(1, plane.min()) for plane in field)
