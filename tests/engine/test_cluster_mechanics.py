"""Units on a Dask cluster: the bytes of a local run, workers that die, and the message when it cannot work."""

import math
import os
import signal
import subprocess
import sys
import threading
import time
from dataclasses import replace
from pathlib import Path
from shutil import copytree, ignore_patterns

import numpy as np
import pandas as pd
import pytest
from distributed import Client, LocalCluster
from field_ids import field_ids
from threadpoolctl import threadpool_info

import pipeline
from engine.errors import InputError, UsageError
from engine.files import whole
from engine.running import cluster as cluster_module
from engine.running import loaded_code
from engine.running.cluster import AHEAD, Cluster, on_cluster
from engine.running.loaded_code import view
from engine.running.parallel import _single_threaded, run_tasks
from features.core.labels import pair_nuclei
from models.fit import fit
from models.settings import FitSettings
from simulate import simulate

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="module")
def dask():
    with LocalCluster(n_workers=2, threads_per_worker=1, dashboard_address=":0", silence_logs=50) as started:
        yield started


@pytest.fixture(scope="module")
def address(dask) -> str:
    return dask.scheduler_address


def fails(words: str):
    return pytest.raises(InputError, match=words)


def files(folder: Path) -> dict[str, bytes]:
    return {p.relative_to(folder).as_posix(): p.read_bytes() for p in sorted(folder.rglob("*")) if p.is_file()}


def kill_one_at_work(address: str, killed: list[str]) -> None:
    """Wait until a worker has a unit, stop it so that it cannot end the unit, and kill it."""
    with Client(address, set_as_default=False) as client:
        pids = client.run(os.getpid)
        while not killed:
            time.sleep(0.02)
            for worker in (worker for worker, keys in client.processing().items() if keys):
                os.kill(pids[worker], signal.SIGSTOP)
                time.sleep(0.2)
                if client.processing().get(worker):
                    killed.append(worker)
                    os.kill(pids[worker], signal.SIGKILL)
                    return
                os.kill(pids[worker], signal.SIGCONT)


def test_extraction_on_a_cluster_that_loses_a_worker_leaves_the_bytes_of_a_local_run(address, tmp_path):
    data = tmp_path / "data"
    simulate(data, fields=9, test_fields=1, size=128, seed=1)
    pipeline.extract(pipeline.Job(tmp_path / "here", data, "cpu", workers=1, quiet=True))
    killed: list[str] = []
    killer = threading.Thread(target=kill_one_at_work, args=(address, killed), daemon=True)
    killer.start()
    pipeline.extract(pipeline.Job(tmp_path / "there", data, "cpu", scheduler=address, quiet=True))
    killer.join(30)
    assert killed
    assert files(tmp_path / "there/features") == files(tmp_path / "here/features")
    with Client(address, set_as_default=False) as client:
        assert killed[0] not in client.nthreads()


