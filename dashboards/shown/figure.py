"""A figure with its table and its downloads."""

from __future__ import annotations

from copy import deepcopy
from functools import partial
from typing import TYPE_CHECKING, Any

import streamlit as st  # noqa: TID253 - streamlit itself runs what imports this

from dashboards.figures.export import as_csv, as_png, as_svg
from dashboards.figures.page import Figure, Format
from dashboards.shown.escaping import escaped

if TYPE_CHECKING:
    from collections.abc import Callable

FORMATS: dict[Format, str] = {"percent": "percent", "number": "%.3f", "count": "localized"}


def show_figure(figure: Figure) -> None:
    """The chart, and below it its table and files; or the table alone."""
    st.markdown(f"**{escaped(figure.title)}**", help=escaped(figure.method))
    if figure.chart is None:
        show_table(figure)
        _downloads(figure)
        return
    spec = deepcopy(dict(figure.spec))  # Streamlit takes the data out of it
    st.vega_lite_chart(spec=spec, width="stretch", alt=figure.says, key=f"chart-{figure.name}")
    _more(figure)


@st.fragment
def _more(figure: Figure) -> None:
    """The table and the files, once the reader unfolds them: a page of many figures draws sooner without."""
    more = st.expander("Table and downloads", icon=":material/table:", key=f"more-{figure.name}", on_change="rerun")
    if more.open:
        with more:
            show_table(figure)
            _downloads(figure)


def show_table(figure: Figure) -> None:
    """What the chart shows, in figures."""
    config: dict[str, Any] = {
        column: st.column_config.NumberColumn(format=FORMATS[kind])
        for column, kind in figure.formats.items()
        if kind in FORMATS
    }
    links = [column for column, kind in figure.formats.items() if kind == "link"]
    config |= {column: st.column_config.LinkColumn(display_text="open") for column in links}
    st.dataframe(figure.table, hide_index=True, column_config=config, alt=figure.says)


def _downloads(figure: Figure) -> None:
    """Files for a paper, made when they are asked for."""
    kinds: dict[str, tuple[Callable[[Figure], bytes], str]] = {"CSV": (as_csv, "text/csv")}
    if figure.chart is not None:
        kinds |= {"PNG": (as_png, "image/png"), "SVG": (as_svg, "image/svg+xml")}
    with st.container(horizontal=True):
        for kind, (made, mime) in kinds.items():
            st.download_button(
                kind,
                partial(made, figure),
                f"{figure.name}.{kind.lower()}",
                mime,
                key=f"{figure.name}-{kind}",
                on_click="ignore",
                icon=":material/download:",
            )
