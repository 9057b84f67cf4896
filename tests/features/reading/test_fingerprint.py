"""Whatever decides a field's values, or its row of a table, is in its fingerprint; where the data lies is not."""

import os
import shutil
import zipfile
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pytest
import tifffile

import pipeline
from features.reading.fields import find_fields
from features.reading.options import ReadingOptions
from simulate import simulate

HEAD = "Image_FileName_DNA,Image_PathName_DNA,Image_FileName_GFP,Image_PathName_GFP"


def marks(*sources, options):
    source = find_fields(*sources, options=options)
    return source.fingerprint(source.ids)


def write(path, value):
    """An uncompressed image; all have the same size and time."""
    path.parent.mkdir(parents=True, exist_ok=True)
    tifffile.imwrite(path, np.full((20, 24), value, np.uint8))
    os.utime(path, ns=(10**18, 10**18))


def listed(table, text, head=HEAD):
    table.write_text(f"{head}\n{text}\n")
    return marks(table.parent, options=ReadingOptions(images=table, stains="nucleus=DNA,protein=GFP"))


def test_a_csv_that_calls_the_files_otherwise(tmp_path):
    for k, name in enumerate(("a/1.tif", "b/1.tif", "2.tif")):
        write(tmp_path / name, k)
    table = tmp_path / "load.csv"
    rows = {
        "right": listed(table, "1.tif,a,2.tif,."),
        "swapped": listed(table, "2.tif,.,1.tif,a"),
        "another folder": listed(table, "1.tif,b,2.tif,."),
        "of a plate": listed(table, "1.tif,a,2.tif,.,P1", f"{HEAD},Metadata_Plate"),
        "of a well": listed(table, "1.tif,a,2.tif,.,A01", f"{HEAD},Metadata_Well"),
        "of another id": listed(table, "1.tif,a,2.tif,.,x", f"{HEAD},Metadata_Id"),
    }
    assert len(set(map(str, rows.values()))) == len(rows)
    assert listed(table, "1.tif,a,2.tif,.") == rows["right"]


def test_a_zip_with_other_content_of_the_same_size(tmp_path):
    found = []
    for value in (1, 2, 1):
        with zipfile.ZipFile(tmp_path / "train.zip", "w") as packed:
            for colour in ("red", "green", "blue", "yellow"):
                write(tmp_path / "one.tif", value if colour == "green" else 0)
                packed.write(tmp_path / "one.tif", f"f1_{colour}.tif")
        found.append(marks(tmp_path / "train.zip", options=ReadingOptions()))
    assert found[0] != found[1]
    assert found[0] == found[2]


def test_an_index_that_is_corrected(tmp_path):
    """Names decide which wave is which stain; plate and pixel size stand in the rows and change the values."""
    for wave in (1, 2):
        write(tmp_path / "P1" / f"P1_A01_s1_w{wave}.TIF", wave)
    options = ReadingOptions("metaxpress", stains="nucleus=DAPI,protein=GFP")
    found = []
    for names in (("DAPI", "GFP"), ("GFP", "DAPI"), ("DAPI", "GFP")):
        (tmp_path / "P1" / "P1.HTD").write_text("".join(f'"WaveName{k + 1}", "{names[k]}"\n' for k in (0, 1)))
        found.append(marks(tmp_path, options=options))
    assert found[0] != found[1]
    assert found[0] == found[2]


@pytest.mark.parametrize(("was", "becomes"), [("P1", "P2"), ("1E-06", "2E-06")])
def test_a_plate_or_pixel_size_that_an_index_states(tmp_path, was, becomes):
    for k in (1, 2):
        write(tmp_path / f"r01c01f01p01-ch{k}sk1fk1fl1.tiff", k)
    index = (
        "<E><Plates><Plate><Name>P1</Name></Plate></Plates><Images><Image><ChannelID>1</ChannelID>"
        "<ImageResolutionX Unit='m'>1E-06</ImageResolutionX></Image></Images></E>"
    )
    options = ReadingOptions("phenix", stains="nucleus=1,protein=2")
    found = []
    for text in (index, index.replace(was, becomes)):
        (tmp_path / "Index.idx.xml").write_text(text)
        found.append(marks(tmp_path, options=options))
    assert found[0] != found[1]


def test_a_folder_that_is_moved_or_gets_another_plate(tmp_path):
    """What was measured stays."""
    options = ReadingOptions("metaxpress", stains="nucleus=1,protein=2")
    for wave in (1, 2):
        write(tmp_path / "lab" / "P2" / f"P2_A01_s1_w{wave}.TIF", wave)
    (tmp_path / "lab" / "P2" / "P2.HTD").write_text('"WaveName1", "DAPI"\n"WaveName2", "GFP"\n')
    before = marks(tmp_path / "lab", options=options)
    shutil.move(tmp_path / "lab", tmp_path / "moved")
    assert marks(tmp_path / "moved", options=options) == before
    for wave in (1, 2):
        write(tmp_path / "moved" / "P1" / f"P1_A01_s1_w{wave}.TIF", wave)
    (tmp_path / "moved" / "P1" / "P1.HTD").write_text('"WaveName1", "Cy3"\n"WaveName2", "Cy5"\n')
    assert marks(tmp_path / "moved", options=options)[1:] == before


def write_csv(table: Path, ids, dna: str, gfp: str, plate: str = "") -> None:
    rows = [f"{i}_{dna}.png,{i}_{gfp}.png,{i},{plate}" for i in ids]
    head = "FileName_DNA,FileName_GFP,Metadata_Id,Metadata_Plate"
    table.write_text("\n".join([head, *rows]) + "\n")


def test_a_corrected_csv_measures_again(tmp_path):
    """Swapped stains stayed in the tables after the csv was corrected, and plates were not added."""
    simulate(tmp_path / "data", fields=3, test_fields=0, size=96, seed=2)
    images, table = tmp_path / "data" / "train", tmp_path / "load.csv"
    ids = sorted({path.name.rpartition("_")[0] for path in images.iterdir()})
    options = ReadingOptions(images=table, stains="nucleus=DNA,protein=GFP")

    def extract(run, *stains, plate=""):
        write_csv(table, ids, *stains, plate)
        pipeline.extract(pipeline.Job(tmp_path / run, images, "cpu", workers=1, quiet=True), reading=options)
        return pq.read_table(tmp_path / run / "features" / "train.parquet").to_pandas()

    swapped = extract("run", "green", "blue")
    corrected = extract("run", "blue", "green", plate="P1")
    pd.testing.assert_frame_equal(corrected, extract("fresh", "blue", "green", plate="P1"))
    assert not corrected.equals(swapped)
    fields = pd.concat(pq.read_table(one).to_pandas() for one in (tmp_path / "run/features/fields").iterdir())
    assert set(fields["Metadata_Plate"]) == {"P1"}
