"""Networks of the user's own, in ONNX and TorchScript, against what they compute; a sentence where one is no use."""

import hashlib
import warnings
from dataclasses import asdict, replace

import numpy as np
import onnx
import pytest
import torch
from onnx import TensorProto, helper, numpy_helper
from painting import paint_cells

from engine.errors import InputError, UsageError
from features.core.cells import make_cells
from features.embedding.backbone import open_crops
from features.embedding.embedding import embed_cells, embedding_columns
from features.embedding.user_network import backbone, recorded_network
from features.extraction.settings import ExtractSettings
from features.reading.options import ReadingOptions

SIDE = 12


def write_onnx(path, n_channels: int, batch: int | str = "n", output: str = "mean"):
    """A network that gives each channel's mean (or something that is no vector)."""
    taken = helper.make_tensor_value_info("x", TensorProto.FLOAT, [batch, n_channels, SIDE, SIDE])
    given = helper.make_tensor_value_info("y", TensorProto.FLOAT, None)
    operations = {"mean": [], "log": ["Log"], "not finite": ["Log", "Log"]}[output]
    names = [f"value {i}" for i in range(len(operations))] + ["y"]
    nodes = [helper.make_node("GlobalAveragePool", ["x"], [names[0]])]
    nodes += [helper.make_node(kind, [names[i]], [names[i + 1]]) for i, kind in enumerate(operations)]
    graph = helper.make_graph(nodes, "means", [taken], [given])
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9), path)
    return path


class Means(torch.nn.Module):
    """The same in torch."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Each channel's mean."""
        return x.mean(dim=(2, 3))


def write_torchscript(path, n_channels: int):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        torch.jit.trace(Means(), torch.zeros(2, n_channels, SIDE, SIDE)).save(str(path))
    return path


def write_convolution(path, n_channels: int):
    """A network of torch that takes one number of channels, as `Means` does not."""
    module = torch.nn.Sequential(torch.nn.Conv2d(n_channels, 2, 1), Means())
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        torch.jit.trace(module, torch.zeros(2, n_channels, SIDE, SIDE)).save(str(path))
    return path


@pytest.fixture
def crops(rng) -> np.ndarray:
    return rng.integers(0, 256, (37, 4, SIDE, SIDE)).astype(np.uint8)


@pytest.mark.parametrize("kind", ["onnx", "torchscript"])
@pytest.mark.parametrize(("channels", "planes"), [("red,green,blue,yellow", [0, 1, 2, 3]), ("blue,green", [2, 1])])
def test_channels_and_normalisation_are_as_asked(kind, channels, planes, crops, tmp_path):
    write = {"onnx": write_onnx, "torchscript": write_torchscript}[kind]
    path = write(tmp_path / {"onnx": "means.onnx", "torchscript": "means.pt"}[kind], len(planes))
    sd = ",".join(["0.5", "0.25", "2", "4"][: len(planes)])
    network = backbone(path, channels, SIDE, "0.1", sd)
    assert (network.length, network.kind) == (len(planes), kind)
    found = open_crops(network, "cpu")(crops)
    divisor = np.array([float(part) for part in sd.split(",")])
    expected = (crops[:, planes].mean(axis=(2, 3)) / 255 - 0.1) / divisor
    np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-5)
    assert found.dtype == np.float32
    assert open_crops(network, "cpu")(crops[:0]).shape == (0, len(planes))


@pytest.mark.parametrize("batch", [1, 5])
def test_a_network_of_fixed_batch_size_is_fed_so(batch, crops, tmp_path):
    fixed = backbone(write_onnx(tmp_path / "fixed.onnx", 4, batch), "red,green,blue,yellow", SIDE, "0", "1")
    expected = crops.mean(axis=(2, 3)) / 255
    np.testing.assert_allclose(open_crops(fixed, "cpu")(crops), expected, rtol=1e-4, atol=1e-5)


def test_columns_name_the_stains_that_the_network_takes(tmp_path):
    network = backbone(write_onnx(tmp_path / "a.onnx", 2), "green,yellow", SIDE, "0", "1")
    names = [column.name for column in embedding_columns(ExtractSettings(None, "cpu", network))]
    mass = "Cells_Embedding_Mass_Protein"
    assert names == [mass, "Cells_Embedding_Pattern_Protein_ER_1", "Cells_Embedding_Pattern_Protein_ER_2"]
    without = embedding_columns(ExtractSettings(None, "cpu", network, ReadingOptions(no_er=True)))
    assert without[1].name == "Cells_Embedding_Pattern_Protein_1"
    assert embedding_columns(ExtractSettings(None, "cpu")) == ()


