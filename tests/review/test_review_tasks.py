"""Work in the background: lanes side by side, one task after the other in each; tables read by several threads."""

import threading
import time

import pytest

from engine.errors import InputError
from review.cell_tables import read_all
from review.tasks import CELLS, FIELDS, Tasks


def finished(tasks: Tasks, name: str) -> str:
    """The stage that a task ended in."""
    ends = time.monotonic() + 20
    while tasks.state(name).busy:
        assert time.monotonic() < ends
        time.sleep(0.005)
    return tasks.state(name).stage


def test_a_long_task_holds_up_its_own_lane_alone():
    tasks, go, order = Tasks(), threading.Event(), []
    tasks.start(FIELDS, "long", lambda _: (go.wait(20), order.append("long")))
    tasks.start(FIELDS, "behind it", lambda _: order.append("behind it"))
    tasks.start(CELLS, "beside it", lambda _: order.append("beside it"))
    assert finished(tasks, "beside it") == "done"
    assert order == ["beside it"] and tasks.state("behind it").stage == "waiting"
    go.set()
    assert finished(tasks, "behind it") == "done"
    assert order == ["beside it", "long", "behind it"]


def test_who_waits_for_a_task_hears_how_far_it_is_and_why_it_failed():
    tasks, go = Tasks(), threading.Event()

    def work(progress):
        tasks.expect("half", "reading", 4)
        progress.advance(2)
        go.wait(20)
        raise InputError("the table is damaged.")

    tasks.start(CELLS, "half", work)
    while tasks.state("half").done < 2:
        time.sleep(0.005)
    assert tasks.unfinished("half") == {"waiting": True, "what": "reading", "done": 2, "steps": 4}
    go.set()
    assert finished(tasks, "half") == "failed"
    with pytest.raises(InputError, match="the table is damaged"):
        tasks.unfinished("half")


def test_tables_read_by_several_threads_come_in_order_and_reading_ends_with_an_error_or_with_the_reader(monkeypatch):
    monkeypatch.setattr("review.cell_tables.default_workers", lambda: 3)
    assert list(read_all(range(40), lambda k: (time.sleep(0.002 * (k % 3)), k)[1])) == list(range(40))
    begun = []

    def read(k: int) -> int:
        begun.append(k)
        time.sleep(0.01)
        if k == 1:
            raise InputError("damaged.")
        return k

    with pytest.raises(InputError, match="damaged"):
        list(read_all(range(1000), read))
    first = read_all(range(10, 1000), read)
    assert next(first) == 10
    first.close()
    assert len(begun) < 30
