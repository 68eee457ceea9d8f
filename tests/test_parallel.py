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
from pathlib import Path

import pytest

from models.parallel import map_in_order, threads_given


def test_cores_are_those_given_to_the_process() -> None:
    assert 1 <= threads_given() <= (os.cpu_count() or 1)


@pytest.mark.skipif(not hasattr(ctypes.CDLL(None), "malloc_info"), reason="the C library is not glibc")
def test_many_threads_share_few_heaps(tmp_path: Path) -> None:
    script = """
import ctypes, sys, threading
from models.parallel import share_heaps
libc = ctypes.CDLL(None)
libc.fopen.restype = ctypes.c_void_p
if sys.argv[2] == "share":
    share_heaps()
together = threading.Barrier(8)
def work():
    libc.malloc(1000)
    together.wait()
threads = [threading.Thread(target=work) for _ in range(8)]
[thread.start() for thread in threads], [thread.join() for thread in threads]
file = libc.fopen(sys.argv[1].encode(), b"w")
libc.malloc_info(0, ctypes.c_void_p(file))
libc.fclose(ctypes.c_void_p(file))
"""
    heaps = {}
    for how in ("share", "leave"):
        subprocess.run([sys.executable, "-c", script, str(tmp_path / how), how], check=True)
        heaps[how] = (tmp_path / how).read_text().count("<heap nr=")
    assert heaps["share"] <= threads_given()
    assert heaps["leave"] >= heaps["share"]


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
