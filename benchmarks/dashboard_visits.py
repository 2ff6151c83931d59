"""A reader who clicks through all pages of a dashboard without a pause: `python benchmarks/dashboard_visits.py URL`.

Ends when its input does, and prints one JSON object: how many pages were drawn, how long that took, what went wrong.
"""

from __future__ import annotations

import json
import sys
import threading
from itertools import cycle
from pathlib import Path
from statistics import median

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from playwright.sync_api import Error

from tests.chromium import chromium
from tests.dashboards_in_browser.visitor import PAGES, visitor


def main() -> None:
    """Walk until told to end."""
    over = threading.Event()
    threading.Thread(target=_wait_for_the_end, args=(over,), daemon=True).start()
    seconds: list[float] = []
    wrong: list[str] = []
    with chromium() as browser:
        reader = visitor(browser, sys.argv[1])
        reader.open()
        print("open", flush=True)
        for path in cycle(PAGES):
            if over.is_set():
                break
            try:
                seconds.append(reader.click(path).readable)
            except Error as error:  # a page that is not drawn in a minute is one that failed
                wrong.append(f"{PAGES[path]}: {error.message.splitlines()[0]}")
                reader.open()
            wrong += reader.wrong()
        reader.page.context.close()
    told = {
        "visits": len(seconds),
        "median": round(median(seconds or [0]), 3),
        "slowest": round(max(seconds or [0]), 3),
    }
    print(json.dumps({**told, "wrong": sorted(set(wrong))}), flush=True)


def _wait_for_the_end(over: threading.Event) -> None:
    sys.stdin.read()
    over.set()


if __name__ == "__main__":
    main()
