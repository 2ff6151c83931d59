"""The pages there are, in the order of the navigation."""

from __future__ import annotations

FIRST = "win_rates"
PAGES = {  # by the name of its view: title and icon
    FIRST: ("Win rates", "query_stats"),
    "answers": ("Answers", "forum"),
    "judges": ("Judge", "balance"),
    "reviewing": ("Review", "stethoscope"),
    "training": ("Training", "model_training"),
    "safety": ("Safety and regressions", "health_and_safety"),
    "lineage": ("Lineage", "account_tree"),
}


def path_of(view: str) -> str:
    """Of the page in the dashboard's addresses: the first one's is "/"."""
    return "/" if view == FIRST else f"/{view}"