def test_another_network_makes_other_tables_and_another_place_does_not(tmp_path):
    one = backbone(write_onnx(tmp_path / "a.onnx", 4), "red,green,blue,yellow", SIDE, "0", "1")
    settings = ExtractSettings(None, "cpu", one)
    moved = replace(settings, network=replace(one, path="elsewhere.onnx"))
    other = replace(settings, network=replace(one, digest="another"))
    assert settings.content() == moved.content() != other.content()


def wrong_backbones(folder):
    """Files and options that cannot be used, each with the words of its sentence."""
    (folder / "text.onnx").write_text("not a network")
    (folder / "text.pt").write_text("not a network")
    (folder / "weights.bin").write_text("")
    write_onnx(folder / "three.onnx", 3)
    write_onnx(folder / "log.onnx", 4, output="not finite")
    write_torchscript(folder / "small.pt", 4)
    four = "red,green,blue,yellow"
    return [
        ("nowhere.onnx", four, "0", "1", InputError, "does not exist"),
        ("weights.bin", four, "0", "1", InputError, "ends in .bin; expected .onnx"),
        ("text.onnx", four, "0", "1", InputError, "cannot be opened as ONNX"),
        ("text.pt", four, "0", "1", InputError, "cannot be opened as TorchScript"),
        ("three.onnx", four, "0", "1", InputError, f"does not take float32 (n, 4, {SIDE}, {SIDE})"),
        ("log.onnx", four, "0", "1", InputError, "not finite"),
        ("three.onnx", "red,green,violet", "0", "1", UsageError, "'violet' is unknown"),
        ("three.onnx", "red,green,blue", "0,1", "1", UsageError, "--backbone-mean"),
        ("three.onnx", "red,green,blue", "0", "1,0,1", UsageError, "--backbone-sd"),
    ]


@pytest.mark.parametrize("case", range(9))
def test_what_cannot_be_used_is_one_sentence(case, tmp_path):
    name, channels, mean, sd, kind, words = wrong_backbones(tmp_path)[case]
    with pytest.raises(kind) as told:
        backbone(tmp_path / name, channels, SIDE, mean, sd)
    assert words in str(told.value)
    assert "\n" not in str(told.value)


def test_a_value_that_does_not_exist_for_a_cell_is_nan_and_no_other_cell_is_touched(crops, tmp_path):
    with_log = backbone(write_onnx(tmp_path / "log.onnx", 4, output="log"), "red,green,blue,yellow", SIDE, "0", "1")
    crops[3] = 0
    found = open_crops(with_log, "cpu")(crops)
    assert np.isnan(found[3]).all()
    others = np.arange(len(crops)) != 3
    expected = np.log(crops[others].mean(axis=(2, 3)) / 255)
    np.testing.assert_allclose(found[others], expected, rtol=1e-3, atol=1e-4)


def write_convolutional(path, channels: int = 2):
    """A network of images of any size: maps of local means, at strides 2 and 4."""
    taken = helper.make_tensor_value_info("x", TensorProto.FLOAT, ["n", channels, "h", "w"])
    given = [helper.make_tensor_value_info(name, TensorProto.FLOAT, None) for name in ("fine", "coarse")]
    nodes = [
        helper.make_node("AveragePool", ["x"], ["fine"], kernel_shape=[2, 2], strides=[2, 2]),
        helper.make_node("AveragePool", ["fine"], ["coarse"], kernel_shape=[2, 2], strides=[2, 2]),
    ]
    graph = helper.make_graph(nodes, "local means", [taken], given)
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9), path)
    return path


def test_a_network_of_any_size_is_pooled_under_each_cell(tmp_path, rng):
    network = backbone(write_convolutional(tmp_path / "maps.onnx"), "green,blue", 224, "0.5", "0.25")
    assert (network.maps, network.crop, network.length) == ((2, 2), None, 8)
    names = [column.name for column in embedding_columns(ExtractSettings(None, "cpu", network))]
    assert names[1:3] == ["Cells_Embedding_Mean_Protein_Nucleus_1_1", "Cells_Embedding_Mean_Protein_Nucleus_1_2"]
    assert names[-1] == "Cells_Embedding_SD_Protein_Nucleus_2_2"
    cells = paint_cells(rng)
    even = make_cells(cells.pixels * 0 + 80, cells.cell_labels, cells.nucleus_labels, cells.device)
    found = embed_cells(even, network)
    inner = np.flatnonzero((cells.boxes[:, 2:] < np.array(cells.cell_labels.shape[1:]) - 2).all(axis=1))
    np.testing.assert_allclose(found[inner, 1:5], (1 - 0.5) / 0.25, rtol=1e-5)
    np.testing.assert_allclose(found[inner, 5:], 0, atol=1e-3)


