"""Names that microscopes write become fields with channels and places; containers named planes; inspect finds both."""

import shutil
import zipfile
from dataclasses import replace

import cv2
import numpy as np
import pytest
import tifffile

import pipeline
from engine.errors import FieldError, InputError, UsageError
from features.reading import channel_tables
from features.reading.field_reading import read_field
from features.reading.fields import find_fields
from features.reading.layouts.names import parser_of
from features.reading.layouts.table import LAYOUTS
from features.reading.mask_files import with_masks
from features.reading.options import ReadingOptions
from features.reading.probing import stated_name
from features.reading.stains import matching, parse_stains

NAMES = {
    "metaxpress": ("TimePoint_1/9987_B02_s1_w2.TIF", ("9987_B02_s1", "2", "9987", "B02", "1", -1, 1)),
    "phenix": ("Images/r03c11f01p02-ch5sk1fk1fl1.tiff", ("C11_s01", "5", "", "C11", "01", 2, 1)),
    "incell": ("A - 01(fld 3 wv DAPI - DAPI z 2).tif", ("A01_s3", "DAPI - DAPI", "", "A01", "3", 2, -1)),
    "cellvoyager": ("P1_B02_T0001F004L01A01Z03C02.tif", ("P1_B02_s004", "02", "P1", "B02", "004", 3, 1)),
    "cq1": ("W0002F0001T0001Z001C1.tif", ("W0002_s0001", "1", "", "W0002", "0001", 1, 1)),
    "cytation": ("B7_01_1_3_DAPI_001.tif", ("B07_s3", "DAPI", "", "B07", "3", -1, 1)),
    "cellomics": ("AS_09125_A02f00d0.TIF", ("AS_09125_A02_s00", "0", "AS_09125", "A02", "00", -1, -1)),
    "scanr": ("W00001--P00002--Z00000--T00000--DAPI.tif", ("W00001_s00002", "DAPI", "", "W00001", "00002", 0, 0)),
    "leica-matrix": (
        "image--L0000--S00--U01--V02--J07--E00--O00--X00--Y01--T0000--Z00--C01.ome.tif",
        ("U01--V02_sX00--Y01", "01", "", "U01--V02", "X00--Y01", 0, 0),
    ),
    "leica": ("leica_Series014_z000_ch00.tif", ("leica_Series014", "00", "", "", "", 0, -1)),
    "keyence": ("1_00001_Z002_CH1.tif", ("1_00001", "1", "", "", "", 2, -1)),
    "micromanager2": (
        "img_channel001_position002_time000000000_z003.tif", ("s002", "001", "", "", "002", 3, 0),
    ),
    "micromanager": ("Pos0/img_000000000_Cy3_000.tif", ("sPos0", "Cy3", "", "", "Pos0", 0, 0)),
    "imagej-split": ("C2-my field.tif", ("my field", "2", "", "", "", -1, -1)),
    "suffix": ("my_field_DAPI.tif", ("my_field", "DAPI", "", "", "", -1, -1)),
}  # fmt: skip


@pytest.mark.parametrize("name", [layout.name for layout in LAYOUTS])
def test_a_name_of_each_layout(name):
    path, expected = NAMES[name]
    said = parser_of(name, "")(f"above/{path}")
    assert said is not None
    place = said.place
    assert (said.field_id, said.channel, place.plate, place.well, place.site, said.z, said.t) == expected
    assert parser_of(name, "")("above/notes of the day.tif") is None
    bare = path.rpartition(".")[0].removesuffix(".ome")
    assert parser_of(name, "")(f"above/{bare}.ome.tif") == said, "as OME-TIFF"


def test_a_pattern_as_in_cellprofiler():
    parse = parser_of("", r"^(?P<Plate>.*)_(?P<WellRow>[A-H])(?P<WellColumn>\d+)_(?P<Wavelength>w\d)")
    said = parse("x/y/P_B3_w2.tif")
    assert (said.field_id, said.channel, said.place.well) == ("P_B03", "w2", "B03")


def test_an_id_is_the_name_without_what_the_pattern_matched_as_the_channel():
    for pattern in (r"_(?P<Channel>\d)\.tif$", r"/[^/]+_(?P<Channel>\d)\.tif$"):
        assert parser_of("", pattern)("above1/img1_1.tif").field_id == "img1"
    assert parser_of("", r"(?P<Channel>\w+)/[^/]+$")("1/img1_1.tif").field_id == "img1_1"


