"""Which of a member's parameters are this project's, and which its library's."""

from typing import Any

OURS: tuple[str, ...] = ("columns", "rounds", "weight_exponent")


def of_library(parameters: dict[str, Any]) -> dict[str, Any]:
    """The parameters to pass to the library."""
    return {name: value for name, value in parameters.items() if name not in OURS}
