"""The same pixels give the same values, whatever bit depth, camera offset and pixel size they are stored with."""

from dataclasses import replace

import cv2
import numpy as np
import pytest
import tifffile

from engine.errors import FieldError, InputError
from features.reading.field_reading import read_field, read_field_pixels
from features.reading.fields import find_fields
from features.reading.options import FOUR_COLOURS, ReadingOptions
from features.reading.survey import Acquisition, brightest_of, survey, survey_like, unknown_size

COLOURS = ("red", "green", "blue", "yellow")


@pytest.fixture
def planes(rng):
    found = {colour: rng.integers(0, 256, (48, 64)).astype(np.uint8) for colour in COLOURS}
    for plane in found.values():
        plane[:4], plane[4] = 0, 255
    return found


def stored(folder, planes, change, **options):
    """A field written with changed values; options go to tifffile."""
    folder.mkdir()
    for colour, plane in planes.items():
        tifffile.imwrite(folder / f"f1_{colour}.tif", change(plane), **options)
    return find_fields(folder)


def surveyed(source, options=FOUR_COLOURS) -> Acquisition:
    return survey([source], options, lambda: brightest_of(source))


def like(source, run, **options) -> np.ndarray:
    """The pixels of a new field, brought to the scale of a run."""
    reading = replace(source.options, **options)
    found = survey_like([source], reading, lambda: brightest_of(source), run)
    return read_field(replace(source, options=reading, scale=found.scale), "f1")


@pytest.fixture
def run(tmp_path, planes) -> tuple[Acquisition, np.ndarray]:
    """Scale and pixels of fields of 8 bits."""
    source = stored(tmp_path / "run", planes, lambda plane: plane)
    acquisition = surveyed(source)
    return acquisition, read_field(replace(source, scale=acquisition.scale), "f1")


WRITTEN = {
    "8 bits": (lambda plane: plane, {}),
    "12 of 16 bits": (lambda plane: (plane * (4095 / 255)).round().astype(np.uint16), {}),
    "16 bits": (lambda plane: plane.astype(np.uint16) * 257, {}),
    "12 of 16 bits, offset 100": (lambda plane: (plane * (4095 / 255)).round().astype(np.uint16) + 100, {"auto": True}),
    "16 bits, offset 32768": (lambda plane: plane.astype(np.uint16) * 16 + 32768, {"auto": True}),
}


@pytest.mark.parametrize("name", WRITTEN)
def test_bit_depth_and_offset_do_not_matter(name, run, planes, tmp_path):
    change, given = WRITTEN[name]
    source = stored(tmp_path / "new", planes, change)
    options = {"camera_offset": "auto"} if given else {}
    difference = np.abs(like(source, run[0], **options).astype(int) - run[1])
    assert difference.max() <= 1


def test_an_offset_that_the_run_has_not_is_refused_until_the_user_decides(run, planes, tmp_path):
    source = stored(tmp_path / "new", planes, lambda plane: np.minimum(plane, 200) + np.uint8(50))
    with pytest.raises(InputError, match=r"darkest pixels of the new fields lie at 19.6%.*--camera-offset auto"):
        like(source, run[0])
    np.testing.assert_array_equal(like(source, run[0], camera_offset=50), np.minimum(run[1], 200))
    np.testing.assert_array_equal(like(source, run[0], camera_offset=0), np.minimum(run[1], 200) + 50)


def test_the_level_is_derived_from_all_files_and_said(planes, tmp_path):
    source = stored(tmp_path / "new", planes, lambda plane: plane.astype(np.uint16) * 16)
    found = surveyed(source)
    assert (found.scale.bits, found.scale.level) == (16, 4095)
    assert found.sentences() == [
        "highest value of a pixel: 4,095 (the 16-bit files state none; derived from the brightest pixel of all, 4,080; "
        "see --max-level)"
    ]
    assert surveyed(source, ReadingOptions(max_level=65535)).scale.level == 65535


def test_unstated_bits_of_new_fields_are_those_of_the_run(planes, tmp_path):
    """A dim field would else be taken for one of fewer bits."""
    run = surveyed(stored(tmp_path / "run", planes, lambda plane: plane.astype(np.uint16) * 16))
    dim = stored(tmp_path / "new", planes, lambda plane: plane.astype(np.uint16) * 2)
    assert like(dim, run).max() == round(510 * 65535 / 4095)


def test_new_fields_brighter_than_those_of_the_run_are_not_put_on_another_scale(planes, tmp_path):
    """One hot pixel would else make all new fields a quarter as bright."""
    run = surveyed(stored(tmp_path / "run", planes, lambda plane: plane.astype(np.uint16) * 4))
    assert run.scale.level == 1023
    planes["red"][0, 0] = 200
    hot = stored(tmp_path / "new", planes, lambda plane: np.where(plane == 200, 2000, plane.astype(np.uint16) * 4))
    with pytest.raises(InputError, match=r"one has 2,000, above the run's 1,023.*the run again with --max-level 4095"):
        like(hot, run)
    assert like(hot, run, max_level=4095).max() == round(2000 * 65535 / 4095)


