"""`make test-gpu` and benchmarks/gpu.py on an emulated GPU: what they say, and that a failing part is not the end."""

import sys
from functools import partial

import numpy as np
import pytest

import features
from benchmarks import gpu, parity
from features import texture
from simulate import simulate


@pytest.fixture
def command(emulated, tmp_path, monkeypatch, capsys):
    """Run a command on two small fields and the emulated GPU; gives its exit code and what it printed."""
    simulate(tmp_path, 2, 0, 128)

    def run(module, *options):
        real = module.open_device
        monkeypatch.setattr(module, "open_device", lambda name: emulated if name == "cuda" else real(name))
        monkeypatch.setattr(module, "wait_for", lambda device: lambda: None, raising=False)
        monkeypatch.setattr(parity, "fit_difference", lambda device: {"cuda:0": 0.01}[device])
        monkeypatch.setattr(gpu, "print_fit", lambda *_: None)
        monkeypatch.setattr(gpu, "print_extraction", lambda *_: None)
        monkeypatch.setattr(sys, "argv", ["command", str(tmp_path / "train"), *options])
        return module.main(), capsys.readouterr().out

    return run


def broken(cells, device):
    raise RuntimeError("an illegal memory access")


def test_the_devices_agree(command):
    code, said = command(parity)
    assert code == 0
    assert "2 fields of train, cuda:0 against the CPU" in said
    assert "pixels of another cell 0, of another nucleus 0" in said
    assert all(f"\n| {name} | " in said for name in features.families())
    assert "log-odds: 0.01 (bound 0.05)" in said


@pytest.mark.parametrize("part", ["differing_pixels", "fit_difference", "texture", "texture off"])
def test_what_differs_or_fails_is_told_and_the_others_go_on(part, command, monkeypatch):
    real = texture.measure
    if part == "differing_pixels":
        monkeypatch.setattr(parity, part, lambda fields, device: [0, 3])
    elif part == "texture":
        monkeypatch.setattr(texture, "measure", broken)
    elif part == "texture off":
        monkeypatch.setattr(
            texture, "measure", lambda c: real(c) * (1 if c.device.name == "cpu" else np.float32(1.001))
        )
    monkeypatch.setattr(parity, "LOG_ODDS", 0.001 if part == "fit_difference" else 0.05)
    code, said = command(parity)
    assert code == 1
    assert ("texture: FAILED" in said) == (part == "texture")
    assert "| zernike | " in said
    assert "log-odds" in said


def test_times_of_the_parts_that_work(command, monkeypatch):
    monkeypatch.setattr(texture, "measure", broken)
    monkeypatch.setattr(gpu, "seconds", partial(gpu.seconds, repeats=1))
    code, said = command(gpu, "--fields", "2", "--threads", "1", "--batches", "1", "2", "9")
    assert code == 1
    assert "| ms a batch of | 1 | 2 |\n" in said
    assert "texture: FAILED" in said
    rows = [line.strip("| ").split(" | ") for line in said.splitlines() if line.startswith(("| find", "| zernike"))]
    assert [len(row) for row in rows] == [3, 3]
    assert all(float(time) > 0 for row in rows for time in row[1:])
    assert "GB/s" in said
