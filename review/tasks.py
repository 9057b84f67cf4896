"""Work in the background with its progress for the page, in lanes: one task after the other in each."""

import threading
from collections.abc import Callable
from dataclasses import dataclass, replace
from queue import SimpleQueue
from typing import Any

from engine.errors import HpaError, InputError
from engine.machine import refusal
from engine.running.progress import Progress, listening

FIELDS, CELLS, PICTURES = "fields", "cells", "pictures"
"""The lanes. A refit runs in that of the fields, because it replaces what is known of them."""

_Lane = SimpleQueue[tuple[str, Callable[[Progress], Any]]]


@dataclass(frozen=True)
class State:
    """How far a task is.

    Attributes
    ----------
    stage : str
        "absent", "waiting", "running", "done" or "failed".
    what : str
        The step that it is at.
    done, total : int
        Items of that step.
    error : str
        Why it failed.
    result : object
        What it returned.
    """

    stage: str = "absent"
    what: str = ""
    done: int = 0
    total: int = 0
    error: str = ""
    result: Any = None

    @property
    def busy(self) -> bool:
        """Whether it has not ended yet."""
        return self.stage in ("waiting", "running")

    def shown(self) -> dict[str, object]:
        """All but the result, for JSON."""
        return {name: value for name, value in vars(self).items() if name != "result"}


class Tasks:
    """Tasks by name. A lane is a thread of this process that runs its tasks in the order in which they were started."""

    def __init__(self) -> None:
        self._states: dict[str, State] = {}
        self._guard = threading.Lock()
        self._lanes: dict[str, _Lane] = {}

    def state(self, name: str) -> State:
        """How far a task is."""
        with self._guard:
            return self._states.get(name, State())

    def shown(self) -> dict[str, dict[str, object]]:
        """All states, for JSON."""
        with self._guard:
            return {name: state.shown() for name, state in self._states.items()}

    def unfinished(self, name: str) -> dict[str, object]:
        """What a page that waits for a task shows of it, for JSON.

        Raises
        ------
        InputError
            If it failed.
        """
        state = self.state(name)
        if state.stage == "failed":
            raise InputError(state.error)
        return {"waiting": True, "what": state.what, "done": state.done, "steps": state.total}

    def start(self, lane: str, name: str, work: Callable[[Progress], Any], again: bool = False) -> State:
        """Start a task unless it was started before; with `again` also if it has ended."""
        with self._guard:
            state = self._states.get(name, State())
            if state.stage == "absent" or (again and not state.busy):
                state = self._states[name] = State("waiting")
                if lane not in self._lanes:
                    self._lanes[lane] = SimpleQueue()
                    threading.Thread(target=self._work, args=(self._lanes[lane],), daemon=True).start()
                self._lanes[lane].put((name, work))
            return state

    def forget(self, *names: str) -> None:
        """Drop the results of tasks that have ended, so that they can be started anew."""
        with self._guard:
            for name in names:
                if not self._states.get(name, State()).busy:
                    self._states.pop(name, None)

    def expect(self, name: str, what: str, total: int) -> None:
        """Say what a running task does, and how many items that are."""
        self._change(name, what=what, done=0, total=total)

    def _change(self, name: str, **values: Any) -> None:
        with self._guard:
            self._states[name] = replace(self._states.get(name, State()), **values)

    def _work(self, lane: _Lane) -> None:
        while True:
            name, work = lane.get()
            self._change(name, stage="running")
            try:
                with listening(lambda what, done, total, name=name: self._hear(name, what, done, total)):
                    result = work(_Counter(self, name))
                self._change(name, stage="done", result=result)
            except HpaError as error:
                self._change(name, stage="failed", error=str(error))
            except (OSError, MemoryError) as error:
                self._change(name, stage="failed", error=refusal(error))
            except Exception as error:  # a bug of ours must be seen on the page, and not end the thread
                self._change(name, stage="failed", error=f"{type(error).__name__}: {error}. This is a bug.")

    def _hear(self, name: str, what: str, done: int, total: int) -> None:
        self._change(name, what=what, done=done, total=total)


class _Counter:
    """Progress of a task that counts by itself."""

    def __init__(self, tasks: Tasks, name: str) -> None:
        self._tasks, self._name = tasks, name

    def advance(self, n: int = 1, word: str = "") -> None:
        state = self._tasks.state(self._name)
        self._tasks._hear(self._name, word or state.what, state.done + n, state.total)