def test_a_fit_on_a_cluster_leaves_the_bytes_of_a_local_fit(address, tmp_path, rng):
    values = rng.normal(0, 1, (90, 6)).astype(np.float32)
    values[rng.random(values.shape) < 0.02] = np.nan
    labels = np.zeros((90, 28), bool)
    labels[:, 0], labels[:, 25] = np.nan_to_num(values[:, 0]) > 0.3, np.nan_to_num(values[:, 0]) <= 0.3
    columns = pd.DataFrame({"name": [f"column{k}" for k in range(6)]})
    settings = FitSettings(n_folds=3, rounds=2, n_resamples=5, random_folds=0)
    asked = (field_ids(values), values, columns, labels, np.arange(90) // 2)
    fit(*asked, settings, tmp_path / "here", quiet=True)
    there = tmp_path / "there"
    there.mkdir()
    with on_cluster(address, there, []) as n_workers:
        fit(*asked, replace(settings, workers=n_workers), there, quiet=True)
    assert files(there) == files(tmp_path / "here")


def test_a_million_tasks_wait_here_and_not_at_the_scheduler(address, tmp_path):
    taken = 0

    def tasks():
        nonlocal taken
        for k in range(60):
            taken += 1
            yield (k,)

    with on_cluster(address, tmp_path, []) as n_workers:
        results = []
        for done, result in enumerate(run_tasks(math.isqrt, tasks(), 1)):
            assert taken - done <= AHEAD * n_workers
            results.append(result)
    assert sorted(results) == [math.isqrt(k) for k in range(60)]


def test_a_worker_that_leaves_with_tasks_ahead_costs_no_result(tmp_path):
    """More tasks were out than the workers that were left should have, which once ended the run with a ValueError."""
    with (
        LocalCluster(n_workers=2, threads_per_worker=1, dashboard_address=":0", silence_logs=50) as two,
        Client(two, set_as_default=False) as client,
        on_cluster(two.scheduler_address, tmp_path, []),
    ):
        results = run_tasks(math.isqrt, ((k,) for k in range(12)), 1)
        found = [next(results)]
        client.retire_workers(list(client.nthreads())[:1])
        assert len(client.nthreads()) == 1
        found += results
    assert sorted(found) == [math.isqrt(k) for k in range(12)]


def test_every_unit_keeps_to_one_thread(address, tmp_path):
    """Several BLAS threads once gave the linear member other bytes with one worker than with two."""

    def threads(workers: int) -> set[int]:
        (libraries,) = run_tasks(threadpool_info, [()], workers)
        assert libraries
        return {library["num_threads"] for library in libraries}

    assert threads(1) == threads(2) == {1}
    with on_cluster(address, tmp_path, []):
        assert threads(1) == {1}


def test_tasks_run_here_again_when_the_block_is_over(address, tmp_path):
    with on_cluster(address, tmp_path, []):
        assert next(run_tasks(os.getpid, [()], 1)) != os.getpid()
    assert next(run_tasks(os.getpid, [()], 1)) == os.getpid()


def test_a_worker_that_does_not_see_a_folder_is_named(address, tmp_path):
    absent = [tmp_path / "nowhere"]
    with fails(r"worker tcp://\S+ does not see .*/nowhere as we do"), on_cluster(address, tmp_path, absent):
        pass
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"code": "other"}, "has other sources of hpa-boost"),
        ({"packages": view([]).packages | {"numba": "0.1"}}, "has numba .*; expected 0.1 as here"),
    ],
)
def test_a_worker_with_other_code_or_packages_is_named(address, tmp_path, monkeypatch, change, words):
    ours = replace(view([]), **change)
    monkeypatch.setattr(loaded_code, "view", lambda paths: ours)
    with fails(words), on_cluster(address, tmp_path, []):
        pass


def test_a_worker_that_loaded_other_sources_is_refused_when_the_files_are_ours_again(tmp_path):
    """A `git pull` under running workers once left them at work with the code of before."""
    clone, run = tmp_path / "clone", tmp_path / "run"
    run.mkdir()
    for room in loaded_code._ROOMS:
        copytree(ROOT / room, clone / room, ignore=ignore_patterns("__pycache__"))
    changed = clone / "features/intensity.py"
    ours = changed.read_text()
    changed.write_text(ours + "# another version\n")
    with LocalCluster(n_workers=0, dashboard_address=":0", silence_logs=50) as scheduler:
        address = scheduler.scheduler_address
        options = ["--nthreads", "1", "--no-nanny", "--no-dashboard", "--local-directory", str(tmp_path / "dask")]
        worker = subprocess.Popen(
            [sys.executable, "-m", "dask", "worker", address, *options], cwd=clone, stderr=subprocess.DEVNULL
        )
        try:
            scheduler.wait_for_workers(1, timeout=60)
            with fails(r"worker tcp://\S+ has other sources of hpa-boost"), on_cluster(address, run, []):
                pass
            changed.write_text(ours)
            with fails(r"worker tcp://\S+ started before .* changed there.*anew"), on_cluster(address, run, []):
                pass
        finally:
            worker.kill()
            worker.wait()


def test_sources_that_changed_since_this_process_started_are_refused(address, tmp_path, monkeypatch):
    monkeypatch.setattr(loaded_code, "LOADED", replace(loaded_code.LOADED, code="older"))
    with fails("this process started before hpa-boost or a package changed"), on_cluster(address, tmp_path, []):
        pass