@pytest.mark.parametrize(("wanted", "name", "fits"), [
    ("ER", "mCherry", False), ("ER", "Fluor 594 filter", False), ("MT", "MTOC", False), ("ER", "Calnexin-ER", True),
    ("er", "anti_ER", True), ("GFP", "EGFP", True), ("alexa", "Alexa488", True), ("herr", "mCherry", False),
])  # fmt: skip
def test_a_part_of_a_name_is_a_stain_only_at_a_word(wanted, name, fits):
    assert matching(wanted, ("1",), {"1": name}) == ["1"] * fits


@pytest.mark.parametrize("text", ["nucleus=1", "nucleus=1,protein=2,nucleus=3", "nucleus=1,protein", "x=1,protein=2"])
def test_stains_that_cannot_be_used(text):
    with pytest.raises(UsageError, match="--stains"):
        parse_stains(text)


@pytest.fixture
def planes(rng):
    return rng.integers(0, 4000, (4, 40, 48)).astype(np.uint16)


def test_a_plate_of_metaxpress(tmp_path, planes):
    """Names of channels stand in the .HTD; thumbnails and other channels are listed."""
    for well in ("B02", "B03"):
        for wave in (1, 2, 3):
            tifffile.imwrite(tmp_path / f"P_{well}_s1_w{wave}.TIF", planes[wave])
    (tmp_path / "P_B02_s1_w1_thumb.TIF").write_bytes(b"x")
    (tmp_path / "P.HTD").write_bytes(b'"WaveName1", "DAPI"\r\n"WaveName2", "FITC"\r\n"WaveName3", "Cy5"\r\n\x82')
    source = find_fields(tmp_path, options=ReadingOptions("metaxpress", stains="nucleus=dapi,protein=2"))
    assert source.ids == ("P_B02_s1", "P_B03_s1")
    assert source.places["P_B03_s1"].well == "B03"
    np.testing.assert_array_equal(read_field(source, "P_B02_s1"), [0 * planes[0], planes[2], planes[1], 0 * planes[0]])
    reasons = {file.path.rpartition("/")[2]: file.reason for file in source.unused}
    assert reasons["P_B02_s1_w3.TIF"] == "is of channel 3 (Cy5), which --stains does not name"
    assert reasons["P_B02_s1_w1_thumb.TIF"] == "has no name of layout metaxpress"
    with pytest.raises(InputError, match=r"channel GFP for protein is not there. The images have channels 1 \(DAPI\)"):
        find_fields(tmp_path, options=ReadingOptions("metaxpress", stains="nucleus=DAPI,protein=GFP"))


def write_plate(folder, planes, names, index=True, states=False):
    """A plate of one field whose waves 1 and 2 have these names; the nucleus is `planes[2]`, the protein `planes[1]`.

    Names stand in an index, or in the files.
    """
    folder.mkdir(parents=True)
    for wave, name in enumerate(names, start=1):
        plane = planes[2] if name == "DAPI" else planes[1]
        stated = {"ome": True, "metadata": {"axes": "YX", "Channel": {"Name": [name]}}} if states else {}
        tifffile.imwrite(folder / f"{folder.name}_A01_s1_w{wave}.TIF", plane, **stated)
    if index:
        waves = "".join(f'"WaveName{wave}", "{name}"\r\n' for wave, name in enumerate(names, start=1))
        (folder / f"{folder.name}.HTD").write_text(waves)


BY_NAME = ReadingOptions("metaxpress", stains="nucleus=DAPI,protein=FITC")


@pytest.mark.parametrize("index", [True, False])
def test_plates_with_another_order_of_channels(tmp_path, planes, index):
    """The first plate's names were taken for all, and protein and nucleus of the second were swapped."""
    write_plate(tmp_path / "P1", planes, ("DAPI", "FITC"), index, not index)
    write_plate(tmp_path / "P2", planes, ("FITC", "DAPI"), index, not index)
    source = find_fields(tmp_path, options=BY_NAME)
    for field in ("P1_A01_s1", "P2_A01_s1"):
        np.testing.assert_array_equal(read_field(source.part([field]), field)[1:3], planes[1:3])


def test_a_plate_with_a_further_channel_changes_nothing_for_another(tmp_path, planes):
    """Its third channel has the name of the other's first: each plate has its own channels."""
    write_plate(tmp_path / "P1", planes, ("DAPI", "FITC"))
    before = find_fields(tmp_path, options=BY_NAME).fingerprint(["P1_A01_s1"])
    write_plate(tmp_path / "P2", planes, ("TxRed", "FITC", "DAPI"))
    source = find_fields(tmp_path, options=BY_NAME)
    for field in ("P1_A01_s1", "P2_A01_s1"):
        np.testing.assert_array_equal(read_field(source, field)[1:3], planes[1:3])
    assert source.fingerprint(["P1_A01_s1"]) == before, "it is not measured again"


