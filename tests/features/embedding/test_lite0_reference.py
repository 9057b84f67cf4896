"""The network's maps against those of another implementation; the ONNX model, and maps in tiles."""

import numpy as np
import onnx
import pytest

from features.embedding import torch_maps
from features.embedding.lite0 import MAPS, REACH, make_blocks
from features.embedding.onnx_file import write_onnx
from features.embedding.pretrained import in_tiles, open_pretrained
from features.embedding.weights import find_weights, read_weights

REFERENCE = (
    (2.706988, 12.387053, [-9.5046, 2.8819, -1.3652]),
    (-1.783274, 10.049577, [5.8430, 2.3037, -19.0950]),
    (-2.676072, 9.327371, [1.5984, -10.3294, -15.0402]),
    (0.363146, 6.102490, [-5.1150, 5.8543, 3.9836]),
)
"""Mean, sd and three values of each map of `drawn_image`, by the package efficientnet-lite-pytorch 0.1.0 with the same
weights (torch 2.13, CPU)."""


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
    c, y, x = np.mgrid[:3, :96, :64]
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


def test_the_model_is_valid_onnx_and_always_the_same(blocks):
    model = write_onnx(blocks)
    onnx.checker.check_model(onnx.load_from_string(model), full_check=True)
    assert model == write_onnx(blocks)
    assert len(model) < 3_000_000


def test_images_of_a_batch_do_not_see_each_other(device, rng):
    images = rng.random((3, 3, 96, 64)).astype(np.float32)
    run = open_pretrained(device)
    together = run(images)
    for k in range(3):
        for one, alone in zip(together, run(images[k : k + 1]), strict=True):
            np.testing.assert_allclose(one[k : k + 1], alone, atol=1e-4)


@pytest.mark.parametrize(("most", "shown"), [(240_000, [(448, 512)] * 2), (200_000, [(448, 432)] * 4)])
def test_maps_in_tiles_are_those_of_the_whole_field(device, rng, most, shown):
    """Two strips show fewer pixels than four tiles: all are as large as they may be, with 176 px of what is around."""
    image = rng.random((1, 3, 544, 512)).astype(np.float32)
    run, sides = open_pretrained(device), []

    def counting(images):
        sides.append(images.shape[2:])
        return run(images)

    for one, tiled in zip(run(image), in_tiles(counting, image, device, most), strict=True):
        np.testing.assert_allclose(tiled, one, atol=1e-4)
    assert sides == shown


def test_a_map_pixel_sees_no_further_than_the_tiles_reach(device, rng):
    image = rng.random((1, 3, 32, 512)).astype(np.float32)
    changed = image.copy()
    changed[..., :64] = 0
    run = open_pretrained(device)
    for one, other, (_, _, stride) in zip(run(image), run(changed), MAPS, strict=True):
        beyond = (64 + REACH) // stride
        np.testing.assert_allclose(other[..., beyond:], one[..., beyond:], atol=1e-4)
        assert abs(other - one)[..., : 64 // stride].max() > 0.1
