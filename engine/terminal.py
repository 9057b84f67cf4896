"""Logged messages on stderr, in any encoding of the terminal."""

import contextlib
import io
import logging
import sys
from collections.abc import Iterator, Sequence


@contextlib.contextmanager
def messages_on_stderr(loggers: Sequence[str]) -> Iterator[None]:
    """Write the messages of these loggers, from level INFO on, to stderr during the block.

    A character that the encoding of stdout or stderr lacks is written as ``\\u2192`` and the like, because a missing
    arrow is no reason to fail.
    """
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")
    handler, chosen = _Stderr(), [logging.getLogger(name) for name in loggers]
    before = [logger.level for logger in chosen]
    for logger in chosen:
        logger.addHandler(handler)
        logger.setLevel(logging.INFO)
    try:
        yield
    finally:
        for logger, level in zip(chosen, before, strict=True):
            logger.removeHandler(handler)
            logger.setLevel(level)


class _Stderr(logging.Handler):
    """Looks up sys.stderr for each message, because a progress bar replaces it to print lines above itself."""

    def emit(self, record: logging.LogRecord) -> None:
        print(self.format(record), file=sys.stderr, flush=True)  # noqa: T201
