"""What an open dashboard costs a judging run on the same ledger, on the same machine.

The real stage (`annotate.comparing.compare`) judges the answers of a model that nobody has judged, by a server on
loopback that answers after 50 ms; so many requests are in flight that some 500 comparisons a second come back where the
machine can do that. The ledger is the dashboard's own, under a configuration of the judge's own. Runs without and with
an open dashboard take turns, each on a model of its own with as many answers; the dashboard is a fresh process with its
counting process, and a reader in Chromium clicks through its pages all the while, at the lowest priority: a reader's
browser is on another machine.

- `judge_slowdown`: median seconds with the dashboard over median seconds without, less one.
- `judged_per_second`: without and with; `append_ms`: median and slowest append of the run, without and with.
- `visits`: what the reader met with meanwhile.
"""

from __future__ import annotations

import json
import random
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from statistics import median
from typing import Any
from unittest.mock import patch

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from benchmarks.judging_material import ANSWER, JUDGMENTS, said
from benchmarks.judging_server import judge_server
from ledger.records import Candidate, ModelVersion, Prompt, Record
from ledger.store import Ledger
from ledger.tables import prompts
from ledger.workspace import Workspace, ledger_url, open_workspace
from tests.dashboards_in_browser.served import served

IN_FLIGHT = 26  # after 50 ms each: some 500 a second
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
    runs: dict[bool, list[Run]] = {False: [], True: []}
    visits: list[Run] = []
    with judge_server() as server, tempfile.TemporaryDirectory() as folder:
        beside = Path(folder)
        with open_workspace(root, create=False) as workspace:
            url = ledger_url(root, workspace.config)
            models = list(_answered(workspace, 1 + 2 * repeats, judgments))
        (beside / "wardround.toml").write_text(
            CONFIG.format(ledger=url, judge=server.url, in_flight=IN_FLIGHT), encoding="utf-8"
        )
        _judged(beside, models.pop())  # so that nobody is the first to read the ledger
        for number, model in enumerate(models):
            # Which of the two goes first changes from pair to pair: the ledger grows, and the machine may warm up.
            open_ = (number + number // 2) % 2 == 1
            if open_:
                with _read_by_somebody(root) as seen:
                    runs[True].append(_judged(beside, model))
                visits.append(seen)
            else:
                runs[False].append(_judged(beside, model))
            print(f"{'with' if open_ else 'without'} a dashboard: {runs[open_][-1]}", flush=True)
    return _figures(runs, visits)


def _figures(runs: dict[bool, list[Run]], visits: Sequence[Run]) -> dict[str, object]:
    seconds = {open_: median(each["seconds"] for each in some) for open_, some in runs.items()}
    names = {False: "without", True: "with"}
    return {
        "judge_slowdown": round(seconds[True] / seconds[False] - 1, 4),
        "judge_seconds": {names[open_]: [each["seconds"] for each in some] for open_, some in runs.items()},
        "judged_per_second": {
            names[open_]: round(median(each["per_second"] for each in some), 1) for open_, some in runs.items()
        },
        "append_ms": {
            names[open_]: [median(each["append_ms"] for each in some), max(each["slowest_ms"] for each in some)]
            for open_, some in runs.items()
        },
        "visits": {
            "number": sum(each["visits"] for each in visits),
            "median_seconds": median(each["median"] for each in visits),
            "slowest_seconds": max(each["slowest"] for each in visits),
            "wrong": sorted({said for each in visits for said in each["wrong"]}),
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


@contextmanager
def _read_by_somebody(root: Path) -> Iterator[Run]:
    """An open dashboard with a reader; what the reader met with is in the mapping at the end."""
    seen: Run = {}
    visits = ["nice", "-n", "19", sys.executable, str(Path(__file__).with_name("dashboard_visits.py"))]
    with (
        served(root) as dashboard,
        subprocess.Popen([*visits, dashboard.url], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as reader,
    ):
        assert reader.stdout
        assert reader.stdout.readline() == "open\n"
        yield seen
        told, _ = reader.communicate()
        seen.update(json.loads(told.splitlines()[-1]))


if __name__ == "__main__":
    print(json.dumps(measured(Path(sys.argv[1]), sys.argv[2])))
