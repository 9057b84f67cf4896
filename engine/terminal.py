"""Lines that fit the terminal, and logged messages on stderr in any encoding of it."""

import codecs
import contextlib
import io
import logging
import shlex
import shutil
import sys
import textwrap
from collections.abc import Iterator, Sequence

from engine.command_line import program

_PLAINLY = "plainly"
_PLAIN = {"─": "-", "→": "->", "±": "+-", "µ": "u", "…": "...", "×": "x", "\N{NO-BREAK SPACE}": " "}


@contextlib.contextmanager
def messages_on_stderr(loggers: Sequence[str]) -> Iterator[None]:
    """Write the messages of these loggers, from level INFO on, to stderr during the block.

    A character that the encoding of stdout or stderr lacks is written as a plain one, or as ``\\u017c`` and the like,
    because a missing arrow is no reason to fail.
    """
    codecs.register_error(_PLAINLY, _plainly)
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors=_PLAINLY)
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


def fitted(line: str) -> str:
    """A line of prose as it is written to stdout: on a terminal wrapped between words, with its indent.

    Lines with a command stay whole, so that they can be pasted, and so do lines with colours, which fit already.
    """
    columns = shutil.get_terminal_size().columns
    if not sys.stdout.isatty() or len(line) <= columns or "\x1b" in line or shlex.join(program()) in line:
        return line
    indent = " " * (len(line) - len(line.lstrip()))
    return textwrap.fill(
        line.strip(), columns, initial_indent=indent, subsequent_indent=f"{indent}  ", break_long_words=False,
        break_on_hyphens=False,
    )  # fmt: skip


def _plainly(error: UnicodeError) -> tuple[str, int]:
    """An error handler of codecs: the characters that our lines hold, in ASCII; others as backslashreplace has them."""
    if not isinstance(error, UnicodeEncodeError):
        raise error
    lacking = error.object[error.start : error.end]
    plain = (_PLAIN.get(one) or one.encode("ascii", "backslashreplace").decode() for one in lacking)
    return "".join(plain), error.end


class _Stderr(logging.Handler):
    """Looks up sys.stderr for each message, because a progress bar replaces it to print lines above itself."""

    def emit(self, record: logging.LogRecord) -> None:
        print(self.format(record), file=sys.stderr, flush=True)  # noqa: T201