def test_of_many_folders_with_the_same_names_only_some_are_opened(tmp_path, planes, monkeypatch):
    """A folder for each field: opening the files of all takes minutes on a network disk."""
    opened = []
    monkeypatch.setattr(channel_tables, "stated_name", lambda files: opened.append(files) or stated_name(files))
    monkeypatch.setattr(channel_tables, "_PROBED", 4)
    for k in range(10):
        write_plate(tmp_path / f"P{k}", planes, ("DAPI", "FITC"), index=False, states=True)
    source = find_fields(tmp_path, options=BY_NAME)
    assert len(opened) == 2 * 4
    np.testing.assert_array_equal(read_field(source, "P1_A01_s1")[1:3], planes[1:3])
    write_plate(tmp_path / "Q", planes, ("FITC", "DAPI"), index=False, states=True)
    with pytest.raises(FieldError, match="says that its channel is"):
        read_field(find_fields(tmp_path, options=BY_NAME), "Q_A01_s1")
    write_plate(tmp_path / "A", planes, ("FITC", "DAPI"), index=False, states=True)
    source = find_fields(tmp_path, options=BY_NAME)
    for field in ("A_A01_s1", "P1_A01_s1", "Q_A01_s1"):
        np.testing.assert_array_equal(read_field(source, field)[1:3], planes[1:3])


@pytest.mark.parametrize("compression", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED])
def test_a_folder_and_a_zip_with_another_order_of_channels(tmp_path, planes, compression):
    """The index in a zip is read, compressed or not."""
    write_plate(tmp_path / "P1", planes, ("DAPI", "FITC"))
    write_plate(tmp_path / "P2", planes, ("FITC", "DAPI"))
    with zipfile.ZipFile(tmp_path / "P2.zip", "w", compression) as packed:
        for path in (tmp_path / "P2").iterdir():
            packed.write(path, path.name)
    source = find_fields(tmp_path / "P1", tmp_path / "P2.zip", options=BY_NAME)
    for field in ("P1_A01_s1", "P2_A01_s1"):
        np.testing.assert_array_equal(read_field(source, field)[1:3], planes[1:3])


def test_files_of_one_folder_with_another_order_of_channels_are_refused(tmp_path, planes):
    """Only the first file of a channel is opened before the fields are read."""
    for field, names in (("a", ("DAPI", "GFP")), ("b", ("gfp", "DAPI"))):
        for k, name in enumerate(names):
            metadata = {"axes": "YX", "Channel": {"Name": [name]}}
            tifffile.imwrite(tmp_path / f"{field}_ch0{k}.tif", planes[k + 1], ome=True, metadata=metadata)
    source = find_fields(tmp_path, options=ReadingOptions("leica", stains="nucleus=DAPI,protein=GFP"))
    np.testing.assert_array_equal(read_field(source, "a")[1:3], planes[2:0:-1])
    said = "b_ch01.tif says that its channel is DAPI, but a_ch01.tif says that channel 01 is GFP"
    for z in ("", "1"):
        options = ReadingOptions("leica", stains="nucleus=DAPI,protein=GFP", z=z)
        with pytest.raises(FieldError, match=said):
            read_field(find_fields(tmp_path, options=options), "b")
    numbers = find_fields(tmp_path, options=ReadingOptions("leica", stains="nucleus=0,protein=1"))
    np.testing.assert_array_equal(read_field(numbers, "b")[1:3], planes[2:0:-1])


def test_a_plate_that_names_no_such_channel_fails_alone(tmp_path, planes):
    """One that names none is read as all others agree."""
    write_plate(tmp_path / "P1", planes, ("DAPI", "FITC"))
    write_plate(tmp_path / "P2", planes, ("Cy3", "Cy5"))
    write_plate(tmp_path / "P3", planes, ("DAPI", "FITC"), index=False)
    source = find_fields(tmp_path, options=BY_NAME)
    assert not [file for file in source.unused if file.path.endswith("TIF")]
    np.testing.assert_array_equal(read_field(source, "P1_A01_s1")[1:3], planes[1:3])
    with pytest.raises(FieldError, match=r"P2_A01_s1: --stains: channel FITC .* The images have channels 1 \(Cy3\)"):
        read_field(source, "P2_A01_s1")
    with pytest.raises(FieldError, match=r"P3_A01_s1: --stains: channel FITC .* The images have channels 1 and 2"):
        read_field(source, "P3_A01_s1")
    shutil.rmtree(tmp_path / "P2")
    np.testing.assert_array_equal(read_field(find_fields(tmp_path, options=BY_NAME), "P3_A01_s1")[1:3], planes[1:3])


