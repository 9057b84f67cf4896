"""The versions of this program, of Python, and of the packages that results depend on."""

import platform
from importlib.metadata import version

VERSION = "0.1.0"
"""Of hpa-boost; pyproject.toml reads it here."""

_PACKAGES = (
    "numpy", "scipy", "numba", "opencv-python-headless", "scikit-learn", "lightgbm", "pandas", "pyarrow", "torch"
)  # fmt: skip


def package_versions() -> dict[str, str]:
    """The versions of this program, of Python, and of the packages that results depend on."""
    return {"hpa-boost": VERSION, "python": platform.python_version()} | {name: version(name) for name in _PACKAGES}
