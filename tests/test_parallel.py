"""Work shared out over the cores: in order, side by side, and no further than asked."""

from __future__ import annotations

import ctypes
import os
import subprocess
import sys
import threading
import time
import weakref
from itertools import islice

import pytest

from models.parallel import map_in_order, threads_given


def test_cores_are_those_given_to_the_process() -> None:
    assert 1 <= threads_given() <= (os.cpu_count() or 1)


@pytest.mark.skipif(not hasattr(ctypes.CDLL(None), "malloc_trim"), reason="the C library is not glibc")
def test_large_pieces_are_not_asked_of_the_system_again_and_are_given_back_at_the_end() -> None:
    script = """
import sys, threading
from pathlib import Path
from resource import RUSAGE_SELF, getrusage
from models.parallel import keep_memory, return_memory
if sys.argv[1] == "keep":
    keep_memory()
together = threading.Barrier(2)
faults = []
def work():
    together.wait()
    for _ in range(5):
        bytearray(80_000_000)
        faults.append(getrusage(RUSAGE_SELF).ru_minflt)
def held():
    return int(Path("/proc/self/statm").read_text().split()[1]) * 4096
threads = [threading.Thread(target=work) for _ in range(2)]
[thread.start() for thread in threads], [thread.join() for thread in threads]
before = held()
return_memory()
print(faults[-1] - faults[3], before - held())
"""
    asked, returned = {}, {}
    for how in ("keep", "leave"):
        told = subprocess.run([sys.executable, "-c", script, how], check=True, capture_output=True, text=True).stdout
        asked[how], returned[how] = map(int, told.split())
    # 80 MB are 19,531 pages; six of ten pieces are counted.
    assert asked["keep"] < 40_000
    assert asked["leave"] > 80_000
    assert returned["keep"] > 80_000_000


def test_results_come_in_order_from_work_side_by_side() -> None:
    together = threading.Barrier(2, timeout=60)

    def work(number: int) -> int:
        together.wait()
        return -number

    assert list(map_in_order(work, range(6), workers=2)) == [0, -1, -2, -3, -4, -5]


def test_nothing_is_kept_of_a_result_that_was_given_away() -> None:
    class Result:
        pass

    made: weakref.WeakSet[Result] = weakref.WeakSet()

    def work(_: int) -> Result:
        result = Result()
        made.add(result)
        return result

    alive = [len(made) for _ in map_in_order(work, range(50), workers=1)]
    assert alive[-1] <= 2


def test_nothing_more_is_begun_once_nobody_asks() -> None:
    begun = []

    def work(number: int) -> int:
        begun.append(number)
        time.sleep(0.01)
        return number

    results = map_in_order(work, range(1_000), workers=1)
    assert next(results) == 0
    results.close()
    assert len(begun) < 500


def test_a_failure_comes_where_its_result_would() -> None:
    def work(number: int) -> int:
        if number == 2:
            raise ValueError("the third")
        return number

    results = map_in_order(work, range(5), workers=2)
    assert list(islice(results, 2)) == [0, 1]
    with pytest.raises(ValueError, match="third"):
        next(results)
