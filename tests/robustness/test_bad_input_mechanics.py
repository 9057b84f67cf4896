"""Bad input of every kind, through the readers: its sentence or its right pixels, never a crash, a hang or a flood."""

import os
import string
import subprocess
import sys
import zipfile
from pathlib import Path

import cv2
import numpy as np
import pytest
from hostile_images import FOLDERS, NAMES, SHAPE, damaged_lzw, good_field, plane, tiff
from hostile_tables import ANY, IDS, TARGETS, of_column, of_id
from hostile_zips import ZIPS
from hypothesis import given, settings
from hypothesis import strategies as st
from masked_field import read_masked

from commands.submit import read_wanted
from engine.csv_table import read_csv_table
from engine.errors import FieldError, InputError, UsageError
from engine.files import write_csv
from engine.ids import LONGEST, inert, shown, why_no_id
from features.embedding.user_network import read_numbers
from features.reading.field_reading import read_field
from features.reading.fields import find_fields
from features.reading.file_names import hpa_name
from models.data.groups import read_groups
from models.data.labels import read_labels

ROOT = Path(__file__).resolve().parents[2]
QUICK = settings(max_examples=40)
READERS = {
    "Target": read_labels,
    "Group": lambda path: read_groups(path, ["f1"]),
    "Predicted": lambda path: read_wanted(path, []),
}
NUMBERS = st.lists(st.floats(), min_size=1, max_size=5).map(lambda numbers: ",".join(map(str, numbers)))


def said(error: InputError) -> str:
    """The sentence; it is one line, and it ends."""
    assert str(error).endswith(".")
    assert str(error).isprintable()
    assert len(str(error)) < 800
    return str(error)


def read_or_say(source: Path) -> str | np.ndarray:
    try:
        fields = find_fields(source)
        return read_field(fields, fields.ids[0])
    except InputError as error:
        return said(error)


@pytest.mark.parametrize("case", [*FOLDERS, *ZIPS], ids=lambda case: case.name)
def test_an_image_is_read_or_its_sentence_given(case, tmp_path):
    source = tmp_path / "train.zip" if case in ZIPS else tmp_path
    if case in FOLDERS:
        good_field(tmp_path)
    case.spoil(source)
    found = read_or_say(source)
    if case.words:
        assert isinstance(found, str)
        assert case.words in found
    else:
        assert not isinstance(found, str), found
        assert found.shape == (4, *SHAPE)
        np.testing.assert_array_equal(found[0], plane())


def test_nothing_is_written_where_a_zip_points(tmp_path):
    (tmp_path / "inner").mkdir()
    for case in ZIPS:
        case.spoil(tmp_path / "inner" / "train.zip")
        read_or_say(tmp_path / "inner" / "train.zip")
    assert [path.name for path in tmp_path.rglob("*")] == ["inner", "train.zip"]


@pytest.mark.parametrize(("name", "words"), NAMES, ids=lambda value: ascii(value)[:20])
def test_an_id_is_used_as_it_is_or_refused(name, words, tmp_path):
    try:
        good_field(tmp_path, name)
    except OSError:
        pytest.skip("this file system has no such names")
    found = read_or_say(tmp_path)
    assert (words in found) if words else not isinstance(found, str)


@pytest.mark.parametrize("column", READERS)
@pytest.mark.parametrize(("name", "content", "words"), [
    *((name, content, words) for name, content, words in ANY),
    *((name, cell, words) for name, cell, words in IDS),
], ids=lambda value: value if isinstance(value, str) and value.isascii() and len(value) < 30 else "")  # fmt: skip
def test_a_table_is_read_or_its_sentence_given(column, name, content, words, tmp_path):
    path = tmp_path / "table.csv"
    path.write_bytes(of_column(content, column) if isinstance(content, bytes) else of_id(content, column))
    if not words:
        READERS[column](path)
        return
    if column == "Predicted" and name == "a cell of 200,000 characters":
        pytest.skip("said of any column")
    with pytest.raises(InputError) as caught:
        READERS[column](path)
    assert words in said(caught.value)
    assert "table.csv" in str(caught.value)


