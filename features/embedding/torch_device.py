"""The torch device for a device name."""

import torch

from engine.errors import UsageError


def torch_device(name: str) -> torch.device:
    """A device by its name.

    Parameters
    ----------
    name : str
        "auto" (the first GPU if there is one, else the CPU), "cpu" or "cuda[:N]".

    Raises
    ------
    UsageError
        If the name is unknown or the GPU is not there; never a silent fall-back.
    """
    kind, _, number = name.partition(":")
    if name == "cpu" or (name == "auto" and not torch.cuda.is_available()):
        return torch.device("cpu")
    if name not in ("auto", "cuda") and not (kind == "cuda" and number.isdecimal()):
        raise UsageError(f"device {name!r} is unknown: expected auto, cpu or cuda[:N].")
    if int(number or 0) >= torch.cuda.device_count():
        raise UsageError(
            f"device {name}: torch {torch.__version__} finds {torch.cuda.device_count()} GPUs. Check with nvidia-smi, "
            "install a torch built for CUDA, or run with --device cpu."
        )
    return torch.device("cuda", int(number or 0))


def use(name: str, threads: int) -> torch.device:
    """Open a torch device and set the number of threads for work on the CPU."""
    torch.set_num_threads(threads)
    return torch_device(name)
