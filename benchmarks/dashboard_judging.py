"""What an open dashboard costs a judging run on the same ledger, on the same machine.

The real stage (`annotate.comparing.compare`) judges the answers of a model that nobody has judged, by a server on
loopback that answers after 50 ms; so many requests are in flight that some 500 comparisons a second come back where the
machine can do that. The ledger is the dashboard's own, under a configuration of the judge's own. Three kinds of run
take turns, each on a model of its own with as many answers: without a dashboard; with an open one whose counting
process rests; with an open one whose counting process counts all the while. In the latter two the dashboard has shown
every page once, and somebody opens another page every three seconds, through Streamlit's own protocol: a reader's
browser is on another machine. In a last run that is not timed a real browser clicks through the pages without a pause.

- `judge_slowdown`: by how much longer a run takes while a dashboard is open, in the long run: of ten seconds the
  counting process counts for one and rests for nine, so it is a tenth of the one slowdown and nine tenths of the other.
  By medians; `judge_slowdowns` has both.
- `judge_seconds`, `judged_per_second`; `append_ms`: median and slowest append, by kind of run.
- `visits`: what readers met with meanwhile.
"""

from __future__ import annotations

import json
import random
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import cycle
from pathlib import Path
from statistics import median
from typing import Any, Literal
from unittest.mock import patch

import psutil

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from benchmarks.judging_material import ANSWER, JUDGMENTS, said
from benchmarks.judging_server import judge_server
from dashboards.counting.counter import REST
from ledger.records import Candidate, ModelVersion, Prompt, Record
from ledger.store import Ledger
from ledger.tables import prompts
from ledger.workspace import Workspace, ledger_url, open_workspace
from tests.dashboards.streamlit_client import failures
from tests.dashboards_in_browser.served import served
from tests.dashboards_in_browser.visitor import PAGES

Kind = Literal["without", "resting", "counting"]
KINDS: list[Kind] = ["without", "resting", "counting"]
PAUSE = 3.0  # seconds that a reader looks at a page
IN_FLIGHT = 96  # requests, answered after 50 ms each: what comes back is bounded by the judging process then
ANSWERS = 4  # of a prompt
CONFIG = """\
[ledger]
url = "{ledger}"

[judge]
model = "benchmark"
base_url = "{judge}"
concurrency = {in_flight}
"""
Run = dict[str, Any]


def judging(root: Path, judgments: int, repeats: int) -> dict[str, object]:
    """Judge in turns, without and with an open dashboard."""
    runs: dict[str, list[Run]] = {kind: [] for kind in KINDS}
    visits: list[Visits] = []
    with judge_server() as server, tempfile.TemporaryDirectory() as folder:
        beside = Path(folder)
        with open_workspace(root, create=False) as workspace:
            url = ledger_url(root, workspace.config)
            models = list(_answered(workspace, 2 + len(KINDS) * repeats, judgments))
        (beside / "wardround.toml").write_text(
            CONFIG.format(ledger=url, judge=server.url, in_flight=IN_FLIGHT), encoding="utf-8"
        )
        _judged(beside, models.pop())  # so that nobody is the first to read the ledger
        for turn in range(repeats):
            # Which goes first changes from turn to turn: the ledger grows, and the machine may warm up.
            for kind in KINDS[turn % len(KINDS) :] + KINDS[: turn % len(KINDS)]:
                with _read_meanwhile(root, kind) as seen:
                    runs[kind].append(_judged(beside, models.pop()))
                visits += [seen] if kind != "without" else []
                print(f"{kind}: {runs[kind][-1]} {seen}", flush=True)
        in_browser = _in_browser(root, lambda: _judged(beside, models.pop()))
    return _figures(runs, visits, in_browser)


def _figures(runs: Mapping[str, Sequence[Run]], visits: Sequence[Visits], in_browser: Run) -> dict[str, object]:
    def medians(name: str) -> dict[str, float]:
        return {kind: round(median(each[name] for each in some), 2) for kind, some in runs.items()}

    seconds = medians("seconds")
    slowdowns = {kind: round(seconds[kind] / seconds["without"] - 1, 4) for kind in ("resting", "counting")}
    return {
        "judge_slowdown": round((REST * slowdowns["resting"] + slowdowns["counting"]) / (REST + 1), 4),
        "judge_slowdowns": slowdowns,
        "judge_seconds": {kind: [each["seconds"] for each in some] for kind, some in runs.items()},
        "judged_per_second": medians("per_second"),
        "append_ms": {kind: [medians("append_ms")[kind], max(e["slowest_ms"] for e in runs[kind])] for kind in KINDS},
        "visits": {
            "number": sum(len(each.seconds) for each in visits),
            "median_seconds": round(median(seconds for each in visits for seconds in each.seconds), 3),
            "wrong": sorted({said for each in visits for said in each.wrong}),
            "in_browser": in_browser,
        },
    }