@pytest.mark.parametrize(("name", "target", "words"), TARGETS)
def test_a_target_is_read_or_its_sentence_given(name, target, words, tmp_path):
    (tmp_path / "train.csv").write_text(f"Id,Target\nf1,{target}\n", encoding="utf-8")
    if not words:
        assert read_labels(tmp_path / "train.csv").matrix.any()
        return
    with pytest.raises(InputError) as caught:
        read_labels(tmp_path / "train.csv")
    assert words in said(caught.value)


def test_a_row_with_a_cell_too_many_is_not_shifted(tmp_path):
    """pandas took its first cell for an index, and the label for the id."""
    (tmp_path / "train.csv").write_text("Id,Target\nf1,1,2\nf2,3,4\n")
    with pytest.raises(InputError, match="line 2: found 3 cells, expected 2"):
        read_labels(tmp_path / "train.csv")


def cells_like(shape: tuple[int, int] = SHAPE) -> np.ndarray:
    labels = np.zeros(shape, np.int32)
    labels[4:30, 4:30], labels[32:60, 40:70] = 1, 2
    return labels


MASKS = {
    "wrong size": (np.ones((65, 80), np.uint16), "is 80 x 65 px but the images are 80 x 64 px"),
    "floats": (cells_like().astype(np.float32), "holds float32 values"),
    "negative": (cells_like() - 1, "holds ids from -1 to 1"),
    "2^31": (cells_like().astype(np.uint32) * np.uint32(2**31), "holds ids from 0 to 2147483648"),
    "2^63": (cells_like().astype(np.uint64) * np.uint64(2**62), "holds ids from 0 to 9223372036854775808"),
    "two pages": (np.stack([cells_like()] * 2), "is a stack of 2 images"),
    "huge": (np.zeros((16, 20_001), np.uint8), "is too large"),
    "nothing in it": (np.zeros(SHAPE, np.uint8), "the mask of cells"),
}


@pytest.mark.parametrize("name", MASKS)
def test_a_mask_gives_its_sentence(name, tmp_path):
    image, words = MASKS[name]
    tifffile_options = {"photometric": "minisblack"}
    (tmp_path / "f1_cells.tif").write_bytes(tiff(image, **tifffile_options))
    (tmp_path / "f1_nuclei.tif").write_bytes(tiff(cells_like(), **tifffile_options))
    with pytest.raises(FieldError) as caught:
        read_masked(tmp_path, SHAPE)
    assert words in said(caught.value)
    assert caught.value.stage == "segment"


def test_an_id_with_a_subfolder_is_shown_as_extract_makes_it(tmp_path):
    (tmp_path / "train.csv").write_text("Id,Target\nPlate1/A01,0\n")
    with pytest.raises(InputError, match=r"'Plate1/A01' reads like a path .*joined with _: Plate1_A01\.$"):
        read_csv_table(tmp_path / "train.csv", ("Id", "Target"), "expected a table")


def test_a_nucleus_outside_of_its_cell_is_clipped_or_dropped(tmp_path):
    nuclei = np.zeros(SHAPE, np.int32)
    nuclei[20:40, 20:40], nuclei[0:3, 60:70] = 5, 6
    (tmp_path / "f1_cells.tif").write_bytes(tiff(cells_like()))
    (tmp_path / "f1_nuclei.tif").write_bytes(tiff(nuclei))
    found = read_masked(tmp_path, SHAPE)
    assert set(np.unique(found.nuclei)) <= {0, 1, 2}
    assert (found.nuclei[found.nuclei > 0] == found.cells[found.nuclei > 0]).all()


def test_a_pipe_as_a_mask_is_not_waited_for(tmp_path):
    os.mkfifo(tmp_path / "f1_cells.png")
    with pytest.raises(FieldError, match="no ordinary file"):
        read_masked(tmp_path, SHAPE)


