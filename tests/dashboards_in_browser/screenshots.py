"""Pictures of the dashboard's pages for the documentation: `make screenshots`.

    python tests/dashboards_in_browser/screenshots.py WORKSPACE FOLDER

Every page at 1280 pixels; the first one also in the dark and on a phone. The window is of a fixed size, nothing moves,
and each page is drawn before its picture is taken, so that the same workspace gives the same pictures.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from playwright.sync_api import Browser

from dashboards.counting.sections import SECTIONS
from tests.chromium import chromium
from tests.dashboards.pages import counted
from tests.dashboards_in_browser.served import served
from tests.dashboards_in_browser.visitor import PAGES, visitor

WIDE = {"width": 1280, "height": 1000}
PHONE = {"width": 390, "height": 844}
SETTLED = 1_000  # milliseconds: icons and letters have come, and sizes are those that stay
LARGEST = 200_000  # bytes of a picture
FIRST = "win_rates"  # the name of the first page, whose address has none
STILL = "*, *::before, *::after { animation: none !important; transition: none !important; caret-color: transparent }"


def main() -> None:
    """Take all pictures."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("workspace", type=Path)
    parser.add_argument("folder", type=Path)
    options = parser.parse_args()
    options.folder.mkdir(parents=True, exist_ok=True)
    counted(options.workspace, *SECTIONS)
    with served(options.workspace) as dashboard, chromium() as browser:
        for path in PAGES:
            _take(browser, dashboard.url, path, options.folder / f"dashboard_{path or FIRST}.png", **WIDE)
        _take(browser, dashboard.url, "", options.folder / "dashboard_dark.png", **WIDE, color_scheme="dark")
        _take(browser, dashboard.url, "", options.folder / "dashboard_phone.png", **PHONE, is_mobile=True)


def _take(browser: Browser, url: str, path: str, file: Path, **how: Any) -> None:
    reader = visitor(browser, url, reduced_motion="reduce", **how)
    reader.open(path)
    reader.page.add_style_tag(content=STILL)
    reader.page.wait_for_timeout(SETTLED)
    reader.drawn(path)
    reader.page.screenshot(path=file, animations="disabled")
    reader.page.context.close()
    size = file.stat().st_size
    print(f"{file}: {size / 1000:.0f} kB", flush=True)
    if size > LARGEST:
        raise SystemExit(f"{file} is larger than {LARGEST // 1000} kB")


if __name__ == "__main__":
    main()
