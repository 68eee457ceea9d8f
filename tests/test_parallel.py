"""Work shared out over the cores: in order, side by side, and no further than asked."""

from __future__ import annotations

import os
import threading
from itertools import islice

import pytest

from models.parallel import map_in_order, threads_given


def test_cores_are_those_given_to_the_process() -> None:
    assert 1 <= threads_given() <= (os.cpu_count() or 1)


def test_results_come_in_order_from_work_side_by_side() -> None:
    together = threading.Barrier(2, timeout=10)

    def work(number: int) -> int:
        together.wait()
        return -number

    assert list(map_in_order(work, range(6), workers=2)) == [0, -1, -2, -3, -4, -5]


def test_nothing_more_is_begun_once_nobody_asks() -> None:
    begun = []

    def work(number: int) -> int:
        begun.append(number)
        return number

    results = map_in_order(work, range(1_000), workers=1)
    first = next(results)
    results.close()
    assert first == 0
    done = len(begun)
    assert done < 1_000
    assert len(begun) == done


def test_a_failure_comes_where_its_result_would() -> None:
    def work(number: int) -> int:
        if number == 2:
            raise ValueError("the third")
        return number

    results = map_in_order(work, range(5), workers=2)
    assert list(islice(results, 2)) == [0, 1]
    with pytest.raises(ValueError, match="third"):
        next(results)
