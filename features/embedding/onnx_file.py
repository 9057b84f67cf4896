"""EfficientNet-lite0 as an ONNX model: the bytes that onnxruntime opens, made from the weights in memory.

Nothing is exported or kept on disk: the model is small, and making it takes a fraction of a second. ONNX files are
protocol buffers: fields of a number, a type and a value, nested. The field numbers are those of onnx.proto3
(https://github.com/onnx/onnx/blob/main/onnx/onnx.proto3); the tests check the result with the onnx package.
"""

from collections.abc import Iterable, Sequence

import numpy as np

from features.embedding.lite0 import Block, Convolution

IMAGES = "images"
"""The name of the input: float32."""

_OPSET, _IR = 17, 8
_FLOAT = 1  # the type of tensors
_INT, _INTS = 2, 7  # types of attributes
_VARINT, _BYTES = 0, 2


def write_onnx(blocks: Sequence[Block], *, of_maps: bool) -> bytes:
    """Blocks as an ONNX model: its outputs are the maps of those that are kept, in order, shape (n, h, w, channels).

    The input is an image, shape (n, channels, H, W), or, for blocks `of_maps`, a map as others give it.
    """
    nodes, constants, outputs = [], [], []

    def constant(name: str, values: np.ndarray) -> str:
        constants.append(_tensor(name, values.astype(np.float32)))
        return name

    def node(kind: str, inputs: list[str], output: str, attributes: Iterable[bytes] = ()) -> str:
        nodes.append(_node(kind, inputs, output, attributes))
        return output

    x = node("Transpose", [IMAGES], "channels_first", [_integers("perm", [0, 3, 1, 2])]) if of_maps else IMAGES
    zero, six = constant("zero", np.array(0)), constant("six", np.array(6))
    for b, block in enumerate(blocks):
        before = x
        for c, convolution in enumerate(block.convolutions):
            name = f"block{b}.{c}"
            given = [x, constant(f"{name}.weight", convolution.weight), constant(f"{name}.bias", convolution.bias)]
            x = node("Conv", given, name, _attributes(convolution))
            x = node("Clip", [x, zero, six], f"{name}.clipped") if convolution.clipped else x
        x = node("Add", [x, before], f"block{b}") if block.adds_input else x
        if block.kept:
            outputs.append(node("Transpose", [x], f"map{b}", [_integers("perm", [0, 2, 3, 1])]))
    n_in = blocks[0].convolutions[0].weight.shape[1]
    taken = _described(IMAGES, ["n", "h", "w", n_in] if of_maps else ["n", n_in, "h", "w"])
    given = [_described(name, ["n", f"h_{name}", f"w_{name}", f"c_{name}"]) for name in outputs]
    graph = _all(1, nodes) + _text(2, "lite0") + _all(5, constants) + _field(11, taken) + _all(12, given)
    return _whole(1, _IR) + _field(7, graph) + _field(8, _whole(2, _OPSET))


def _attributes(convolution: Convolution) -> list[bytes]:
    before, after = convolution.pads
    groups = len(convolution.weight) if convolution.by_channel else 1
    return [
        _integers("strides", [convolution.stride] * 2),
        _integers("pads", [before, before, after, after]),
        _text(1, "group") + _whole(3, groups) + _whole(20, _INT),
    ]


def _integers(name: str, values: list[int]) -> bytes:
    return _text(1, name) + b"".join(_whole(8, value) for value in values) + _whole(20, _INTS)


def _node(kind: str, inputs: list[str], output: str, attributes: Iterable[bytes]) -> bytes:
    named = b"".join(_text(1, name) for name in inputs) + _text(2, output)
    return named + _text(4, kind) + _all(5, attributes)


def _tensor(name: str, values: np.ndarray) -> bytes:
    shape = b"".join(_whole(1, length) for length in values.shape)
    return shape + _whole(2, _FLOAT) + _text(8, name) + _field(9, values.astype("<f4").tobytes())


def _described(name: str, shape: Sequence[str | int]) -> bytes:
    """The name, type and shape of an input or output; a name as length means any."""
    lengths = [_whole(1, length) if isinstance(length, int) else _text(2, length) for length in shape]
    return _text(1, name) + _field(2, _field(1, _whole(1, _FLOAT) + _field(2, _all(1, lengths))))


def _all(number: int, contents: Iterable[bytes]) -> bytes:
    return b"".join(_field(number, content) for content in contents)


def _field(number: int, content: bytes) -> bytes:
    return _varint(number << 3 | _BYTES) + _varint(len(content)) + content


def _text(number: int, text: str) -> bytes:
    return _field(number, text.encode())


def _whole(number: int, value: int) -> bytes:
    return _varint(number << 3 | _VARINT) + _varint(value)


def _varint(value: int) -> bytes:
    """A whole number from 0 in groups of 7 bits, the lowest first; the highest bit says that more follow."""
    groups = []
    while value > 127:
        groups.append(value & 127 | 128)
        value >>= 7
    return bytes([*groups, value])
