"""The weights read as plain data against torch's own reader, and another file in their place."""

import numpy as np
import pytest
import torch

from engine.errors import InputError
from features.embedding import pretrained, weights
from features.embedding.weights import find_weights, read_weights


def test_every_float_tensor_is_that_of_torch():
    path = find_weights()
    assert path is not None
    ours = read_weights(path)
    theirs = torch.load(path, weights_only=True)
    floats = {name for name, tensor in theirs.items() if tensor.dtype == torch.float32}
    assert set(ours) == floats
    for name in floats:
        np.testing.assert_array_equal(ours[name], theirs[name].numpy())


def test_another_file_in_their_place_is_refused_before_it_is_read(tmp_path, monkeypatch):
    content = bytearray(find_weights().read_bytes())
    content[-1] ^= 1
    (tmp_path / "weights.pth").write_bytes(content)
    monkeypatch.setattr(weights, "_read_plain", None)
    with pytest.raises(InputError, match=r"expected the SHA-256 579344248a93e230.*--no-embedding"):
        read_weights(tmp_path / "weights.pth")


def test_without_the_package_there_is_no_network(monkeypatch):
    monkeypatch.setattr(weights, "PACKAGE", "a_package_that_nobody_has")
    assert find_weights() is None
    assert pretrained.pretrained_network() is None
