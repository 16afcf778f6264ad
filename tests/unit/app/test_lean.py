from __future__ import annotations

import os
import subprocess
import sys
from typing import Final

QUESTION: Final = """
import ctypes
from station_app.lean import give_back_what_is_large

give_back_what_is_large()
large = bytearray(8 << 20)
del large  # from now on glibc would take what is up to 8 MiB from its heap
next_one = bytearray(1 << 20)
address = ctypes.addressof(ctypes.c_char.from_buffer(next_one))
heaps = [line.split()[0].split("-") for line in open("/proc/self/maps") if "[heap]" in line]
print(any(int(start, 16) <= address < int(end, 16) for start, end in heaps))
"""


THREAD: Final = """
import ctypes, threading
from station_app.lean import share_one_heap

share_one_heap()
made = []
thread = threading.Thread(target=lambda: made.append(bytearray(50_000)))
thread.start()
thread.join()
address = ctypes.addressof(ctypes.c_char.from_buffer(made[0]))
heaps = [line.split()[0].split("-") for line in open("/proc/self/maps") if "[heap]" in line]
print(any(int(start, 16) <= address < int(end, 16) for start, end in heaps))
"""
STREWN: Final = """
import os
from station_app.lean import give_back_what_is_free

def resident():
    return int(open("/proc/self/statm").read().split()[1]) * os.sysconf("SC_PAGE_SIZE")

strewn = [bytes(2_000) for _ in range(20_000)]
strewn = strewn[::100]  # the last of them lives, and one here and there
before = resident()
gave = give_back_what_is_free()
print(gave, before - resident() > 20_000_000)
"""


def in_the_heap(question: str) -> bool:
    untuned = {name: value for name, value in os.environ.items() if not name.startswith("MALLOC_")}
    asked = subprocess.run([sys.executable, "-c", question], capture_output=True, text=True, check=True, env=untuned)
    return asked.stdout.strip() == "True"


def test_what_is_free_between_things_that_live_goes_back() -> None:
    asked = subprocess.run([sys.executable, "-c", STREWN], capture_output=True, text=True, check=True)

    assert asked.stdout.split() == ["True", "True"]


def test_threads_share_the_heap() -> None:
    assert in_the_heap(THREAD)
    assert not in_the_heap(THREAD.replace("share_one_heap()\nmade", "made"))


def test_what_is_large_is_taken_from_the_system_and_goes_back_to_it_not_to_the_heap() -> None:
    assert not in_the_heap(QUESTION)
    assert in_the_heap(QUESTION.replace("give_back_what_is_large()\nlarge", "large"))
