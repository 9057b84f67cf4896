"""The hash of a user's network: the file, and the files of weights that an ONNX file names.

Large weights of an ONNX file may lie in other files of its folder ("external data"; torch.onnx writes them so). They
are found without the onnx package: see `onnx_file` on the form. Messages are followed to wherever tensors are.
"""

import hashlib
from collections.abc import Iterator
from pathlib import Path
from types import MappingProxyType

from engine.errors import InputError

_VARINT, _EIGHT_BYTES, _BYTES, _FOUR_BYTES = 0, 1, 2, 5

# The messages of onnx.proto3 that hold tensors, with the numbers of the fields that lead to them.
_INNER = MappingProxyType(
    {
        "model": {7: "graph", 20: "training", 25: "function"},
        "training": {1: "graph", 2: "graph"},
        "function": {7: "node", 11: "attribute"},
        "graph": {1: "node", 5: "tensor", 15: "sparse"},
        "node": {5: "attribute"},
        "attribute": {5: "tensor", 6: "graph", 10: "tensor", 11: "graph", 22: "sparse", 23: "sparse"},
        "sparse": {1: "tensor", 2: "tensor"},
        "tensor": {13: "entry"},
    }
)


def digest_network(path: Path, kind: str) -> str:
    """The first 16 hexadecimal digits of the SHA-256 of a network, with all of its files.

    Parameters
    ----------
    path : Path
    kind : str
        "onnx" or "torchscript", which is one file.

    Raises
    ------
    InputError
        If a file of weights is missing, or lies outside the folder of the network.
    """
    content = path.read_bytes()
    sha = hashlib.sha256(content)
    for name in _weight_files(content) if kind == "onnx" else []:
        part = Path(name)
        if part.anchor or ".." in part.parts:
            raise InputError(
                f"{path} has weights in {name!r}, outside its folder; expected them beside it. Save it as one file."
            )
        if not (path.parent / part).is_file():
            raise InputError(
                f"{path} has weights in {name!r}, which is missing in {path.parent}. Put it there, or save the network "
                "as one file."
            )
        with (path.parent / part).open("rb") as file:
            sha.update(f"{name}\0".encode() + hashlib.file_digest(file, "sha256").digest())
    return sha.hexdigest()[:16]


def _weight_files(content: bytes) -> list[str]:
    """The names of the files of weights of an ONNX model, sorted; none if it is no such file, as its opening tells."""
    try:
        return sorted(set(_locations(memoryview(content), "model")))
    except (IndexError, ValueError, RecursionError):
        return []


def _locations(message: memoryview, kind: str) -> Iterator[str]:
    """The locations of external data in a message, and in those in it."""
    for number, value in _fields(message):
        inner = _INNER[kind].get(number)
        if inner == "entry":
            key, name = (bytes(dict(_fields(value)).get(place, b"")).decode() for place in (1, 2))
            if key == "location":
                yield name
        elif inner:
            yield from _locations(value, inner)


def _fields(message: memoryview) -> Iterator[tuple[int, memoryview]]:
    """The number and bytes of each field that has a length; IndexError or ValueError if this is no such message."""
    at = 0
    while at < len(message):
        tag, at = _varint(message, at)
        kind = tag & 7
        if kind == _VARINT:
            _, at = _varint(message, at)
        elif kind == _BYTES:
            length, at = _varint(message, at)
            yield tag >> 3, message[at : at + length]
            at += length
        elif kind in (_EIGHT_BYTES, _FOUR_BYTES):
            at += 8 if kind == _EIGHT_BYTES else 4
        else:
            raise ValueError(f"field type {kind}")


def _varint(message: memoryview, at: int) -> tuple[int, int]:
    """A number of seven bits a byte, least first, and the place behind it."""
    value = shift = 0
    while True:
        byte = message[at]
        value |= (byte & 127) << shift
        at, shift = at + 1, shift + 7
        if byte < 128:
            return value, at
