"""Every file is used, or listed with its reason: names, subfolders, folders beside zips, what systems leave behind."""

import os
import zipfile
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest
import tifffile

from commands.unused import found_fields
from engine.errors import FieldError, InputError
from features.reading.field_reading import read_field
from features.reading.fields import find_fields
from features.reading.options import ReadingOptions
from features.reading.splits import find_splits

COLOURS = ("red", "green", "blue", "yellow")


@pytest.fixture
def png(rng) -> bytes:
    return cv2.imencode(".png", rng.integers(0, 256, (20, 24)).astype(np.uint8))[1].tobytes()


def put(folder, png, *ids):
    folder.mkdir(parents=True, exist_ok=True)
    for field in ids:
        for colour in COLOURS:
            (folder / f"{field}_{colour}.png").write_bytes(png)
    return folder


def packed(path, png, *names, method=zipfile.ZIP_DEFLATED):
    with zipfile.ZipFile(path, "w", method) as archive:
        for name in names:
            archive.writestr(name, png)
    return path


def members(*ids, folder=""):
    return [f"{folder}{field}_{colour}.png" for field in ids for colour in COLOURS]


def reasons(source):
    return {file.path.rpartition("/")[2]: file.reason for file in source.unused}


def test_ids_that_end_in_the_letters_of_a_colour_are_fields(tmp_path, png):
    ids = ("A01_filtered", "A02_registered", "A03_unblurred", "HeLa_DsRed", "skyblue", "a_red", "b_raw")
    source = find_fields(put(tmp_path, png, *ids))
    assert source.ids == tuple(sorted(ids))
    assert source.unused == ()
    for field in ids:
        read_field(source, field)


def test_composites_are_listed_and_their_field_is_used(tmp_path, png):
    put(tmp_path, png, "f1")
    (tmp_path / "f1_blue_red_green.jpg").write_bytes(b"x")
    source = find_fields(tmp_path)
    assert source.ids == ("f1",)
    assert reasons(source) == {"f1_blue_red_green.jpg": "is a composite of several colours"}


def test_a_folder_and_a_zip_of_a_split_are_both_read(tmp_path, png):
    put(tmp_path / "train", png, "own")
    packed(tmp_path / "train.zip", png, *members("a", "b"))
    source = find_splits(tmp_path)["train"]
    assert source.ids == ("a", "b", "own")
    assert found_fields([source]) == f"found 1 field in {tmp_path}/train and 2 fields in {tmp_path}/train.zip"
    for field in source.ids:
        read_field(source, field)


def test_an_empty_folder_beside_a_zip_hides_nothing(tmp_path, png):
    (tmp_path / "train").mkdir()
    packed(tmp_path / "train.zip", png, *members("a"))
    assert find_splits(tmp_path)["train"].ids == ("a",)


def test_a_field_in_the_folder_and_in_the_zip_is_an_error_that_names_it(tmp_path, png):
    put(tmp_path / "train", png, "b", "c")
    packed(tmp_path / "train.zip", png, *members("a", "b", "c"))
    with pytest.raises(InputError, match=r"field b is in .*train and in .*train.zip \(as 2 fields in all\). Keep one"):
        find_splits(tmp_path)


def test_a_name_in_two_subfolders_is_two_fields(tmp_path, png):
    for plate in ("plate1", "plate2"):
        put(tmp_path / "all" / plate, png, "A01", "A02")
    source = find_fields(tmp_path)
    assert source.ids == ("plate1_A01", "plate1_A02", "plate2_A01", "plate2_A02")
    read_field(source, "plate2_A01")


def test_folders_of_images_beside_a_folder_called_test_are_not_passed_over_in_silence(tmp_path, png):
    put(tmp_path / "test", png, "A01")
    put(tmp_path / "plate1", png, "B01")
    (tmp_path / "plate1/masks").mkdir()
    (tmp_path / "plate1/masks/B01.png").write_bytes(png)
    (tmp_path / "C01_green.png").write_bytes(png)
    found = find_splits(tmp_path)["test"]
    assert found.ids == ("A01",)
    assert {Path(one.path).name for one in found.unused} == {
        *(f"B01_{colour}.png" for colour in COLOURS),
        "C01_green.png",
    }
    assert {one.reason for one in found.unused} == {
        "lies beside test/: where there is a train or a test, nothing else is read"
    }