def test_a_worker_hashes_its_sources_before_it_loads_the_code_of_a_task():
    """One that joins during a command is asked only by the next one."""

    def ours() -> list[str]:
        return [name for name in sys.modules if name.split(".")[0] in rooms]

    rooms, labels = loaded_code._ROOMS, np.ones((2, 2), int)
    with (
        LocalCluster(n_workers=1, threads_per_worker=1, dashboard_address=":0", silence_logs=50) as one,
        Client(one, set_as_default=False) as client,
    ):
        list(Cluster(one.scheduler_address, client).run(_single_threaded, [(pair_nuclei, (labels, labels))]))
        (loaded,) = client.run(ours).values()
    hashed, first_of_task = loaded.index("engine.running.loaded_code"), loaded.index("engine.running.cluster")
    others = [k for k, name in enumerate(loaded) if not name.startswith("engine")]
    assert hashed < min(first_of_task, *others)


def test_a_worker_that_joins_late_with_other_code_runs_no_task(address, monkeypatch):
    monkeypatch.setattr(loaded_code, "LOADED", replace(loaded_code.LOADED, code="newer"))
    with Client(address, set_as_default=False) as client, fails(r"worker tcp://\S+ has other sources .*expected newer"):
        list(Cluster(address, client).run(math.isqrt, [(4,)]))


def test_a_worker_without_our_code_is_told_how_to_start(monkeypatch):
    said = cluster_module._complaint("No module named 'engine'", view([]), {})
    assert "python -m dask" in said
    assert "No module named 'engine'" in said


def test_a_worker_with_several_threads_is_refused(address, tmp_path, monkeypatch):
    monkeypatch.setattr(Cluster, "workers", lambda self: {"tcp://one": 1, "tcp://two": 4})
    with fails(r"tcp://two runs 4 tasks at once .* --nthreads 1"), on_cluster(address, tmp_path, []):
        pass


def test_no_scheduler_and_no_workers_are_said_at_once(tmp_path, monkeypatch):
    monkeypatch.setattr(cluster_module, "PATIENCE", 0.5)
    begun = time.monotonic()
    with fails("no Dask scheduler answers at tcp://127.0.0.1:9 "), on_cluster("tcp://127.0.0.1:9", tmp_path, []):
        pass
    with (
        LocalCluster(n_workers=0, dashboard_address=":0", silence_logs=50) as empty,
        fails("has no workers. Start some: python -m dask worker"),
        on_cluster(empty.scheduler_address, tmp_path, []),
    ):
        pass
    assert time.monotonic() - begun < 20


def test_options_that_do_not_go_with_a_scheduler(tmp_path):
    asked = {"scheduler": "tcp://127.0.0.1:9", "quiet": True}
    with pytest.raises(UsageError, match="--device cuda does not go with --scheduler"):
        pipeline.extract(pipeline.Job(tmp_path / "run", tmp_path, "cuda", **asked))
    (tmp_path / "train").mkdir()
    (tmp_path / "train/a_red.png").touch()
    with pytest.raises(UsageError, match="--workers 3 does not go with --scheduler"):
        pipeline.extract(pipeline.Job(tmp_path / "run", tmp_path, "cpu", workers=3, **asked))


def test_a_command_starts_without_the_libraries_that_only_some_steps_need():
    """Each takes half a second or more."""
    later = {"dask", "distributed", "sklearn", "scipy.stats", "lightgbm", "xgboost", "torch", "onnxruntime"}
    code = f"import sys, pipeline; print(*{later} & set(sys.modules))"
    assert subprocess.run([sys.executable, "-c", code], cwd=ROOT, stdout=subprocess.PIPE).stdout.split() == []


def test_two_machines_with_one_process_id_write_under_different_names(tmp_path):
    with whole(tmp_path / "a") as mine, whole(tmp_path / "a") as theirs:
        assert mine != theirs
        mine.touch()
        theirs.touch()


def test_a_unit_that_takes_its_workers_with_it_ends_the_run_with_a_sentence(dask, address, tmp_path):
    dask.scheduler.allowed_failures = 0
    with fails("died one after the other .* too little memory"), on_cluster(address, tmp_path, []):
        list(run_tasks(signal.raise_signal, [(signal.SIGKILL,)], 1))