def test_stated_and_unstated_bits_are_not_mixed(planes, tmp_path, monkeypatch):
    stated = {"ome": True, "metadata": {"SignificantBits": 12}}
    source = stored(tmp_path / "all", planes, lambda plane: plane.astype(np.uint16) * 4)
    for colour, plane in planes.items():
        tifffile.imwrite(tmp_path / "all" / f"f2_{colour}.tif", plane.astype(np.uint16) * 4, **stated)
    source = find_fields(tmp_path / "all")
    with pytest.raises(InputError, match=r"state their highest value \(4,095\) and others none.*1,020.*--max-level"):
        surveyed(source)
    monkeypatch.setattr("features.reading.survey.SAMPLED", 1)
    found = replace(source, scale=surveyed(source).scale)
    assert read_field(found, "f1").max() == round(1020 * 65535 / 1023)
    with pytest.raises(FieldError, match=r"at most 4,095; other images state no highest value and are read with 1,023"):
        read_field(found, "f2")
    same = surveyed(source, ReadingOptions(max_level=4095))
    assert read_field(replace(source, scale=same.scale), "f2").max() == round(1020 * 65535 / 4095)


def test_stated_bits_need_no_look_at_all_files(planes, tmp_path):
    options = {"ome": True, "metadata": {"SignificantBits": 12, "PhysicalSizeX": 0.25, "PhysicalSizeY": 0.25}}
    source = stored(tmp_path / "new", planes, lambda plane: plane.astype(np.uint16) * 16, **options)
    found = survey([source], FOUR_COLOURS, lambda: pytest.fail("all files were read"))
    field = read_field_pixels(replace(source, scale=found.scale), "f1")
    assert (field.facts.level, field.facts.pixel_size) == (4095, 0.25)
    assert found.sentences() == ["pixel size: 0.25 µm (stated by the files)"]
    assert field.pixels.max() == round(4080 * 65535 / 4095)


def test_another_pixel_size_is_brought_to_that_of_the_run(planes, tmp_path):
    source = stored(tmp_path / "run", planes, lambda plane: plane)
    run = surveyed(source, ReadingOptions(pixel_size=0.2))
    pixels = read_field(replace(source, scale=run.scale), "f1")
    fine = stored(tmp_path / "fine", planes, lambda plane: np.kron(plane, np.ones((2, 2), np.uint8)))
    np.testing.assert_array_equal(like(fine, run, pixel_size=0.1), pixels)
    with pytest.raises(InputError, match=r"pixels of 0.2 µm, and the new images do not state.*--pixel-size"):
        like(fine, run)


def test_fields_of_two_pixel_sizes_are_brought_to_one(planes, tmp_path):
    folder = tmp_path / "all"
    stored(folder, planes, lambda plane: plane, ome=True, metadata={"PhysicalSizeX": 0.2, "PhysicalSizeY": 0.2})
    for colour, plane in planes.items():
        cubic = cv2.resize(plane, None, fx=2, fy=2, interpolation=cv2.INTER_CUBIC)
        tifffile.imwrite(folder / f"a0_{colour}.tif", cubic, ome=True, metadata={"PhysicalSizeX": 0.1})
    source = find_fields(folder)
    found = surveyed(source)
    assert "2 sizes: the others are brought to this one" in found.size_from
    scaled = replace(source, scale=found.scale)
    assert read_field(scaled, "a0").shape == read_field(scaled, "f1").shape


def of_sizes(folder, planes, **sizes):
    """Fields of which each states its pixel size, or none."""
    folder.mkdir()
    for field, size in sizes.items():
        stated = {"PhysicalSizeX": size, "PhysicalSizeY": size} if size else {}
        for colour, plane in planes.items():
            tifffile.imwrite(folder / f"{field}_{colour}.tif", plane, ome=bool(size), metadata=stated)
    return find_fields(folder)


