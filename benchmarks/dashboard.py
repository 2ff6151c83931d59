"""How soon the dashboard's pages are drawn over a million comparisons, and what it costs a judging run beside it.

    python benchmarks/dashboard.py [--workspace FOLDER] [--comparisons 1000000] [--repeats 3] [--only PARTS]

PARTS are counting, opening and judging. Without ``--workspace`` a ledger is generated first (`dashboard_world.py`).
Pages are opened in headless Chromium on this very machine, so its work is in the figures. Seconds are from navigation,
or from the click. A page is *seen* when its headline and its first chart stand on the screen, as they were drawn
beforehand or by the living page. It is *alive* when it can be worked with: its script has ended, its title and headline
are there, nothing waits or spins, and its first chart has its picture. It is *drawn* when all charts have theirs, also
those far below.

- `count_seconds`: counting everything for the first time, as the counting process does beside the server; by section
  with the peak memory in ``counted``. A dashboard that was never opened before says so until then. `draw_seconds`:
  drawing the pages beforehand.
- `launch_seconds`: from the start of `wardround dashboard` until it listens.
- `first_cold_seconds`: until the first page is seen, opened in a new browser from a server that was just started; what
  it shows was counted before and is read from disk. `first_warm_seconds`: the same reader opens it again.
  `first_new_browser_seconds`: somebody else does, whose browser has none of its files. `page_max_seconds`: until the
  slowest of the other pages is alive, each clicked for the first time after such a start. Medians over the starts;
  ``alive`` and ``drawn`` have them for every page, ``slowest_alive`` the slowest start of each.
- `judge_slowdown`: how much longer the same judging takes with the dashboard open and a reader who clicks through all
  pages without a pause: see `dashboard_judging.py`.

The last line is one JSON object.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from statistics import median

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from benchmarks.dashboard_judging import judging
from benchmarks.dashboard_world import make_world
from dashboards.counting.count import count
from dashboards.counting.kept import FOLDER, made_folder, read_kept
from dashboards.counting.sections import SECTIONS
from dashboards.prerendered.draw import draw_pages
from ledger.records import Comparison
from ledger.workspace import open_workspace
from tests.chromium import chromium
from tests.dashboards_in_browser.served import served
from tests.dashboards_in_browser.visitor import PAGES, Drawn, visitor

PARTS = ("counting", "opening", "judging")
FIRST_PAGE = ("cold", "warm", "new_browser")
OTHERS = [path for path in PAGES if path]
Figures = dict[str, object]


def main() -> None:
    """Run the parts and print the figures."""
    options = _options()
    if options.count:
        print(json.dumps(counted(options.workspace, options.count)))
        return
    parts = options.only.split(",")
    found: Figures = {}
    with _workspace(options) as root:
        with open_workspace(root, create=False) as workspace:
            found["comparisons"] = workspace.ledger.count(Comparison)
        if "counting" in parts:
            found |= counting(root)
        _check_counted(root)
        if "opening" in parts:
            found |= opening(root, options.repeats)
        if "judging" in parts:
            found |= judging(root, options.judgments, options.judging_repeats)
    print(json.dumps(found))


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--workspace", type=Path, help="with a ledger that is there already; the judging adds to it")
    parser.add_argument("--comparisons", type=int, default=1_000_000)
    parser.add_argument("--repeats", type=int, default=3, help="starts of the server")
    parser.add_argument("--judgments", type=int, default=12_000, help="of each judging run")
    parser.add_argument("--judging-repeats", type=int, default=3, help="pairs of judging runs, without and with")
    parser.add_argument("--only", default=",".join(PARTS))
    parser.add_argument("--count", metavar="SECTION", help=argparse.SUPPRESS)
    return parser.parse_args()


@contextmanager
def _workspace(options: argparse.Namespace) -> Iterator[Path]:
    if options.workspace:
        yield options.workspace
        return
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder) / "world"
        began = time.monotonic()
        make_world(root, options.comparisons)
        print(f"a ledger was made in {time.monotonic() - began:.0f} s", flush=True)
        yield root


def counting(root: Path) -> Figures:
    """Count every section for the first time, each in a process of its own for its peak memory."""
    sections: dict[str, dict[str, float]] = {}
    for section in SECTIONS:
        (root / FOLDER / f"{section.name}.json").unlink(missing_ok=True)
        line = [sys.executable, __file__, "--workspace", str(root), "--count", section.name]
        done = subprocess.run(line, capture_output=True, text=True, check=True)
        sections[section.name] = json.loads(done.stdout.splitlines()[-1])
        print(f"{section.name}: {sections[section.name]}", flush=True)
    began = time.monotonic()
    draw_pages(root / FOLDER)
    return {
        "draw_seconds": round(time.monotonic() - began, 2),
        "count_seconds": round(sum(each["seconds"] for each in sections.values()), 2),
        "count_peak_mb": max(each["peak_mb"] for each in sections.values()),
        "counted": sections,
    }


def counted(root: Path, name: str) -> dict[str, float]:
    """Count one section; its seconds and this process's peak memory."""
    section = next(each for each in SECTIONS if each.name == name)
    with open_workspace(root, create=False) as workspace:
        seconds = count(workspace, made_folder(root / FOLDER), section)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    size = (root / FOLDER / f"{name}.json").stat().st_size
    return {"seconds": round(seconds, 2), "peak_mb": round(peak, 1), "kept_kb": round(size / 1024, 1)}


