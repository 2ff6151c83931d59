"""A figure's table as texts."""

from __future__ import annotations

from collections.abc import Iterator

from dashboards.figures.page import Figure, Format

NOT_THERE = "-"


def shown_rows(figure: Figure, most: int | None = None) -> Iterator[list[str]]:
    """Its rows, or the first ``most`` of them, as people read them."""
    columns = list(figure.table.columns)
    some = figure.table if most is None else figure.table.head(most)
    for row in some.itertuples(index=False, name=None):
        yield [shown_value(value, figure.formats.get(name, "text")) for name, value in zip(columns, row, strict=True)]


def shown_value(value: object, kind: Format) -> str:
    """One value."""
    import pandas as pd

    if pd.api.types.is_scalar(value) and pd.isna(value):  # type: ignore[call-overload]
        return NOT_THERE
    if kind == "link":
        return str(value).rpartition("=")[2]  # nobody who reads a file has the dashboard behind it
    if pd.api.types.is_number(value) and not isinstance(value, bool):
        return {"percent": f"{value:.1%}", "number": f"{value:.3f}", "count": f"{value:,.0f}"}.get(kind, f"{value:g}")
    return str(value)
