"""Many machines: tasks on a Dask cluster whose workers see the same folders and the same code.

Only the client, the process that was started with --scheduler, holds the lock of the run folder. Workers write files
that are whole or absent, and a task that is run twice writes the same bytes.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast
from uuid import uuid4

from engine.errors import InputError, UsageError

if TYPE_CHECKING:
    from distributed import Client

    from engine.running.loaded_code import View

PATIENCE = 5.0
"""Seconds to wait for a scheduler, and for its first worker."""

AHEAD = 2  # tasks sent to the cluster for each worker
_open: ContextVar["Cluster | None"] = ContextVar("cluster", default=None)


@dataclass(frozen=True)
class Cluster:
    """A cluster with a connection to its scheduler.

    Attributes
    ----------
    address : str
    client : Client
    """

    address: str
    client: "Client" = field(repr=False)

    def workers(self) -> dict[str, int]:
        """Threads of each worker that is connected now, by address; InputError if the scheduler is gone."""
        try:
            return dict(cast("dict[str, int]", self.client.nthreads()))  # a coroutine only in asynchronous clients
        except OSError as error:
            raise self._gone() from error

    def run(self, function: Callable[..., Any], tasks: Iterable[tuple]) -> Iterator[Any]:
        """Run `function(*task)` for every task and yield the results as they finish, in any order.

        The tasks of a worker that is lost are run again by another. The scheduler holds at most two tasks a worker at a
        time, so that workers who join later get work, and a million tasks need no memory.

        Raises
        ------
        InputError
            If several workers died during one task, one that joined late runs other code, or the scheduler is gone.
        """
        from distributed import CancelledError, KilledWorker, as_completed

        from engine.running.loaded_code import LOADED

        waiting, ended = iter(tasks), as_completed(loop=self.client.loop)
        try:
            while True:
                room = max(AHEAD * max(len(self.workers()), 1) - ended.count(), 0)
                for task in islice(waiting, room):
                    ended.add(self.client.submit(_run_checked, LOADED, function, *task, pure=False))
                if ended.is_empty():
                    return
                yield next(ended).result()
        except KilledWorker as error:
            raise InputError(
                f"several workers of {self.address} died one after the other during one task ({error.task}); "
                "most likely they have too little memory. Give them more; the same command goes on from there."
            ) from error
        except CancelledError as error:
            raise self._gone() from error
        finally:
            self.client.cancel(list(ended.futures))

    def _gone(self) -> InputError:
        return InputError(f"the scheduler {self.address} is gone. Start it again; the same command goes on from there.")


def _run_checked(ours: "View", function: Callable[..., Any], *task: Any) -> Any:
    """Run a task on a worker; InputError if it loaded other code or packages than the client."""
    from engine.running.loaded_code import LOADED

    if complaint := _complaint(LOADED, ours, {}):
        from distributed import get_worker

        raise InputError(f"worker {get_worker().address} {complaint}")
    return function(*task)


def opened() -> Cluster | None:
    """The cluster that `on_cluster` has opened around the caller, if any."""
    return _open.get()


@contextmanager
def on_cluster(address: str, run: Path, inputs: Sequence[Path]) -> Iterator[int]:
    """Run the tasks of the block on a cluster; yields the number of its workers.

    Parameters
    ----------
    address : str
        Of the scheduler, e.g. "tcp://host:8786".
    run : Path
        Folder for all results: existing, absolute.
    inputs : sequence of Path
        Further folders that the workers must see, absolute.

    Raises
    ------
    InputError
        If there is no scheduler or worker, or a worker cannot run our tasks; the message names it and the reason.
    """
    with _connected(address) as cluster:
        _check(cluster, run, inputs)
        token = _open.set(cluster)
        try:
            yield len(cluster.workers())
        finally:
            _open.reset(token)


@contextmanager
def _connected(address: str) -> Iterator[Cluster]:
    try:
        from distributed import Client
    except ImportError as error:
        raise UsageError("--scheduler needs Dask. Install it: pip install -r requirements-cluster.txt") from error
    try:
        client = Client(address, timeout=PATIENCE, set_as_default=False)
    except (OSError, ValueError, TypeError) as error:
        raise InputError(
            f"no Dask scheduler answers at {address} within {PATIENCE:.0f} s (expected e.g. tcp://host:8786). Start "
            "one with dask scheduler, or check the address."
        ) from error
    with client:
        yield Cluster(address, client)


def _check(cluster: Cluster, run: Path, inputs: Sequence[Path]) -> None:
    """Raise InputError for the first worker that cannot run our tasks."""
    from engine.running.loaded_code import view

    try:
        cluster.client.wait_for_workers(1, timeout=PATIENCE)
    except TimeoutError as error:
        raise InputError(
            f"the scheduler {cluster.address} has no workers. Start some: python -m dask worker {cluster.address} "
            "--nthreads 1"
        ) from error
    for worker, threads in cluster.workers().items():
        if threads > 1:
            raise InputError(
                f"worker {worker} runs {threads} tasks at once in threads; expected one. Start it with --nthreads 1, "
                "and --nworkers for several."
            )
    sign = run / f".seen-{uuid4().hex}"
    sign.touch()
    try:
        ours = view([])
        views: dict[str, View | str | BaseException] = {"this process": ours}
        answers = cluster.client.run(_asked([str(sign), *map(str, inputs)]), on_error="return")
        seen = cast("dict[str, View | str | BaseException]", answers)  # a coroutine only in asynchronous clients
        views |= {f"worker {worker}": theirs for worker, theirs in seen.items()}
        # The scheduler unpickles the tasks that it passes on, so it needs our code too, but none of the folders.
        answer = cluster.client.run_on_scheduler(_asked([]))
        views[f"the scheduler {cluster.address}"] = cast("View | str", answer)
        for who, theirs in views.items():
            if complaint := _complaint(theirs, ours, {str(sign): str(run)}):
                raise InputError(f"{who} {complaint}")
    finally:
        sign.unlink(missing_ok=True)


def _asked(paths: list[str]) -> "Callable[[], View | str]":
    """A function that is pickled whole, because it has no importable name: it also runs on workers without our code."""

    def look():
        try:
            from engine.running.loaded_code import view
        except ImportError as error:
            return str(error)
        return view(paths)

    return look


def _complaint(theirs: "View | str | BaseException", ours: "View", names: dict[str, str]) -> str:
    """Why a worker cannot run our tasks; empty if it can."""
    if isinstance(theirs, str):
        return (
            f"cannot import our code ({theirs}). Start it in the folder of cli.py with python -m dask, or with "
            "PYTHONPATH set to that folder."
        )
    if isinstance(theirs, BaseException):
        return f"failed to report its code and packages ({type(theirs).__name__}: {theirs}). Start it again."
    if theirs.absent:
        path = names.get(theirs.absent[0], theirs.absent[0])
        return f"does not see {path} as we do. Put it on storage that all machines share, under one path."
    if theirs.changed:
        return "started before hpa-boost or a package changed there, so it may run old code. Start it anew."
    if theirs.code != ours.code:
        return f"has other sources of hpa-boost ({theirs.code}; expected {ours.code}). Start it anew from our version."
    for name, version in ours.packages.items():
        if theirs.packages.get(name) != version:
            return (
                f"has {name} {theirs.packages.get(name, 'not at all')}; expected {version} as here. Install "
                "requirements-cluster.txt there."
            )
    return ""
