"""The estimate of a whole step, compared with how long simulated workers really take."""

import heapq

import numpy as np
import pytest

from engine.running.estimate import Estimate, about


def worked(sizes, workers, seconds_per_item, warm_up):
    """Let workers take tasks in order; gives the sentences with the times they came at, and when all was done."""
    estimate = Estimate(f"{sum(sizes)} fields", sum(sizes), len(sizes), workers)
    free = [(0.0, k) for k in range(workers)]
    ends, warm = [], set()
    for size in sizes:
        at, worker = heapq.heappop(free)
        took = size * seconds_per_item + (0 if worker in warm else warm_up)
        warm.add(worker)
        heapq.heappush(free, (at + took, worker))
        ends.append((at + took, size, took, worker))
    said = [(end, estimate.after(size, took, str(worker))) for end, size, took, worker in sorted(ends)]
    return [(end, sentence) for end, sentence in said if sentence], max(ends)[0]


@pytest.mark.parametrize("workers", [1, 2, 16])
@pytest.mark.parametrize("n_tasks", [64, 650])
def test_estimate_is_within_a_factor_of_two_and_comes_early(workers, n_tasks):
    sizes = np.random.default_rng(n_tasks).integers(32, 65, n_tasks).tolist()
    said, whole = worked(sizes, workers, 0.5, warm_up=5.0)
    [(at, sentence)] = said
    assert at < whole / 2 if n_tasks == 64 else at < whole / 10
    words = sentence.removeprefix(f"{sum(sizes)} fields: about ").split()
    seconds = sum(int(n) * {"s": 1, "min": 60, "h": 3600}[unit] for n, unit in zip(words[::2], words[1::2]))
    assert whole / 2 < seconds < whole * 2


def test_loading_code_and_models_does_not_count():
    """A worker's first task of four fields takes 62 s, the others 2 s: 100 fields take 50 s more, not 25 minutes."""
    estimate = Estimate("100 fields to measure", 100, 25, 1)
    assert estimate.after(4, 62.0, "a") == ""
    assert estimate.after(4, 2.0, "a") == "100 fields to measure: about 50 s"
    assert estimate.after(4, 2.0, "a") == ""


def test_more_workers_than_tasks_are_not_counted_as_working():
    estimate = Estimate("30 fields", 30, 3, 16)
    assert estimate.after(10, 40.0, "a") == ""
    assert estimate.after(10, 30.0, "a") == "30 fields: about 30 s"


def test_nothing_is_said_of_a_short_step():
    estimate = Estimate("30 fields", 30, 3, 1)
    assert [estimate.after(10, 3.0, "a") for _ in range(3)] == [""] * 3


@pytest.mark.parametrize(
    ("seconds", "said"),
    [(42, "40 s"), (94, "90 s"), (96, "2 min"), (1500, "25 min"), (5340, "89 min"), (5400, "1 h 30 min"),
     (7100, "2 h"), (12600, "3 h 30 min"), (200_000, "55 h 30 min")],
)  # fmt: skip
def test_about(seconds, said):
    assert about(seconds) == f"about {said}"
