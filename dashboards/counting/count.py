"""Count sections whose ledger has grown."""

from __future__ import annotations

import time
import traceback
from pathlib import Path
from typing import TypeVar

from dashboards.counting.kept import Kept, Source, keep, read_stamp, source_of, stamped
from dashboards.counting.section import Section
from dashboards.counting.tries import tried
from ledger.errors import WardroundError
from ledger.screen import say
from ledger.workspace import Workspace

F = TypeVar("F")


def count(workspace: Workspace, folder: Path, section: Section[F]) -> float:
    """Count a section anew where it is not current; the seconds that it took, 0 where there was nothing to do.

    What cannot be counted is kept as a problem, and the other sections go on.
    """
    source = source_of(workspace, section)
    stamp = read_stamp(folder, section)
    if stamp is not None and stamp.source == source:
        return 0.0
    with tried(folder, section):
        counted = _counted(workspace, section, source)
        keep(folder, section, counted)
    return counted.stamp.seconds


def _counted(workspace: Workspace, section: Section[F], source: Source) -> Kept[F]:
    """The findings, or why there are none."""
    began = time.monotonic()
    try:
        found = section.find(workspace)
    except WardroundError as error:
        problem = str(error)
    except Exception as error:
        traceback.print_exc()
        say(f"dashboard: {section.name} could not be counted")
        problem = f"{type(error).__name__}: {error}"
    else:
        return Kept(stamped(source, began), found)
    return Kept(stamped(source, began, problem), None)
