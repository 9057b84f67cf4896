"""Before a long measurement, one line says how long all of it takes, train and test together."""

import pytest

from commands import measuring
from features.extraction.settings import ExtractSettings
from features.reading.fields import find_fields
from simulate import simulate
from store.shards import plan_shards


@pytest.fixture
def todo(tmp_path, monkeypatch):
    """The shards of 80 training and 40 test fields, each of which takes two seconds of a clock of our own."""
    clock = [0.0]

    def measure(source, shard, settings, then):
        clock[0] += 2.0 * len(shard.ids) + (100 if not clock[0] else 0)  # the first loads code and models
        return len(shard.ids), 0

    def measure_in_order(source, shards, settings, device, n_threads, then):
        for shard in shards:
            yield measure(source, shard, settings, then)

    monkeypatch.setattr(measuring, "measure_shard", measure)
    monkeypatch.setattr(measuring, "measure_shards", measure_in_order)
    monkeypatch.setattr(measuring, "open_device", str)
    monkeypatch.setattr(measuring, "compile_kernels", lambda *_: None)
    monkeypatch.setattr(measuring.time, "monotonic", lambda: clock[0])
    simulate(tmp_path, fields=80, test_fields=40, size=64, seed=1)
    settings = ExtractSettings(None, "cpu")
    sources = {split: find_fields(tmp_path / split) for split in ("train", "test")}
    return [
        (source, plan_shards(split, source.ids, source.fingerprint, settings, tmp_path / "run"))
        for split, source in sources.items()
    ]


@pytest.mark.parametrize("device", ["cpu", "cuda:0"])
def test_all_fields_are_estimated_once(todo, caplog, device):
    caplog.set_level("INFO")
    measuring.measure_missing(todo, ExtractSettings(None, "cpu"), (device,), 1, quiet=False)
    assert [record.message for record in caplog.records] == ["120 fields to measure: about 4 min"]


def test_quiet_says_nothing(todo, caplog):
    caplog.set_level("INFO")
    measuring.measure_missing(todo, ExtractSettings(None, "cpu"), ("cpu",), 1, quiet=True)
    assert not caplog.records


def test_what_is_measured_already_is_not_counted(todo, caplog):
    caplog.set_level("INFO")
    measuring.measure_missing([todo[1], (todo[0][0], [])], ExtractSettings(None, "cpu"), ("cpu",), 1, quiet=False)
    assert [record.message for record in caplog.records] == ["40 fields to measure: about 80 s"]