def write_with_weights_beside(path, where: str, factor: float, place: str = "graph"):
    """A network that gives each channel's mean times a factor, which lies in another file."""
    weight = numpy_helper.from_array(np.full((1, 4, 1, 1), factor, np.float32), "w")
    taken = helper.make_tensor_value_info("x", TensorProto.FLOAT, ["n", 4, SIDE, SIDE])
    given = helper.make_tensor_value_info("y", TensorProto.FLOAT, None)
    nodes = [helper.make_node("GlobalAveragePool", ["x"], ["m"]), helper.make_node("Mul", ["m", "w"], ["y"])]
    if place == "constant":
        nodes.insert(0, helper.make_node("Constant", [], ["w"], value=weight))
    graph = helper.make_graph(nodes, "g", [taken], [given], [weight] if place == "graph" else [])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)
    (path.parent / where).unlink(missing_ok=True)
    onnx.save(model, path, save_as_external_data=True, location=where, size_threshold=0, convert_attribute=True)
    return path


@pytest.mark.parametrize("place", ["graph", "constant"])
def test_other_weights_in_a_file_beside_are_another_network(place, crops, tmp_path):
    """Only the .onnx file was hashed, so that new weights kept the old features."""
    path = tmp_path / "net.onnx"
    asked = ("red,green,blue,yellow", SIDE, "0", "1")
    one = backbone(write_with_weights_beside(path, "net.data", 1, place), *asked)
    whole = path.read_bytes()
    other = backbone(write_with_weights_beside(path, "net.data", 3, place), *asked)
    assert path.read_bytes() == whole
    assert one.digest != other.digest
    assert recorded_network(path, asdict(other)) == other
    assert recorded_network(path, asdict(one)) is None
    np.testing.assert_allclose(open_crops(other, "cpu")(crops), 3 * crops.mean(axis=(2, 3)) / 255, rtol=1e-4)


def test_weights_that_are_missing_or_elsewhere_are_one_sentence(tmp_path):
    asked = ("red,green,blue,yellow", SIDE, "0", "1")
    path = write_with_weights_beside(tmp_path / "net.onnx", "net.data", 1)
    content = path.read_bytes()
    path.write_bytes(content.replace(b"net.data", b"../a.bin"))
    with pytest.raises(InputError, match=r"net.onnx has weights in '../a.bin', outside its folder.*one file"):
        backbone(path, *asked)
    path.write_bytes(content)
    (tmp_path / "net.data").unlink()
    with pytest.raises(InputError, match=r"net.onnx has weights in 'net.data', which is missing in"):
        backbone(path, *asked)


def test_the_hash_of_a_network_in_one_file_is_that_of_the_file(tmp_path):
    path = write_onnx(tmp_path / "a.onnx", 4)
    expected = hashlib.sha256(path.read_bytes()).hexdigest()[:16]
    assert backbone(path, "red,green,blue,yellow", SIDE, "0", "1").digest == expected


@pytest.mark.parametrize("write", [write_onnx, write_convolution])
def test_the_number_of_channels_that_a_network_takes_is_said(write, tmp_path):
    """Of ONNX Runtime's message only "Please fix either the inputs/outputs or the model" was left."""
    path = write(tmp_path / ("three.onnx" if write is write_onnx else "three.pt"), 3)
    with pytest.raises(InputError) as told:
        backbone(path, "red,green,blue,yellow", SIDE, "0", "1")
    said = str(told.value).removeprefix(str(path))
    assert "but 3 channels; --backbone-channels names 4 (red,green,blue,yellow). Name 3" in said
    assert "--backbone-size" not in said
    assert len(said) < 300


def test_the_size_that_a_network_takes_is_said(tmp_path):
    path = write_onnx(tmp_path / "a.onnx", 4)
    with pytest.raises(InputError) as told:
        backbone(path, "red,green,blue,yellow", 20, "0", "1")
    said = str(told.value).removeprefix(str(path))
    assert f"index: 2 Got: 20 Expected: {SIDE} index: 3 Got: 20 Expected: {SIDE}" in said
    assert "--backbone-size (20)" in said
    assert len(said) < 300


def test_a_network_of_any_number_of_channels_is_not_told_to_take_one(tmp_path):
    """It runs, but gives more numbers a cell than it may: the channels are not at fault."""
    taken = helper.make_tensor_value_info("x", TensorProto.FLOAT, ["n", "c", "h", "w"])
    given = helper.make_tensor_value_info("y", TensorProto.FLOAT, None)
    graph = helper.make_graph([helper.make_node("Flatten", ["x"], ["y"])], "g", [taken], [given])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)
    onnx.save(model, tmp_path / "flat.onnx")
    with pytest.raises(InputError, match=r"gives float32 \(16384,\) a cell, not 1 to 8192 numbers"):
        backbone(tmp_path / "flat.onnx", "red,green,blue,yellow", 64, "0", "1")