@pytest.mark.parametrize(
    ("of_first", "of_other", "sentence"),
    [
        (
            0.2,
            None,
            r"field f2: f2_\w+.tif states no pixel size while other images do, .* 0.2 µm\. .*--pixel-size UM\.$",
        ),
        (
            None,
            0.1,
            r"field f2: f2_\w+.tif states a pixel size \(0.1 µm\) and other images none\. .*--pixel-size UM\.$",
        ),
    ],
    ids=["states none", "states one"],
)
def test_a_field_that_the_survey_has_not_seen_and_that_contradicts_it_fails(
    of_first, of_other, sentence, planes, tmp_path, monkeypatch
):
    monkeypatch.setattr("features.reading.survey.SAMPLED", 1)
    source = of_sizes(tmp_path / "all", planes, f1=of_first, f2=of_other)
    run = surveyed(source)
    new = survey_like([source], FOUR_COLOURS, lambda: 255, run)
    for found in (run, new):
        scaled = replace(source, scale=found.scale)
        assert read_field(scaled, "f1").shape == (4, 48, 64)
        with pytest.raises(FieldError, match=sentence):
            read_field(scaled, "f2")
    given, brought = ReadingOptions(pixel_size=0.3), 72 if of_first else 48  # px of 0.3 µm, to 0.2 µm or as they are
    for found, height in ((surveyed(source, given), 48), (survey_like([source], given, lambda: 255, run), brought)):
        assert read_field(replace(source, scale=found.scale), "f2").shape[1] == height


def test_new_fields_that_state_a_size_are_read_where_that_of_the_run_is_not_known(run, planes, tmp_path):
    source = of_sizes(tmp_path / "new", planes, f1=0.1)
    np.testing.assert_array_equal(like(source, run[0]), run[1])


def test_a_pixel_above_the_level_is_a_sentence(planes, tmp_path):
    source = stored(tmp_path / "new", planes, lambda plane: plane.astype(np.uint16) * 257)
    found = surveyed(source, ReadingOptions(max_level=4095))
    with pytest.raises(FieldError, match=r"has a pixel of 65,535, above the highest value 4,095.*--max-level"):
        read_field(replace(source, scale=found.scale), "f1")


def stating(folder, planes, size, bits=16, times=1):
    """A field of 12-bit values whose files state a pixel size and bits."""
    stated = {"PhysicalSizeX": size, "PhysicalSizeY": size, "SignificantBits": bits}

    def change(plane):
        return np.kron(plane, np.ones((times, times), np.uint8)).astype(np.uint16) * 16

    return stored(folder, planes, change, ome=True, metadata=stated)


@pytest.fixture
def corrected(planes, tmp_path) -> tuple[Acquisition, np.ndarray]:
    """Scale and pixels of fields of a microscope that states 16 bits and 0.4 µm of 12 bits and 0.2 µm."""
    source = stating(tmp_path / "run", planes, 0.4)
    run = surveyed(source, ReadingOptions(max_level=4095, pixel_size=0.2))
    return run, read_field(replace(source, scale=run.scale), "f1")


def test_what_the_user_corrected_in_the_files_of_the_run_holds_for_new_ones(corrected, planes, tmp_path):
    run, pixels = corrected
    assert run.overruled == (0.4,)
    same = stating(tmp_path / "same", planes, 0.4)
    np.testing.assert_array_equal(like(same, run), pixels)
    assert survey_like([same], same.options, lambda: 0, run).sentences() == [
        "highest value of a pixel: 4,095 (--max-level of the run)",
        "pixel size: 0.2 µm (--pixel-size of the run, whose files state 0.4 µm too)",
    ]
    doubled = stating(tmp_path / "doubled", planes, 0.4, times=2)
    given = like(doubled, run, pixel_size=0.1, max_level=8191)
    assert given.shape == pixels.shape
    assert given.max() == round(4080 * 65535 / 8191)


def test_another_size_than_the_one_corrected_is_asked_for(corrected, planes, tmp_path):
    run, pixels = corrected
    with pytest.raises(InputError, match=r"files state 0.4 µm, which .* to 0.2 µm; the new images state 0.1 µm"):
        like(stating(tmp_path / "other", planes, 0.1), run)
    right = stating(tmp_path / "right", planes, 0.2, bits=12)
    np.testing.assert_array_equal(like(right, run), pixels)
    assert "of the run, to which" in survey_like([right], right.options, lambda: 0, run).size_from


def test_the_level_of_a_run_of_16_bits_is_not_that_of_new_files_of_8(corrected, planes, tmp_path):
    eight = stored(tmp_path / "eight", planes, lambda plane: plane, ome=True, metadata={"PhysicalSizeX": 0.2})
    assert like(eight, corrected[0]).max() == 65535


def test_a_pixel_size_that_cannot_be_used_is_a_sentence(run, planes, tmp_path):
    source = stored(tmp_path / "new", planes, lambda plane: plane)
    assert unknown_size([source], FOUR_COLOURS, run[0]) == ""
    said = unknown_size([source], ReadingOptions(pixel_size=0.1), run[0])
    assert said.startswith(
        "--pixel-size 0.1 cannot bring the new fields to the scale of the run, whose pixel size is not"
    )
    stated = stating(tmp_path / "stated", planes, 0.1)
    assert unknown_size([stated], FOUR_COLOURS, run[0]).startswith("the new fields have pixels of 0.1 µm; those of the")