def test_plates_of_one_name_in_several_folders_are_told_apart_as_their_fields_are(tmp_path, png):
    for above in ("rep1/P1/TimePoint_1", "rep2/P1/TimePoint_1", "rep2/P2"):
        (tmp_path / above).mkdir(parents=True)
        for wave in (1, 2):
            (tmp_path / above / f"{above[5:7]}_A01_s1_w{wave}.png").write_bytes(png)
    source = find_fields(tmp_path, options=ReadingOptions("metaxpress", stains="nucleus=1,protein=2"))
    plates = {field: place.plate for field, place in source.places.items()}
    assert plates == {
        "rep1_P1_TimePoint_1_P1_A01_s1": "rep1_P1",
        "rep2_P1_TimePoint_1_P1_A01_s1": "rep2_P1",
        "rep2_P2_P2_A01_s1": "rep2_P2",
    }


def test_subfolders_leave_ids_alone_where_these_are_unique(tmp_path, png):
    put(tmp_path / "plate1", png, "A01")
    put(tmp_path / "plate2", png, "B01")
    assert find_fields(tmp_path).ids == ("A01", "B01")


def test_colours_in_folders_of_their_own_are_one_field(tmp_path, png):
    for colour in COLOURS:
        (tmp_path / colour).mkdir()
        (tmp_path / colour / f"A01_{colour}.png").write_bytes(png)
    source = find_fields(tmp_path)
    assert source.ids == ("A01",)
    read_field(source, "A01")


def test_a_zip_with_backslashes_as_windows_writes_it(tmp_path, png):
    source = find_fields(packed(tmp_path / "train.zip", png, *members("a", "b", folder="train\\")))
    assert source.ids == ("a", "b")
    read_field(source, "b")


def test_what_systems_leave_behind_is_listed(tmp_path, png):
    names = (*members("a"), "__MACOSX/._a_red.png", "__MACOSX/b_red.png", ".DS_Store", "Thumbs.db")
    source = find_fields(packed(tmp_path / "train.zip", png, *names))
    assert source.ids == ("a",)
    assert set(reasons(source).values()) == {"is a hidden or system file"}
    assert len(source.unused) == 4


def test_every_other_file_is_listed_with_its_reason(tmp_path, png):
    put(tmp_path, png, "a")
    for name in ("notes.txt", "more.zip", "overview.png"):
        (tmp_path / name).write_bytes(b"x")
    found = reasons(find_fields(tmp_path))
    assert found == {
        "notes.txt": "is no image",
        "more.zip": "is a zip inside the folder: unpack it there",
        "overview.png": "has no name of the form <Id>_red, _green, _blue or _yellow",
    }


def test_linked_and_closed_folders_are_listed(tmp_path, png):
    put(tmp_path / "train", png, "a")
    put(tmp_path / "elsewhere", png, "b")
    (tmp_path / "train" / "more").symlink_to(tmp_path / "elsewhere")
    found = reasons(find_fields(tmp_path / "train"))
    assert found == {"more": "is a link to a folder, which is not followed"}
    closed = put(tmp_path / "train" / "closed", png, "c")
    closed.chmod(0)
    if not os.access(closed, os.R_OK):
        assert "cannot be entered (Permission denied)" in reasons(find_fields(tmp_path / "train"))["closed"]
    closed.chmod(0o755)


def test_parts_of_a_zip_say_how_to_join_them(tmp_path, png):
    """The last part names files that lie in the others; `split` makes the other kind of parts."""
    whole = packed(tmp_path / "train.zip", png, *members("a")).read_bytes()
    end = whole.rfind(b"PK\x05\x06")
    (tmp_path / "train.zip").write_bytes(whole[: end + 4] + b"\x07\0\x07\0" + whole[end + 8 :])
    with pytest.raises(InputError, match=r"train.zip is one of several parts.*zip -s 0 train.zip --out joined.zip"):
        find_splits(tmp_path)
    (tmp_path / "train.zip").rename(tmp_path / "train.zip.001")
    with pytest.raises(InputError, match=r"train.zip.001 is one of several parts.*cat train.zip.0\* > train.zip"):
        find_splits(tmp_path)


