"""The loops, in CUDA: twins of `kernels.cpu` by module, name and arguments, loaded when first asked for.

Each module `<family>.py` launches the kernels of the `<family>.cu` beside it on arrays that are on the GPU already, and
gives arrays there: nothing is copied to the host and nothing waits for the GPU.
"""

from importlib import import_module
from types import ModuleType


def __getattr__(name: str) -> ModuleType:
    if name.startswith("__"):
        raise AttributeError(name)
    try:
        return import_module(f"{__name__}.{name}")
    except ModuleNotFoundError as error:
        if error.name != f"{__name__}.{name}":
            raise
        raise AttributeError(f"no GPU kernels named {name!r}") from error