def _answered(workspace: Workspace, number: int, judgments: int) -> Iterator[ModelVersion]:
    """Models, each with unjudged answers to the same open questions, for so many judgments."""
    ledger = workspace.ledger
    parent = next(ledger.read(ModelVersion, newest_first=True))
    open_train = (prompts.c.split == "train", prompts.c.kind == "open")
    some = [prompt for prompt, _ in zip(ledger.read(Prompt, *open_train), range(judgments // JUDGMENTS), strict=False)]
    for place in range(number):
        name = f"unjudged {time.time_ns()} {place}"  # another one, should the ledger have seen this benchmark before
        model = ModelVersion(name, "dpo", name, parent=parent.id)
        ledger.append([model])
        ledger.append(_answers(some, model))
        yield model


def _answers(some: Iterable[Prompt], model: ModelVersion) -> Iterator[Candidate]:
    for prompt in some:
        rng = random.Random(f"{prompt.id} {model.id}")  # no text twice: what was asked once is not asked again
        yield from (Candidate(prompt.id, model.id, said(rng, ANSWER), seed=seed) for seed in range(ANSWERS))


def _judged(root: Path, model: ModelVersion) -> Run:
    """Judge a model's answers in a process of its own."""
    line = [sys.executable, __file__, str(root), model.id]
    done = subprocess.run(line, capture_output=True, text=True, check=True)
    return dict(json.loads(done.stdout.splitlines()[-1]))


def measured(root: Path, model_id: str) -> Run:
    """Judge all answers of a model, and say how long that and its appends took."""
    from annotate.comparing import compare

    took: list[float] = []
    plain = Ledger.append

    def timed(ledger: Ledger, records: Iterable[Record]) -> int:
        began = time.perf_counter()
        new = plain(ledger, records)
        took.append((time.perf_counter() - began) * 1000)
        return new

    with open_workspace(root, create=False) as workspace:
        model = workspace.ledger.get(ModelVersion, model_id)
        began = time.monotonic()
        with patch.object(Ledger, "append", timed):
            report = compare(workspace, model)
        seconds = time.monotonic() - began
    assert not report.causes, report.causes
    return {
        "seconds": round(seconds, 2),
        "per_second": round(report.new / seconds, 1),
        "append_ms": round(median(took), 2),
        "slowest_ms": round(max(took), 1),
    }


@dataclass
class Visits:
    """Of pages, one after the other."""

    seconds: list[float] = field(default_factory=list)
    wrong: list[str] = field(default_factory=list)


@contextmanager
def _read_meanwhile(root: Path, kind: Kind) -> Iterator[Visits]:
    """An open dashboard with a reader, and its counting process as ``kind`` says; nothing for "without"."""
    seen, over = Visits(), threading.Event()
    if kind == "without":
        yield seen
        return
    with served(root) as dashboard:
        counter = _counter(dashboard.process.pid)
        if kind == "resting":
            counter.suspend()
        for page in PAGES:  # its start is over before the judging begins
            seen.wrong += failures(dashboard.url, page)
        reader = threading.Thread(target=_read, args=(dashboard.url, seen, over))
        reader.start()
        try:
            yield seen
        finally:
            over.set()
            reader.join()
            counter.resume()


def _counter(dashboard: int) -> psutil.Process:
    """The counting process, as soon as there is one."""
    while True:
        for child in psutil.Process(dashboard).children():
            if "dashboards.counting.counter" in child.cmdline():
                return child
        time.sleep(0.05)


def _read(url: str, seen: Visits, over: threading.Event) -> None:
    for page in cycle(PAGES):
        began = time.monotonic()
        seen.wrong += failures(url, page)
        seen.seconds.append(time.monotonic() - began)
        if over.wait(PAUSE):
            return


def _in_browser(root: Path, judged: Callable[[], Run]) -> Run:
    """What a reader in Chromium met with during a run; the browser has the time that nobody else wants."""
    line = ["chrt", "--idle", "0", sys.executable, str(Path(__file__).with_name("dashboard_visits.py"))]
    with (
        served(root) as dashboard,
        subprocess.Popen([*line, dashboard.url], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as reader,
    ):
        assert reader.stdout
        assert reader.stdout.readline() == "open\n"
        judged()
        told, _ = reader.communicate()
        return dict(json.loads(told.splitlines()[-1]))


if __name__ == "__main__":
    print(json.dumps(measured(Path(sys.argv[1]), sys.argv[2])))
