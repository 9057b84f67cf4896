"""How long a whole step will take, said once after its first tasks; never from what another machine needed."""

from dataclasses import dataclass, field

SHORTEST = 10.0
"""Seconds; of a shorter step nothing is said."""


@dataclass
class Estimate:
    """An estimate from the first finished tasks of a step.

    A worker's first task does not count: the worker loads compiled code and models in it. The estimate is made when as
    many others are finished as there are workers (or an eighth of all tasks, if that is less), because the very first
    one to finish is the quickest.

    Attributes
    ----------
    what : str
        What is to be done, e.g. "31,072 fields to measure".
    n_items, n_tasks : int
        To do; a task holds several items.
    workers : int
        Workers that do tasks at the same time.
    """

    what: str
    n_items: int
    n_tasks: int
    workers: int
    _warm: set[str] = field(default_factory=set, init=False)
    _counted: list[tuple[int, float]] = field(default_factory=list, init=False)

    def after(self, n_items: int, seconds: float, worker: str) -> str:
        """The sentence, if the end of this task decides it; otherwise "".

        Parameters
        ----------
        n_items : int
            Items of the task.
        seconds : float
            Time that the worker took for it.
        worker : str
            Which worker it was.
        """
        if worker not in self._warm:
            self._warm.add(worker)
            return ""
        self._counted.append((n_items, seconds))
        busy = min(self.workers, self.n_tasks)
        if len(self._counted) != max(1, min(busy, self.n_tasks // 8)):
            return ""
        whole = sum(s for _, s in self._counted) / sum(n for n, _ in self._counted) * self.n_items / busy
        return f"{self.what}: {about(whole)}" if whole >= SHORTEST else ""


def about(seconds: float) -> str:
    """A rough time in words.

    Examples
    --------
    >>> about(42), about(1500), about(12600)
    ('about 40 s', 'about 25 min', 'about 3 h 30 min')
    """
    if seconds < 95:
        return f"about {10 * round(seconds / 10)} s"
    minutes = round(seconds / 60)
    if minutes < 90:
        return f"about {minutes} min"
    hours, minutes = divmod(10 * round(minutes / 10), 60)
    return f"about {hours} h" + (f" {minutes} min" if minutes else "")
