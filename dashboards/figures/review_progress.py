"""How far each queue has come, and how fast ratings come in."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from dashboards.figures.page import Figure, Format, Line, Part
from dashboards.figures.style import BLUE, GREY, INK, SERIES, scale
from dashboards.findings.review_progress import QUEUES
from dashboards.findings.reviewing import Reviewing

if TYPE_CHECKING:
    from pandas import DataFrame

    from dashboards.figures.page import Chart

STATES = {"enough ratings": BLUE, "some": "#4a9fb5", "none": GREY}
OPACITY = (1.0, 0.75, 0.4)
ROW = 52  # pixels: a line of text, and the bar below it
LEGEND = 70
MOST = 4  # a column for each number of ratings below; one for these and more
WHY = {
    "calibration": "rated by everyone",
    "random": "a random sample",
    "routed": "judges in doubt",
    "safety": "possible harm",
    "adjudicate": "surgeons disagree",
}


def progress_part(findings: Reviewing) -> Part:
    """Items with enough, some and no ratings, by queue."""
    table = _table(findings)
    counts: dict[str, Format] = {
        name: "count" for name in table.columns if name not in ("queue", "why", "oldest", "see")
    }
    figure = Figure(
        name="review_progress",
        title="Items rated, by queue",
        says="How many items of each queue have as many ratings as wanted, some, and none.",
        method="Items that were sent, hidden repeats apart; an answer that was skipped is no rating. How many are "
        "wanted stands in [review] of wardround.toml, and is no more than there are active surgeons. "
        f"n: {int(table['items'].sum()):,} items.",
        table=table,
        chart=_progress_chart(table),
        formats={**counts, "see": "link"},
    )
    return Part("Progress", (figure,))


def _table(findings: Reviewing) -> DataFrame:
    import pandas as pd

    rows = []
    for each in findings.queues:
        by_ratings = (*each.by_ratings, *[0] * MOST)
        rows.append(
            {
                "queue": each.queue,
                "why": WHY[each.queue],
                "items": each.items,
                "wanted each": each.wanted,
                "enough ratings": each.done,
                "some": each.items - each.done - each.by_ratings[0],
                "none": each.by_ratings[0],
                **{f"with {number}": by_ratings[number] for number in range(1, MOST)},
                f"with {MOST}+": sum(each.by_ratings[MOST:]),
                "repeats": each.repeats,
                "ratings": each.ratings,
                "skipped": each.skipped,
                "still wanted": each.open,
                "oldest": (each.oldest or "")[:10],
                "see": f"/answers?prompt={each.oldest_prompt}" if each.oldest_prompt else None,
            }
        )
    return pd.DataFrame(rows)


def _progress_chart(table: DataFrame) -> Chart:
    import altair as alt

    shown = table[table["items"] > 0]
    names = [
        f"{row['queue']}, {row['why']}: {row['enough ratings']:,} of {row['items']:,} have {row['wanted each']}; "
        f"{row['none']:,} have none"
        for row in shown.to_dict("records")
    ]
    long = shown.assign(name=names).melt(["queue", "name", "items"], list(STATES), "state", "number")
    long["share"] = long["number"] / long["items"]
    long["place"] = long["state"].map({state: place for place, state in enumerate(STATES)})
    y = alt.Y("queue:N", sort=list(shown["queue"]), axis=None)
    axis = alt.Axis(format="%", tickCount=5, title=None, grid=False)
    shades = alt.Scale(domain=list(range(len(OPACITY))), range=list(OPACITY))
    told = ["queue:N", "state:N", alt.Tooltip("number:Q", format=","), alt.Tooltip("items:Q", title="n", format=",")]
    bars = (
        alt.Chart(long)
        .mark_bar(size=14, yOffset=10)
        .encode(
            x=alt.X("share:Q", stack="zero", scale=alt.Scale(domain=[0, 1]), axis=axis),
            y=y,
            color=alt.Color("state:N", scale=scale(STATES), legend=alt.Legend(orient="top", title=None)),
            opacity=alt.Opacity("place:O", scale=shades, legend=None),
            order="place:O",
            tooltip=told,
        )
    )
    text = (
        alt.Chart(long[long["state"] == "none"])
        .mark_text(align="left", baseline="middle", color=INK, fontSize=13, dy=-9)
        .encode(x=alt.value(0), y=y, text="name:N")
    )
    return alt.layer(bars, text).properties(height=ROW * len(shown) + LEGEND)


def pace_part(findings: Reviewing) -> Part | None:
    """Ratings by day and queue; None before there is any."""
    import pandas as pd

    if not findings.days:
        return None
    unit = findings.days[0].unit
    rows = [(each.start, each.queue, each.ratings) for each in findings.days]
    table = pd.DataFrame(rows, columns=[unit, "queue", "ratings"])
    total, last = int(table["ratings"].sum()), table[unit].max()
    figure = Figure(
        name="review_pace",
        title=f"Ratings by {unit}",
        says=f"How many ratings came in by {unit} and queue, of all surgeons together.",
        method=f"Dated, in UTC, by the pull that brought them; skipped ones apart. n: {total:,} ratings.",
        table=table,
        chart=_pace_chart(table, unit),
        formats={"ratings": "count"},
    )
    newest = int(table.loc[table[unit] == last, "ratings"].sum())
    return Part("Pace", (figure,), (Line(f"The newest: {newest:,} in the {unit} of {last}."),))


def _pace_chart(table: DataFrame, unit: str) -> Chart:
    import altair as alt

    queues = [queue for queue in QUEUES if queue in set(table["queue"])]
    look: dict[str, str] = {queue: SERIES[place] for place, queue in enumerate(QUEUES) if queue in queues}
    label = "slice(datum.value, 5)" if len({when[:4] for when in table[unit]}) == 1 else "datum.value"
    x = alt.X(f"{unit}:O", axis=alt.Axis(labelAngle=0, labelExpr=label, title=None, labelOverlap="greedy"))
    colour = alt.Color("queue:N", scale=scale(look), legend=alt.Legend(orient="top", title=None, columns=3))
    told: list[Any] = [f"{unit}:N", "queue:N", alt.Tooltip("ratings:Q", title="n", format=",")]
    bars = alt.Chart(table).mark_bar(size=18, stroke="white", strokeWidth=0.5)
    y = alt.Y("ratings:Q", axis=alt.Axis(title=None, tickCount=4, tickMinStep=1))
    chart: alt.Chart = bars.encode(x=x, y=y, color=colour, tooltip=told)
    return chart.properties(height=290)
