"""What all commands share: the run and data folders, and the workers."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from engine.command_line import DATA, RUN
from engine.errors import UsageError
from engine.running.lock import locked
from engine.running.parallel import workers_for
from engine.running.workers import default_workers, start_workers
from features.core.device import device_names
from store.run_folder import RunFolder, open_run


@dataclass(frozen=True)
class Job:
    """One command on one run.

    Attributes
    ----------
    run, data : Path
        The run folder, and the data folder.
    device : str
        auto, cpu or cuda[:N].
    workers : int
        Processes; 0 means all cores.
    scheduler : str or None
        Address of a Dask scheduler whose cluster does the work. Its machines get absolute paths.
    seed : int
    quiet : bool
        Show no progress.
    """

    run: Path = RUN
    data: Path = DATA
    device: str = "auto"
    workers: int = 0
    scheduler: str | None = None
    seed: int = 0
    quiet: bool = False

    def __post_init__(self) -> None:
        if self.scheduler is not None:
            object.__setattr__(self, "run", self.run.absolute())
            object.__setattr__(self, "data", self.data.absolute())

    @property
    def worker_device(self) -> str:
        """The device that the workers measure or fit on; those of a cluster use their CPUs.

        Raises
        ------
        UsageError
            If a GPU is requested together with a cluster.
        """
        if self.scheduler is None:
            return self.device
        if self.device not in ("auto", "cpu"):
            raise UsageError(
                f"--device {self.device} does not go with --scheduler: a cluster works on CPUs. Leave one of them out."
            )
        return "cpu"

    def start_measuring(self, into: Path | None = None) -> None:
        """Start the workers that will measure, while this process still imports what it needs itself.

        Only on CPUs of this machine, and where nothing was measured before: else there may be nothing to measure.

        Parameters
        ----------
        into : Path or None
            Where features go, if not into the run folder.

        Raises
        ------
        UsageError
            If the device is unknown or not there.
        """
        new = not RunFolder(into or self.run).features.exists()
        if new and self.scheduler is None and self.n_workers > 1 and device_names(self.device) == ("cpu",):
            start_workers(self.n_workers, "commands.measuring", "get_ready")

    @cached_property
    def folder(self) -> RunFolder:
        """The run folder; refused if it holds a link, pipe or device (see `store.run_folder.open_run`)."""
        return open_run(self.run)

    def path(self, path: Path | None) -> Path | None:
        """Another path as the workers need it: absolute for those of a cluster."""
        return path.absolute() if path and self.scheduler else path

    @contextmanager
    def at_work(self, *inputs: Path | None, on: Path | None = None) -> Iterator[int]:
        """Lock the run folder (or the folder `on`) during the block; yields the number of workers.

        Parameters
        ----------
        inputs : Path or None
            Other paths that the workers read.
        on : Path or None
            Another folder that is written to instead.
        """
        with (
            locked(on or self.run, "--out" if on else "--run"),
            workers_for(self.workers, self.scheduler, self.run, inputs) as workers,
        ):
            yield workers

    @property
    def n_workers(self) -> int:
        """The number of processes; 0 is replaced by all cores."""
        return self.workers or default_workers()