def _check_counted(root: Path) -> None:
    """A page that still says that it is being counted would be drawn too soon."""
    for section in SECTIONS:
        kept = read_kept(root / FOLDER, section)
        if kept is None or kept.findings is None:
            problem = kept.stamp.problem if kept else "not counted yet: run the part `counting`"
            raise SystemExit(f"{section.name}: {problem}")
    draw_pages(root / FOLDER)


def opening(root: Path, repeats: int) -> Figures:
    """Start the server anew each time, open the first page, click all others, and open the first one again."""
    launched: list[float] = []
    took: dict[str, list[Drawn]] = {name: [] for name in (*FIRST_PAGE, *OTHERS)}
    wrong: list[str] = []
    lost = 0
    with chromium() as browser:
        for _ in range(repeats):
            with served(root) as dashboard:
                launched.append(dashboard.launch_seconds)
                reader = visitor(browser, dashboard.url, guarded=False)
                took["cold"].append(reader.open())
                for path in OTHERS:
                    took[path].append(reader.click(path))
                took["warm"].append(reader.open())
                wrong += reader.wrong()
                lost += reader.lost_clicks
                reader.page.context.close()
                reader = visitor(browser, dashboard.url, guarded=False)
                took["new_browser"].append(reader.open())
                wrong += reader.wrong()
                reader.page.context.close()
            print({name: tuple(round(at, 2) for at in each[-1]) for name, each in took.items()}, flush=True)
    return {
        "launch_seconds": round(median(launched), 2),
        **_told(took),
        "wrong": sorted(set(wrong)),
        "lost_clicks": lost,
        **_load(),
    }


def _told(took: Mapping[str, Sequence[Drawn]]) -> Figures:
    alive = _by_page(took, lambda some: median(each.readable for each in some))
    return {
        **{f"first_{name}_seconds": round(median(each.seen for each in took[name]), 3) for name in FIRST_PAGE},
        "page_max_seconds": max(alive[PAGES[path]] for path in OTHERS),
        "alive": alive,
        "drawn": _by_page(took, lambda some: median(each.drawn for each in some)),
        "slowest_alive": _by_page(took, lambda some: max(each.readable for each in some)),
    }


def _by_page(took: Mapping[str, Sequence[Drawn]], figure: Callable[[Sequence[Drawn]], float]) -> dict[str, float]:
    return {PAGES.get(name, name): round(figure(some), 3) for name, some in took.items()}


def _load() -> Figures:
    """How busy the machine was beside: figures of a busy one say little."""
    return {"load": round(os.getloadavg()[0], 1), "cores": os.cpu_count()}


if __name__ == "__main__":
    main()
