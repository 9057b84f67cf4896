"""Shards through the GPU's way, threads and batches and streams, on the CPU: the same tables as field after field."""

from dataclasses import replace

import cv2
import numpy as np
import pyarrow.parquet as pq
import pytest

from commands import measuring
from features.core.device import open_device
from features.extraction.batches import ReadField, batches
from features.extraction.measuring import measure_shard, measure_shards
from features.extraction.settings import ExtractSettings
from features.reading.fields import find_fields
from simulate import simulate
from store.shards import Shard, plan_shards


@pytest.fixture(scope="module")
def images(tmp_path_factory):
    """Eleven fields in two sizes, one broken and one without protein."""
    data = tmp_path_factory.mktemp("data")
    simulate(data, 6, 0, 192, 3, 1, lambda *_: None)
    simulate(data / "other", 5, 0, 160, 4, 1, lambda *_: None)
    for path in (data / "other" / "train").iterdir():
        path.rename(data / "train" / f"other-{path.name}")
    broken, empty = sorted((data / "train").glob("other-*_green.png"))[:2]
    broken.write_bytes(b"no image")
    cv2.imwrite(str(empty), np.zeros((160, 160), np.uint8))
    return find_fields(data / "train")


def test_tables_are_those_of_one_field_after_the_other(images, tmp_path):
    settings = ExtractSettings(None, "cpu")
    one_by_one = plan_shards("train", images.ids, images.fingerprint, settings, tmp_path / "a")
    side_by_side = plan_shards("train", images.ids, images.fingerprint, settings, tmp_path / "b")
    expected = [measure_shard(images, shard, settings) for shard in one_by_one]
    device = replace(open_device("cpu"), batch_pixels=3 * 192 * 192)
    assert list(measure_shards(images, side_by_side, settings, device, 3)) == expected
    assert sum(n_failed for _, n_failed in expected) == 2
    for mine, other in zip(one_by_one, side_by_side, strict=True):
        assert pq.read_table(mine.fields_path).equals(pq.read_table(other.fields_path))
        a, b = pq.read_table(mine.cells_path).to_pandas(), pq.read_table(other.cells_path).to_pandas()
        assert list(a.columns) == list(b.columns)
        np.testing.assert_array_equal(
            a["Metadata_Id"] + a["Metadata_Cell"].astype(str), b["Metadata_Id"] + b["Metadata_Cell"].astype(str)
        )
        numbers = [name for name in a if not name.startswith("Metadata_")]
        np.testing.assert_allclose(b[numbers], a[numbers], rtol=2e-5, atol=1e-6)
        np.testing.assert_array_equal(b[["Metadata_X", "Metadata_Y"]], a[["Metadata_X", "Metadata_Y"]])


def test_a_full_batch_is_measured_before_another_field_is_read():
    """A large field that waits for its turn would double the memory of a worker."""
    sizes, read = [4, 4, 4, 6, 4], []

    def fields():
        for side in sizes:
            read.append(side)
            yield ReadField({}, np.zeros((4, side, side), np.uint8))

    device, found = open_device("cpu"), []
    for batch in batches(fields(), device):
        found.append((len(batch), len(read)))
    assert found == [(1, 1), (1, 2), (1, 3), (1, 4), (1, 5)]
    read.clear()
    pairs = [len(batch) for batch in batches(fields(), replace(device, batch_pixels=2 * 4 * 4))]
    assert pairs == [2, 1, 1, 1]


def test_an_error_in_a_thread_comes_out(images, tmp_path, monkeypatch):
    settings = ExtractSettings(None, "cpu")
    shards = plan_shards("train", images.ids, images.fingerprint, settings, tmp_path / "no" / "folder")
    monkeypatch.setattr("features.extraction.measuring.write_shard", lambda *_: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        list(measure_shards(images, shards, settings, open_device("cpu"), 2))


def test_several_gpus_share_the_shards(images, tmp_path, monkeypatch):
    """Each device name is opened in its worker's process; two CPUs stand for two GPUs."""
    settings = ExtractSettings(None, "cpu")
    monkeypatch.setattr(measuring, "SHARDS_A_TASK", 1)
    for folder, devices in ((tmp_path / "one", ("cpu",)), (tmp_path / "two", ("cpu", "cpu"))):
        shards = plan_shards("train", images.ids, images.fingerprint, settings, folder)
        measuring.measure_missing([(images, shards)], settings, devices, 2, quiet=True)
        assert all(shard.finished() for shard in shards)
    for path in (tmp_path / "one").rglob("*.parquet"):
        assert path.read_bytes() == (tmp_path / "two" / path.relative_to(tmp_path / "one")).read_bytes()


def test_the_longest_shards_come_first(images, tmp_path, monkeypatch):
    """So that workers end together."""
    settings = ExtractSettings(None, "cpu")
    shards = [Shard("train", k, images.ids[:n], "stamp", tmp_path) for k, n in enumerate((1, 3, 2))]
    measured = []
    monkeypatch.setattr(measuring, "measure_shard", lambda source, shard, *_: measured.append(shard.number) or (1, 0))
    measuring.measure_missing([(images, shards)], settings, ("cpu",), 1, quiet=True)
    assert measured == [1, 2, 0]