def test_a_zip_with_a_comment_is_whole(tmp_path, png):
    path = packed(tmp_path / "train.zip", png, *members("a"))
    with zipfile.ZipFile(path, "a") as archive:
        archive.comment = b"a comment " * 100
    assert find_splits(tmp_path)["train"].ids == ("a",)


def test_two_files_of_one_field_are_an_error_that_names_them(tmp_path, rng):
    """The first was read and the others vanished: a pattern without the plate, an export beside its original."""
    pixels = rng.integers(0, 256, (2, 20, 24)).astype(np.uint8)
    for name in ("P1_A01.tif", "P2_A01.tif", "P1_B01.tif", "P1_B01.ome.tif"):
        tifffile.imwrite(tmp_path / name, pixels, photometric="minisblack", metadata={"axes": "CYX"})
    stains = "nucleus=1,protein=2"
    by_pattern = find_fields(tmp_path, options=ReadingOptions(pattern=r"_(?P<Well>[A-Z]\d+)", stains=stains))
    with pytest.raises(FieldError, match=r"has 2 files \(P1_A01.tif and P2_A01.tif; .*let --pattern name .*P<Plate>"):
        read_field(by_pattern, "A01")
    one_a_field = find_fields(tmp_path, options=ReadingOptions(stains=stains))
    assert one_a_field.ids == ("P1_A01", "P1_B01", "P2_A01")
    read_field(one_a_field, "P1_A01")
    with pytest.raises(FieldError, match=r"has 2 files \(P1_B01.ome.tif and P1_B01.tif; .*Remove all but one\.$"):
        read_field(one_a_field, "P1_B01")


@pytest.mark.parametrize("option", ["z", "t"])
def test_a_stack_in_files_of_all_channels_is_projected(tmp_path, rng, option):
    """Only the first file was read, whatever --z and --t said."""
    planes = rng.integers(0, 256, (3, 2, 20, 24)).astype(np.uint8)
    for k, plane in enumerate(planes):
        tifffile.imwrite(tmp_path / f"f_{k}.tif", plane, photometric="minisblack", metadata={"axes": "CYX"})
    pattern = rf"(?P<Id>f)_(?P<{option.upper()}>\d)"
    options = ReadingOptions(pattern=pattern, stains="nucleus=1,protein=2")
    for chosen, expected in (("max", planes.max(0)), ("2", planes[1])):
        source = find_fields(tmp_path, options=replace(options, **{option: chosen}))
        np.testing.assert_array_equal(read_field(source, "f")[[2, 1]], expected)
    with pytest.raises(FieldError, match=f"Say which with --{option} max"):
        read_field(find_fields(tmp_path, options=options), "f")


def test_planes_of_two_sizes_are_a_sentence(tmp_path, rng):
    for k, size in enumerate((20, 21)):
        for channel in (1, 2):
            pixels = rng.integers(0, 256, (size, 24)).astype(np.uint8)
            tifffile.imwrite(tmp_path / f"f_Z00{k}_CH{channel}.tif", pixels)
    source = find_fields(tmp_path, options=ReadingOptions("keyence", stains="nucleus=1,protein=2", z="max"))
    with pytest.raises(FieldError, match=r"another plane of its stack is 24 x 20 .*Give all planes the same size"):
        read_field(source, "f")


def test_tables_of_a_data_folder_are_not_called_unused(tmp_path, png):
    """Without a folder train, images lie beside train.csv."""
    put(tmp_path, png, "a")
    for name in ("train.csv", "groups.csv", "plates.csv"):
        (tmp_path / name).write_text("Id,Target\na,1\n")
    assert reasons(find_fields(tmp_path)) == {"plates.csv": "is no image"}