def test_an_index_that_contradicts_its_files_is_refused(tmp_path, planes):
    write_plate(tmp_path / "P1", planes, ("DAPI", "FITC"), states=True)
    (tmp_path / "P1" / "P1.HTD").write_text('"WaveName1", "FITC"\n"WaveName2", "DAPI"\n')
    source = find_fields(tmp_path, options=BY_NAME)
    with pytest.raises(FieldError, match="its channel is DAPI, but the index of its plate says that channel 1 is FITC"):
        read_field(source, "P1_A01_s1")
    (tmp_path / "P1" / "P1.HTD").write_text('"WaveName1", "DAPI (405)"\n"WaveName2", "FITC filter"\n')
    read_field(find_fields(tmp_path, options=BY_NAME), "P1_A01_s1")


def test_indexes_of_one_field_that_disagree_are_refused(tmp_path, planes):
    for t, names in enumerate((("DAPI", "FITC"), ("FITC", "DAPI")), start=1):
        write_plate(tmp_path / f"t{t}", planes, names)
    shutil.copytree(tmp_path / "t1", tmp_path / "one" / "t3")
    for path in (tmp_path / "one" / "t3").glob("*.TIF"):
        path.rename(path.with_name(path.name.replace("t1_A01", "t1_A02")))
    pattern = r"t(?P<T>\d)_(?P<Well>A\d\d)_s1_w(?P<Channel>\d)"
    source = find_fields(tmp_path, options=ReadingOptions(pattern=pattern, stains=BY_NAME.stains, t="1"))
    np.testing.assert_array_equal(read_field(source, "A02")[1:3], planes[1:3])
    with pytest.raises(FieldError, match="A01: the indexes of its files' folders call channel 1 DAPI and FITC"):
        read_field(source, "A01")


def test_a_damaged_first_file_is_passed_over_when_names_are_looked_for(tmp_path, planes):
    write_plate(tmp_path / "P1", planes, ("DAPI", "FITC"), index=False, states=True)
    (tmp_path / "P1" / "P1_A00_s1_w1.TIF").write_bytes(b"II*\0")
    read = read_field(find_fields(tmp_path, options=BY_NAME), "P1_A01_s1")
    np.testing.assert_array_equal(read[1:3], planes[1:3])


def test_a_mask_after_the_nucleus_of_its_own_plate(tmp_path, planes):
    write_plate(tmp_path / "P1", planes, ("DAPI", "FITC"))
    write_plate(tmp_path / "P2", planes, ("FITC", "DAPI"))
    (tmp_path / "masks").mkdir()
    for name in ("P1_A01_s1_w1", "P2_A01_s1_w2"):
        tifffile.imwrite(tmp_path / "masks" / f"{name}_cp_masks.tif", planes[0])
    source = with_masks({"train": find_fields(tmp_path, options=BY_NAME)}, tmp_path / "masks")["train"]
    assert {i: [mask.kind for mask in of] for i, of in (source.masks or {}).items()} == {
        "P1_A01_s1": ["nuclei"], "P2_A01_s1": ["nuclei"],
    }  # fmt: skip


def test_an_operetta_index_names_channels_and_pixel_size(tmp_path, planes):
    said = (
        "<ChannelID>{0}</ChannelID><ChannelName>{1}</ChannelName><ImageResolutionX Unit='m'>1.2E-06</ImageResolutionX>"
    )
    image = f"<Image><URL>r01c01f01p01-ch{{0}}sk1fk1fl1.tiff</URL>{said}</Image>"
    images = "".join(image.format(k, name) for k, name in ((1, "Hoechst"), (2, "GFP"), (3, "gone")))
    plate = "<Plates><Plate><Name>Mine</Name></Plate></Plates>"
    (tmp_path / "Index.idx.xml").write_text(f'<E xmlns="http://x">{plate}<Images>{images}</Images></E>')
    for k in (1, 2):
        tifffile.imwrite(tmp_path / f"r01c01f01p01-ch{k}sk1fk1fl1.tiff", planes[k], resolution=(4e5, 4e5))
    source = find_fields(tmp_path, options=ReadingOptions("operetta", stains="nucleus=Hoechst,protein=GFP"))
    assert source.stated["A01_s01"].pixel_size == pytest.approx(1.2)
    assert source.places["A01_s01"].plate == "Mine"
    assert "is listed in the plate's index but is not there" in {file.reason for file in source.unused}