def test_damage_inside_an_lzw_tiff_is_noticed(tmp_path):
    """OpenCV gave the rows before the damage and zeros after it."""
    assert cv2.imdecode(np.frombuffer(damaged_lzw(), np.uint8), cv2.IMREAD_UNCHANGED) is not None
    good_field(tmp_path)
    (tmp_path / "f1_green.png").unlink()
    (tmp_path / "f1_green.tif").write_bytes(damaged_lzw())
    assert "damaged" in read_or_say(tmp_path)


def test_what_a_spreadsheet_would_run_is_written_with_an_apostrophe(tmp_path):
    write_csv(tmp_path / "t.csv", ("Id", "path"), [("a", "=1+1"), ("b", "@x"), ("c", "x=1"), ("d", -1.5)])
    assert (tmp_path / "t.csv").read_text() == "Id,path\na,'=1+1\nb,'@x\nc,x=1\nd,-1.5\n"


@QUICK
@given(st.text(max_size=LONGEST + 5))
def test_a_usable_id_survives_every_table_as_it_is(tmp_path_factory, text):
    assert shown(text).isprintable()
    assert len(shown(text)) <= 80
    if why_no_id(text):
        return
    assert inert(text) == text
    path = tmp_path_factory.mktemp("ids") / "sample_submission.csv"
    write_csv(path, ("Id", "Predicted"), [(text, "0")])
    assert read_wanted(path, []) == [text]
    named = hpa_name(f"{text}_red.png")
    assert named is None or (named.field_id, named.channel) == (text, "red")


@QUICK
@given(st.binary(max_size=300))
def test_any_bytes_as_a_table_are_read_or_refused(tmp_path_factory, content):
    path = tmp_path_factory.mktemp("csv") / "train.csv"
    for head in (b"", b"Id,Target\n"):
        path.write_bytes(head + content)
        try:
            table = read_csv_table(path, ("Id", "Target"), "x")
        except InputError as error:
            said(error)
        else:
            assert len(table.lines) == len(table.cells["Id"]) == len(set(table.cells["Id"]))


@QUICK
@given(st.lists(st.text(string.digits + " \t-+.e٣²", max_size=6), max_size=3))
def test_any_target_gives_labels_from_0_to_27_or_a_sentence(tmp_path_factory, words):
    path = tmp_path_factory.mktemp("targets") / "train.csv"
    path.write_text(f'Id,Target\nf1,"{" ".join(words)}"\n', encoding="utf-8")
    try:
        matrix = read_labels(path).matrix
    except InputError as error:
        said(error)
    else:
        expected = {int(word) for word in " ".join(words).split()}
        assert set(np.flatnonzero(matrix[0]).tolist()) == expected <= set(range(28))


@QUICK
@given(
    st.one_of(st.text(max_size=30), st.lists(st.floats(), min_size=1, max_size=5).map(lambda x: ",".join(map(str, x))))
)
def test_any_backbone_mean_gives_small_numbers_or_a_sentence(text):
    try:
        numbers = read_numbers("--backbone-mean", text, 4)
    except UsageError as error:
        said(error)
    else:
        assert len(numbers) == 4
        assert np.isfinite(np.array(numbers, np.float32)).all()


@QUICK
@given(st.lists(st.text(st.characters(codec="utf-8", exclude_characters="\0"), min_size=1, max_size=30), max_size=4))
def test_any_names_in_a_zip_are_listed_or_refused(tmp_path_factory, names):
    path = tmp_path_factory.mktemp("zip") / "train.zip"
    with zipfile.ZipFile(path, "w") as archive:
        for name in {f"{name}_red.png" for name in names}:
            archive.writestr(name, b"x")
    try:
        source = find_fields(path)
    except InputError as error:
        said(error)
        return
    for field in source.ids:
        with pytest.raises(FieldError) as caught:
            read_field(source, field)
        said(caught.value)


def test_mutations_in_a_child_with_limits_of_memory_and_time():
    command = [sys.executable, "-m", "benchmarks.bad_input", "--only", "decoders", "--fuzz", "160", "--seed", "0"]
    ended = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=200)
    assert ended.returncode == 0, ended.stdout + ended.stderr
    assert "| mutated images | 160 |" in ended.stdout
