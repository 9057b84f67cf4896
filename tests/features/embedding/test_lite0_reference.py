"""The network's maps against those of another implementation; the ONNX model, and maps in tiles."""

from dataclasses import replace

import numpy as np
import onnx
import pytest

from features.core.device import open_device
from features.embedding import torch_maps
from features.embedding.lite0 import MAPS, REACH, REACH_OF_FIRST, make_blocks
from features.embedding.onnx_file import write_onnx
from features.embedding.pretrained import open_pretrained
from features.embedding.tiles import InTiles
from features.embedding.weights import find_weights, read_weights

REFERENCE = (
    (2.559667, 13.659832, [-5.5738, 16.7417, -1.6339]),
    (-1.175859, 10.522443, [10.8185, 10.9259, -19.6440]),
    (-2.825778, 9.993346, [-8.3700, -13.9520, -20.3176]),
    (0.366441, 6.887117, [8.1198, 2.8935, 3.5299]),
)
"""Mean, sd and three values of each map of `drawn_image`, its first plane twice, by the package
efficientnet-lite-pytorch 0.1.0 with the same weights (torch 2.13, CPU)."""


@pytest.fixture(scope="module")
def blocks():
    return make_blocks(read_weights(find_weights()))


@pytest.fixture
def torch_on_cpu(monkeypatch):
    """Torch, as if its CPU were the device's GPU."""
    monkeypatch.setattr(torch_maps, "torch_device", lambda name: torch_maps.torch.device("cpu"))
    monkeypatch.setattr(
        torch_maps.torch, "as_tensor", lambda array, device: torch_maps.torch.from_numpy(np.array(array))
    )


def drawn_image() -> np.ndarray:
    c, y, x = np.mgrid[:2, :96, :64]
    return (((7 * (c + 1) * y + 13 * x) % 64) / 63).astype(np.float32)[None]


def assert_reference(maps):
    for one, (mean, sd, values), (_, channels, stride) in zip(maps, REFERENCE, MAPS, strict=True):
        assert one.shape == (1, channels, 96 // stride, 64 // stride)
        np.testing.assert_allclose([one.mean(), one.std()], [mean, sd], atol=1e-3)
        np.testing.assert_allclose([one[0, 0, 0, 0], one[0, 3, 1, 2], one[0, -1, -1, -1]], values, atol=1e-3)


def test_maps_are_those_of_another_implementation(device):
    assert_reference(open_pretrained(device)(drawn_image()))


def test_torch_gives_the_maps_of_onnxruntime(device, emulated, torch_on_cpu):
    there = open_pretrained(emulated)(emulated.put(drawn_image()))
    assert all(type(one) is type(emulated.put(np.zeros(1))) for one in there), "the maps stay on the device"
    assert_reference([emulated.get(one) for one in there])
    for ours, theirs in zip(open_pretrained(device)(drawn_image()), there, strict=True):
        np.testing.assert_allclose(emulated.get(theirs), ours, atol=1e-3)


@pytest.mark.parametrize("of_maps", [False, True])
def test_the_model_is_valid_onnx_and_always_the_same(blocks, of_maps):
    model = write_onnx(blocks, of_maps=of_maps)
    onnx.checker.check_model(onnx.load_from_string(model), full_check=True)
    assert model == write_onnx(blocks, of_maps=of_maps)
    assert len(model) < 3_000_000


def test_images_of_a_batch_do_not_see_each_other(device, rng):
    images = rng.random((3, 2, 96, 64)).astype(np.float32)
    run = open_pretrained(device)
    together = run(images)
    for k in range(3):
        for one, alone in zip(together, run(images[k : k + 1]), strict=True):
            np.testing.assert_array_equal(one[k : k + 1], alone)


@pytest.fixture(scope="module")
def whole(blocks):
    """The network by torch on a CPU: images are shown as a whole."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(torch_maps, "torch_device", lambda name: torch_maps.torch.device("cpu"))
        return torch_maps.open_torch(blocks, open_device("cpu"))


@pytest.mark.parametrize(("height", "width"), [(32, 32), (288, 544), (64, 2080)])
def test_maps_made_in_tiles_have_no_seams(whole, device, rng, height, width):
    """Up to the first map, fields of more than 280 x 280 px are shown in tiles: here in one, in 3 and in 2."""
    image = rng.random((1, 2, height, width)).astype(np.float32)
    for ours, theirs in zip(open_pretrained(device)(image), whole(image), strict=True):
        np.testing.assert_allclose(ours, theirs, atol=3e-4)


@pytest.mark.parametrize(("most", "shown"), [(240_000, [(448, 512)] * 2), (200_000, [(448, 432)] * 4)])
def test_maps_in_tiles_are_those_of_the_whole_field(device, rng, most, shown):
    """Two strips show fewer pixels than four tiles: all are as large as they may be, with 176 px of what is around."""
    image = rng.random((1, 2, 544, 512)).astype(np.float32)
    run, sides = open_pretrained(device), []

    def counting(images):
        sides.append(images.shape[2:])
        return run(images)

    tiled = InTiles(counting, tuple((n, stride) for _, n, stride in MAPS), REACH, least=256, most=most, xp=np)
    for one, pieced in zip(run(image), tiled(image), strict=True):
        np.testing.assert_allclose(pieced, one, atol=1e-4)
    assert sides == shown


def test_a_large_field_is_shown_to_a_gpu_in_tiles(emulated, torch_on_cpu, rng):
    images = emulated.put(rng.random((2, 2, 32, 1024)).astype(np.float32))
    run = open_pretrained(emulated)
    assert isinstance(run, InTiles)
    for one, tiled in zip(run(images), replace(run, most=32 * 688)(images), strict=True):
        assert type(tiled) is type(images), "the maps stay on the device"
        np.testing.assert_allclose(emulated.get(tiled), emulated.get(one), atol=3e-4)


def test_a_map_pixel_sees_no_further_than_the_tiles_reach(device, rng):
    image = rng.random((1, 2, 32, 512)).astype(np.float32)
    run = open_pretrained(device)
    for changed, side in ((image.copy(), slice(0, 64)), (image.copy(), slice(448, 512))):
        changed[..., side] = 0
        for m, (one, other, (_, _, stride)) in enumerate(zip(run(image), run(changed), MAPS, strict=True)):
            reach = REACH_OF_FIRST if m == 0 else REACH
            kept = slice((64 + reach) // stride, None) if side.start == 0 else slice(0, (448 - reach) // stride)
            np.testing.assert_allclose(other[..., kept], one[..., kept], atol=1e-4)
            assert abs(other - one)[..., side.start // stride : side.stop // stride].max() > 0.1
