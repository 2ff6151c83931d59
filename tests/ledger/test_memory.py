"""How much memory a process has held."""

from __future__ import annotations

import subprocess
import sys

from ledger.memory import peak_rss_mib


def test_a_peak_is_remembered_after_the_memory_is_given_back() -> None:
    before = peak_rss_mib()
    held = bytearray(b"x" * 200 * 2**20)
    del held
    assert before + 150 < peak_rss_mib() < before + 600


def test_a_small_program_is_small_though_a_large_one_started_it() -> None:
    held = bytearray(b"x" * 300 * 2**20)
    program = "from ledger.memory import peak_rss_mib; print(peak_rss_mib())"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert len(held) == 300 * 2**20
    assert 5 < float(done.stdout) < 200
