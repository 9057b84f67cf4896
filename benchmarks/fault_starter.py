"""Starts commands as forks of a process that has loaded everything, so that faults hit the work and not the imports.

It reads one wish a line from stdin, {"arguments": [...], "log": file, "mark": word} or {"wait": process}, and answers
with a process number or with how that process ended. A fork ends as `python cli.py` does, signals included.
"""

import json
import os
import signal
import sys
from importlib import import_module
from typing import Any

import cli
from engine.running.interrupt import end, heed_signals

MARK = "HPA_BOOST_FAULT"  # names what the round started in the environment of its worker processes


def main() -> None:
    """Load everything and serve until stdin ends; what is forked goes on below."""
    import cv2

    from features.extraction.compiling import compile_part, parts

    import_module("pipeline")
    cv2.setNumThreads(1)  # a fork of a process with threads hangs
    for name in parts():
        compile_part(name)
    wish = _wish_of_a_fork()
    if wish is not None:
        _become(wish)


def _wish_of_a_fork() -> dict[str, Any] | None:
    """In a fork, what it shall do; in the starter, None at the end."""
    for line in sys.stdin:
        wish = json.loads(line)
        if "wait" in wish:
            answer = os.waitstatus_to_exitcode(os.waitpid(wish["wait"], 0)[1])
        else:
            answer = os.fork()
            if answer == 0:
                return wish
        print(answer, flush=True)
    return None


def _become(wish: dict[str, Any]) -> None:
    os.setpgid(0, 0)
    os.environ[MARK] = wish["mark"]
    log = os.open(wish["log"], os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    for stream in (1, 2):
        os.dup2(log, stream)
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
    signal.signal(signal.SIGINT, signal.default_int_handler)  # it is ignored where the starter runs in the background
    heed_signals()
    end(cli.main(wish["arguments"]))


if __name__ == "__main__":
    main()