def test_planes_of_a_stack_in_files_and_in_a_file(tmp_path, planes):
    """In neither case is a plane chosen unless the user says which."""
    for z in (1, 2, 3):
        for k in (1, 2):
            tifffile.imwrite(tmp_path / f"f_Z00{z}_CH{k}.tif", planes[z] // k)
    stack = np.stack([planes[1:], planes[1:] // 2], axis=1)
    (tmp_path / "one").mkdir()
    tifffile.imwrite(tmp_path / "one" / "g.tif", stack, imagej=True, metadata={"axes": "ZCYX"})
    for folder, layout in ((tmp_path, "keyence"), (tmp_path / "one", "")):
        options = ReadingOptions(layout, stains="nucleus=1,protein=2", z="max")
        source = find_fields(folder, options=options)
        (field,) = source.ids
        np.testing.assert_array_equal(read_field(source, field)[2], planes[1:].max(0))
        middle = find_fields(folder, options=replace(options, z="middle"))
        np.testing.assert_array_equal(read_field(middle, field)[1], planes[2] // 2)
        with pytest.raises(FieldError, match=r"has 3 planes .*--z max"):
            read_field(find_fields(folder, options=replace(options, z="")), field)
        with pytest.raises(FieldError, match="--z 4 is beyond them"):
            read_field(find_fields(folder, options=replace(options, z="4")), field)


def write_stack(folder, planes, numbers, letter="p"):
    """One field of two channels whose files are of these planes; those of plane k of channel c are `planes[k] // c`."""
    for channel, of_channel in numbers.items():
        for k in of_channel:
            z, t = (k, 1) if letter == "p" else (1, k)
            path = folder / f"r01c01f01p{z:02d}-ch{channel}sk{t}fk1fl1.tiff"
            tifffile.imwrite(path, planes[k] // channel)


def read_plane(folder, which, option="z"):
    options = replace(ReadingOptions("phenix", stains="nucleus=1,protein=2"), **{option: which})
    return read_field(find_fields(folder, options=options), "A01_s01")[[2, 1]]


@pytest.mark.parametrize(("letter", "option", "what"), [("p", "z", "plane"), ("s", "t", "time point")])
def test_a_plane_is_that_of_all_channels(tmp_path, planes, letter, option, what):
    """Planes were counted in each channel by itself, so that a lost file shifted the planes of its channel."""
    write_stack(tmp_path, planes, {1: (1, 2, 3), 2: (2, 3)}, letter)
    for which, k in (("2", 2), ("3", 3), ("middle", 2)):
        np.testing.assert_array_equal(read_plane(tmp_path, which, option), [planes[k], planes[k] // 2])
    said = rf"channel Protein has no {what} 1 \(--{option} 1 chooses it of the field's 3; found 2, 3\). Add its file"
    with pytest.raises(FieldError, match=said):
        read_plane(tmp_path, "1", option)
    with pytest.raises(FieldError, match=f"--{option} 4 is beyond them"):
        read_plane(tmp_path, "4", option)
    np.testing.assert_array_equal(read_plane(tmp_path, "max", option)[1], planes[2:].max(0) // 2)


def test_a_channel_with_one_plane_of_another_number_is_refused(tmp_path, planes):
    """It was taken, whatever its number."""
    write_stack(tmp_path, planes, {1: (1, 2, 3), 2: (3,)})
    with pytest.raises(FieldError, match=r"channel Protein has no plane 2 .*found 3\)"):
        read_plane(tmp_path, "2")
    for path in tmp_path.glob("*p0[12]*"):
        path.unlink()
    for which in ("", "2"):  # a field of one plane
        np.testing.assert_array_equal(read_plane(tmp_path, which), [planes[3], planes[3] // 2])


def test_a_channel_without_planes_goes_with_each_plane_of_others(tmp_path, planes):
    tifffile.imwrite(tmp_path / "f_ch00.tif", planes[0])
    for z in (1, 2):
        tifffile.imwrite(tmp_path / f"f_z{z}_ch01.tif", planes[z])
    options = ReadingOptions("leica", stains="nucleus=0,protein=1", z="2")
    np.testing.assert_array_equal(read_field(find_fields(tmp_path, options=options), "f")[[2, 1]], planes[[0, 2]])


def test_a_stain_that_may_be_missing_can_be_left_out(tmp_path, planes):
    """New fields without the tubulin of the run: what to do about it was not said."""
    for k in (1, 2):
        tifffile.imwrite(tmp_path / f"a_c{k}.tif", planes[k])
    with pytest.raises(
        InputError, match=r"have channels c1 and c2. Name one of them, or leave microtubules out of --st"
    ):
        find_fields(tmp_path, options=ReadingOptions("suffix", stains="nucleus=1,protein=2,microtubules=3"))
    with pytest.raises(InputError, match=r"for protein is not there. The images have channels c1 and c2\.$"):
        find_fields(tmp_path, options=ReadingOptions("suffix", stains="nucleus=1,protein=3"))


def test_an_ome_tiff_by_the_names_of_its_channels(tmp_path, planes):
    metadata = {"axes": "CYX", "Channel": {"Name": ["ConA", "DAPI", "GFP", "GFP"]}, "PhysicalSizeX": 0.3}
    tifffile.imwrite(tmp_path / "a.ome.tif", planes, ome=True, metadata=metadata)
    source = find_fields(tmp_path, options=ReadingOptions(stains="nucleus=DAPI,protein=4,er=ConA"))
    np.testing.assert_array_equal(read_field(source, "a"), [0 * planes[0], planes[3], planes[1], planes[0]])
    double = find_fields(tmp_path, options=ReadingOptions(stains="nucleus=DAPI,protein=GFP"))
    with pytest.raises(FieldError, match="fits 3 and 4; name it by its number"):
        read_field(double, "a")


def test_the_csv_of_cellprofiler(tmp_path, planes):
    (tmp_path / "images").mkdir()
    for name, plane in zip(("d.tif", "g.tif"), planes):
        tifffile.imwrite(tmp_path / "images" / name, plane)
    table = tmp_path / "load_data.csv"
    head = "Image_FileName_DNA,Image_PathName_DNA,FileName_GFP,Metadata_Plate,Metadata_Well,Metadata_Site"
    table.write_text(f"{head}\nd.tif,/gone/images,g.tif,P1,A01,2\nx.tif,,y.tif,P1,A02,1\n")
    options = ReadingOptions(images=table, stains="nucleus=DNA,protein=GFP")
    with pytest.raises(InputError, match=r"nope.csv is missing. Check the path after --images"):
        find_fields(tmp_path / "images", options=replace(options, images=tmp_path / "nope.csv"))
    source = find_fields(tmp_path / "images", options=options)
    assert source.ids == ("P1_A01_s2", "P1_A02_s1")
    np.testing.assert_array_equal(read_field(source, "P1_A01_s2")[1:3], planes[1::-1])
    with pytest.raises(FieldError, match="cannot be read"):
        read_field(source, "P1_A02_s1")


LISTED = "nucleus=DNA,protein=GFP"


def list_images(folder, text, planes=(), names=()):
    """Images of these names, and what a csv of CellProfiler's lists in this folder."""
    for name, plane in zip(names, planes):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        tifffile.imwrite(folder / name, plane)
    (folder / "load.csv").write_text(text)
    return find_fields(folder, options=ReadingOptions(images=folder / "load.csv", stains=LISTED))


@pytest.mark.parametrize("second", ["/old/P2/Images", r"D:\old\P2\Images", ""])
def test_a_csv_that_lists_two_files_of_which_one_is_there_is_refused(tmp_path, planes, second):
    """Both fields were read from it."""
    text = "FileName_DNA,PathName_DNA,FileName_GFP,PathName_GFP,Metadata_Plate,Metadata_Well\n"
    text += f"d.tif,/old/P1/Images,g.tif,/old/P1/Images,P1,A01\nd.tif,{second},g.tif,{second},P2,A01\n"
    with pytest.raises(InputError, match=r"lists /old/P1/Images/d.tif and .*d.tif, of which only .*/d.tif is found"):
        list_images(tmp_path, text, planes, ("d.tif", "g.tif"))
    assert list_images(tmp_path, text.replace(f",{second},", ",/old/P1/Images,")).ids == ("P1_A01", "P2_A01")


@pytest.mark.parametrize("old", ["/old/{}/Images", r"D:\old\{}\Images"])
def test_files_of_plates_that_were_moved_are_found_by_their_last_folders(tmp_path, planes, old):
    """Paths of Windows were not taken apart."""
    text = "FileName_DNA,PathName_DNA,FileName_GFP,Metadata_Plate\n"
    text += "".join(rf"d.tif,{old.format(plate)},{plate}\Images\g.tif,{plate}" + "\n" for plate in ("P1", "P2"))
    names = [f"{plate}/Images/{letter}.tif" for plate in ("P1", "P2") for letter in "dg"]
    source = list_images(tmp_path, text, planes, names)
    np.testing.assert_array_equal(read_field(source, "P1")[1:3], planes[1::-1])
    np.testing.assert_array_equal(read_field(source, "P2")[1:3], planes[3:1:-1])


@pytest.mark.parametrize(("cells", "found"), [("d.tif,g.tif,,P1", 4), ("d.tif,g.tif", 2)])
def test_a_row_with_another_number_of_cells_is_refused(tmp_path, cells, found):
    """Its cells were taken for those of other columns."""
    text = f"FileName_DNA,FileName_GFP,Metadata_Plate\nd.tif,g.tif,P1\n{cells}\n"
    with pytest.raises(InputError, match=rf"load.csv, line 3: found {found} cells, expected 3 as in the first line"):
        list_images(tmp_path, text)


@pytest.mark.parametrize(("mark", "name"), [(";", "semicolons"), ("\t", "tabs")])
def test_a_csv_that_is_not_separated_by_commas_is_refused(tmp_path, mark, name):
    """All columns were taken for one channel."""
    text = "FileName_DNA,FileName_GFP,Metadata_Plate\nd.tif,g.tif,P1\n".replace(",", mark)
    with pytest.raises(InputError, match=rf"is separated by {name}; .*Separate the columns by commas"):
        list_images(tmp_path, text)


def test_wells_of_a_csv_are_called_as_those_of_file_names(tmp_path):
    source = list_images(tmp_path, "FileName_DNA,FileName_GFP,Metadata_Well\nd.tif,g.tif,a1\ne.tif,h.tif,B02\n")
    assert source.ids == ("A01", "B02")
    assert source.places["A01"].well == "A01"


@pytest.mark.parametrize(("column", "option", "what"), [("Z", "z", "plane"), ("Timepoint", "t", "time point")])
def test_planes_of_one_place_in_a_csv_are_a_stack(tmp_path, planes, column, option, what):
    """Each was a field of its own, named after its file."""
    names = ("d1.tif", "g1.tif", "d2.tif", "g2.tif")
    text = f"FileName_DNA,FileName_GFP,Metadata_Well,Metadata_{column}\nd2.tif,g2.tif,A01,2.0\nd1.tif,g1.tif,A01,1\n"
    source = list_images(tmp_path, text, planes, names)
    assert source.ids == ("A01",)
    with pytest.raises(FieldError, match=rf"field A01: has 2 {what}s \(expected one\). Say which with --{option} max"):
        read_field(source, "A01")
    for which, protein in (("1", planes[1]), ("2", planes[3]), ("max", np.maximum(planes[1], planes[3]))):
        chosen = replace(source, options=replace(source.options, **{option: which}))
        np.testing.assert_array_equal(read_field(chosen, "A01")[1], protein)
    found = pipeline.inspect(pipeline.Job(quiet=True), tmp_path)
    assert f"--images {tmp_path / 'load.csv'}" in found.next_command
    assert f"--{option} " in found.next_command


def test_planes_of_a_csv_that_are_called_by_heights_are_refused(tmp_path):
    text = "FileName_DNA,FileName_GFP,Metadata_Well,Metadata_Z\nd.tif,g.tif,A01,-0.5\ne.tif,h.tif,A01,0.5\n"
    with pytest.raises(InputError, match=r"Metadata_Z or the like is -0.5 where several rows .*from 1, or rename"):
        list_images(tmp_path, text)
    assert list_images(tmp_path, text.replace("h.tif,A01", "h.tif,A02")).ids == ("A01", "A02")


def test_a_csv_that_chooses_a_frame_inside_a_file_is_refused(tmp_path):
    """The first was read instead."""
    text = "FileName_DNA,Frame_DNA,Image_FileName_GFP,Image_Frame_GFP,Metadata_Well\ns.tif,0,s.tif,1,A01\n"
    with pytest.raises(InputError, match=r"Frame_GFP of field A01 is 1 .*Save each frame as a file of its own"):
        list_images(tmp_path, text)
    assert list_images(tmp_path, text.replace("s.tif,1", "t.tif,0")).ids == ("A01",)


def test_two_files_of_a_name_are_said_with_their_folders(tmp_path, planes):
    text = "FileName_DNA,FileName_GFP,Metadata_Well\nP1/d.tif,P1/g.tif,A01\nP2/d.tif,P2/g.tif,A01\n"
    names = ("P1/d.tif", "P1/g.tif", "P2/d.tif", "P2/g.tif")
    source = list_images(tmp_path, text, planes, names)
    with pytest.raises(FieldError, match=r"has 2 files \(\S+/P1/\w\.tif and \S+/P2/\w\.tif; expected one\)"):
        read_field(source, source.ids[0])


def test_a_file_that_a_csv_lists_by_path_and_by_url_is_one(tmp_path, planes):
    text = "FileName_DNA,URL_DNA,FileName_GFP\nd.tif,file:///old/d.tif,g.tif\n"
    source = list_images(tmp_path, text, planes, ("d.tif", "g.tif"))
    np.testing.assert_array_equal(read_field(source, "d")[1:3], planes[1::-1])


def test_inspect_prints_a_command_that_reads_the_folder(tmp_path, planes):
    for well in ("A01", "A02"):
        for k, name in enumerate(("DAPI", "GFP", "RFP")):
            cv2.imwrite(str(tmp_path / f"{well}_01_{k + 1}_1_{name}_001.tif"), planes[k])
    ended = pipeline.inspect(pipeline.Job(quiet=True), tmp_path, thumbnails=tmp_path / "sheet.png")
    assert (ended.facts["layout"], ended.facts["fields"], ended.facts["bits"]) == ("cytation", 2, 16)
    assert ended.facts["stains"] == "protein=GFP,nucleus=DAPI"
    assert "--layout cytation --stains protein=GFP,nucleus=DAPI" in ended.next_command
    assert cv2.imread(str(tmp_path / "sheet.png")).shape[1] == 360


def test_inspect_says_why_there_is_no_command(tmp_path, planes):
    cv2.imwrite(str(tmp_path / "one.png"), planes[0])
    ended = pipeline.inspect(pipeline.Job(quiet=True), tmp_path)
    assert ended.next_command == ""
    assert "cannot be read as it is" in ended.lines[-1]


def test_a_channel_that_stains_names_ends_a_name_whatever_its_word(tmp_path, planes):
    """The layout knew common stains only, and said that the images had no such channel."""
    for k, name in enumerate(("DNA", "Prot", "My Tub")):
        tifffile.imwrite(tmp_path / f"a b-{name}.tif", planes[k])
    options = ReadingOptions("suffix", stains="nucleus=DNA,protein=prot,microtubules=My Tub")
    source = find_fields(tmp_path, options=options)
    assert source.ids == ("a b",)
    np.testing.assert_array_equal(read_field(source, "a b")[:3], planes[[2, 1, 0]])


def test_inspect_names_words_that_are_no_known_stain(tmp_path, planes):
    for field in ("a", "b"):
        for k, name in enumerate(("DNA", "Tub", "Prot")):
            tifffile.imwrite(tmp_path / f"{field}-{name}.tif", planes[k])
    ended = pipeline.inspect(pipeline.Job(quiet=True), tmp_path)
    assert list(ended.facts["channels"]) == ["DNA", "Prot", "Tub"]
    assert "--layout suffix --stains microtubules=Tub,protein=Prot,nucleus=DNA" in ended.next_command


def test_inspect_says_every_size_of_the_first_fields(tmp_path, planes):
    for k, size in enumerate((0.65, 0.325)):
        metadata = {"axes": "CYX", "PhysicalSizeX": size, "PhysicalSizeY": size}
        tifffile.imwrite(tmp_path / f"{k}.ome.tif", planes[:2], metadata=metadata)
    ended = pipeline.inspect(pipeline.Job(quiet=True), tmp_path)
    assert any(line.endswith(", 0.65 µm a pixel and 0.325 µm a pixel") for line in ended.lines)


def test_inspect_finds_the_csv_that_lists_the_images(tmp_path, planes):
    for k in range(4):
        tifffile.imwrite(tmp_path / f"{k}.tif", planes[k])
    head = "Image_FileName_DNA,Image_FileName_Prot,Metadata_Well"
    (tmp_path / "load.csv").write_text(f"{head}\n0.tif,1.tif,A01\n2.tif,3.tif,A02\n")
    (tmp_path / "elsewhere.csv").write_text(f"{head}\n8.tif,9.tif,A01\n")
    ended = pipeline.inspect(pipeline.Job(quiet=True), tmp_path)
    assert ended.facts["fields"] == 2
    assert f"--images {tmp_path / 'load.csv'} --stains protein=Prot,nucleus=DNA" in ended.next_command


def test_a_group_of_a_pattern_with_an_unknown_name_is_refused():
    """A misspelt Channel was left out, and three files became one field."""
    with pytest.raises(UsageError, match=r"a group 'Chanel', whose name is not known; expected some of \(\?P<Plate>"):
        parser_of("", r"(?P<Well>[A-P]\d+)-(?P<Chanel>\w+)")
    with pytest.raises(UsageError, match="no named group; expected"):
        parser_of("", r"([A-P]\d+)")
