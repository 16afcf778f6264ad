from __future__ import annotations

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


def test_what_is_large_is_taken_from_the_system_and_goes_back_to_it_not_to_the_heap() -> None:
    def in_the_heap(question: str) -> bool:
        asked = subprocess.run([sys.executable, "-c", question], capture_output=True, text=True, check=True)
        return asked.stdout.strip() == "True"

    assert not in_the_heap(QUESTION)
    assert in_the_heap(QUESTION.replace("give_back_what_is_large()\nlarge", "large"))
