"""Count sections whose ledger has grown."""

from __future__ import annotations

import time
import traceback
from pathlib import Path
from typing import TypeVar

from dashboards.counting.kept import Kept, keep, read_stamp, source_of, stamped
from dashboards.counting.section import Section
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
    began = time.monotonic()
    found, problem = None, ""
    try:
        found = section.find(workspace)
    except WardroundError as error:
        problem = str(error)
    except Exception as error:
        traceback.print_exc()
        problem = f"{type(error).__name__}: {error}"
        say(f"dashboard: {section.name} could not be counted")
    done = stamped(source, began, problem)
    keep(folder, section, Kept(done, found))
    return done.seconds
