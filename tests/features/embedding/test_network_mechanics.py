"""Networks as files: what is written is read, training goes on as if undisturbed, and a wrong file gives a sentence."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file

from engine.errors import InputError, UsageError
from features.embedding.cell_crops import CropSettings
from features.embedding.contrastive import Groups, Training, TrainingSettings
from features.embedding.network import EmbeddingNetwork, NetworkSettings, embed, load_network, save_network
from features.embedding.torch_device import torch_device

CPU = torch.device("cpu")
TINY = NetworkSettings(CropSettings(side=16), stem=4, widths=(6, 8))
SETTINGS = TrainingSettings(network=TINY, fields=3, projection=5, seed=4)


@pytest.fixture(autouse=True)
def one_thread():
    """More threads only get in each other's way on networks this small."""
    torch.set_num_threads(1)


@pytest.fixture
def crops(rng) -> np.ndarray:
    """Twelve cells: bright discs of four kinds, three of each."""
    y, x = np.mgrid[:16, :16] - 7.5
    inside = np.hypot(y, x) < 7
    levels = np.repeat(rng.integers(40, 200, (4, 4)), 3, axis=0)
    return (inside * levels[:, :, None, None] + rng.integers(0, 40, (12, 4, 16, 16)) * inside).astype(np.uint8)


@pytest.fixture
def groups() -> Groups:
    """Four fields of three cells; two fields share a group."""
    return Groups(list(np.arange(12).reshape(4, 3)), [np.array([0, 1]), np.array([2]), np.array([3])])


@pytest.fixture
def network() -> EmbeddingNetwork:
    torch.manual_seed(3)
    return EmbeddingNetwork(TINY)


def test_a_network_that_was_written_gives_the_same_vectors(network, crops, tmp_path):
    before = embed(network, crops, CPU)
    save_network(tmp_path / "a.safetensors", network, {"steps": 1})
    again = load_network(tmp_path / "a.safetensors")
    assert again.settings == TINY
    np.testing.assert_array_equal(embed(again, crops, CPU), before)
    save_network(tmp_path / "b.safetensors", again, {"steps": 1})
    assert (tmp_path / "a.safetensors").read_bytes() == (tmp_path / "b.safetensors").read_bytes()


def test_vectors_do_not_depend_on_the_batch(network, crops):
    together = embed(network, np.concatenate([crops] * 30), CPU)
    assert together.shape == (360, 8)
    for size in (1, 5):
        parts = [embed(network, crops[i : i + size], CPU) for i in range(0, 12, size)]
        np.testing.assert_allclose(np.concatenate(parts), together[:12], atol=1e-5)
    assert np.ptp(together[:12], axis=0).max() > 1e-3
    assert embed(network, crops[:0], CPU).shape == (0, 8)


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU and a torch built for CUDA")
def test_a_gpu_gives_the_same_vectors_and_trains(crops, groups, tmp_path):
    gpu = torch.device("cuda", 0)
    training = Training(replace(SETTINGS, warmup=1, rate=1e-2), gpu)
    losses = [training.step(crops, groups) for _ in range(60)]
    assert np.mean(losses[-15:]) < np.mean(losses[:15]) - 0.1
    save_network(tmp_path / "network.safetensors", training.averaged, {})
    on_cpu = load_network(tmp_path / "network.safetensors")
    there = embed(load_network(tmp_path / "network.safetensors").to(gpu), crops, gpu)
    np.testing.assert_allclose(there, embed(on_cpu, crops, CPU), atol=1e-3)


def train(path, crops, groups, pauses: tuple[int, ...]) -> Training:
    """Train six steps, stopped after each of `pauses` and taken up from the checkpoint."""
    training = Training(SETTINGS, CPU)
    for step in range(6):
        training.step(crops, groups)
        if step in pauses:
            training.save(path, "these cells")
            training = Training(SETTINGS, CPU)
            assert training.resume(path, "these cells")
            assert training.done == step + 1
    training.save(path, "these cells")
    return training


def test_training_that_was_stopped_ends_with_the_same_bytes(crops, groups, tmp_path):
    whole = train(tmp_path / "whole", crops, groups, ())
    train(tmp_path / "stopped", crops, groups, (0, 3))
    assert (tmp_path / "whole").read_bytes() == (tmp_path / "stopped").read_bytes()
    start = Training(SETTINGS, CPU)
    moved = [(a - b).abs().max() for a, b in zip(start.network.parameters(), whole.network.parameters(), strict=True)]
    assert min(moved) > 0


def test_training_lowers_the_loss(crops, groups):
    training = Training(replace(SETTINGS, warmup=1, rate=1e-2), CPU)
    losses = [training.step(crops, groups) for _ in range(60)]
    assert np.mean(losses[-15:]) < np.mean(losses[:15]) - 0.1


def test_a_checkpoint_of_something_else_is_not_taken(crops, groups, tmp_path):
    path = tmp_path / "checkpoint"
    train(path, crops, groups, ())
    other = Training(SETTINGS, CPU)
    assert not other.resume(path, "other settings, cells or groups")
    assert other.done == 0


def spoilt(path, how: str):
    """Write a network file that is wrong in one way."""
    save_network(path, EmbeddingNetwork(TINY), {})
    tensors, name = load_file(path), "stem.0.weight"
    note = '{"form": "embedding", "settings": {"crop": {"side": 16}, "stem": %s, "widths": [6, 8]}, "training": {}}'
    notes = {"hpa-boost": note % (10**9 if how == "size" else 4)}
    if how == "text":
        path.write_text("not a network")
        return
    if how == "whole":
        path.write_bytes(path.read_bytes()[:-100])
        return
    if how == "finite":
        tensors[name] = tensors[name] * float("nan")
    elif how == "shape":
        tensors[name] = tensors[name][:2].contiguous()
    elif how == "dtype":
        tensors[name] = tensors[name].double()
    elif how == "missing":
        del tensors[name]
    elif how == "foreign":
        notes = {}
    save_file(tensors, path, notes)


WORDS = {
    "text": "cannot be read as safetensors", "whole": "cannot be read as safetensors", "finite": "not finite",
    "shape": "(2, 4, 3, 3)", "dtype": "float64", "missing": "stem.0.weight", "foreign": "does not say",
    "size": "settings out of range",
}  # fmt: skip


@pytest.mark.parametrize("how", WORDS)
def test_a_wrong_file_is_one_sentence(how, tmp_path):
    path = tmp_path / "network.safetensors"
    spoilt(path, how)
    with pytest.raises(InputError) as told:
        load_network(path)
    assert WORDS[how] in str(told.value)
    assert "network.safetensors" in str(told.value)
    assert "python cli.py embed" in str(told.value)


def test_a_checkpoint_is_no_network(crops, groups, tmp_path):
    train(tmp_path / "checkpoint", crops, groups, ())
    with pytest.raises(InputError, match="'checkpoint'; expected the embedding"):
        load_network(tmp_path / "checkpoint")


def test_a_damaged_checkpoint_is_one_sentence(crops, groups, tmp_path):
    path = tmp_path / "checkpoint"
    train(path, crops, groups, ())
    path.write_bytes(path.read_bytes()[:-50])
    with pytest.raises(InputError, match=r"cannot be read as safetensors.*Remove it, and training begins anew"):
        Training(SETTINGS, CPU).resume(path, "these cells")


def test_devices_that_are_not_there_are_refused():
    assert torch_device("cpu") == CPU
    with pytest.raises(UsageError, match="tpu"):
        torch_device("tpu")
    with pytest.raises(UsageError, match="finds"):
        torch_device("cuda:97")
