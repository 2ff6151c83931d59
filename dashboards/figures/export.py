"""Figures as files for a paper: CSV, SVG, and PNG at 300 dots per inch; on white, made without a browser."""

from __future__ import annotations

from dashboards.figures.page import Figure
from dashboards.figures.style import on_paper, on_screen

DOTS_PER_INCH = 300
FORMULA_STARTS = ("=", "+", "-", "@", "\t", "\n")


def as_csv(figure: Figure) -> bytes:
    """The table, as UTF-8. A spreadsheet takes no text in it for a formula (OWASP, "CSV Injection")."""
    return figure.table.map(_inert).rename(columns=_inert).to_csv(index=False, lineterminator="\n").encode()


def _inert(cell: object) -> object:
    if not isinstance(cell, str):
        return cell
    text = cell.replace("\r\n", "\n").replace("\r", "\n")  # a carriage return is not quoted, and would end the row
    return f"'{text}" if text.startswith(FORMULA_STARTS) else text


def as_svg(figure: Figure) -> bytes:
    """The chart; its texts stay text."""
    import vl_convert

    return str(vl_convert.vegalite_to_svg(_on_paper(figure))).encode()


def as_screen_svg(figure: Figure, width: int) -> bytes:
    """The chart for a column of so many pixels, on no background."""
    import vl_convert

    return str(vl_convert.vegalite_to_svg(on_screen(figure.spec, width))).encode()


def as_png(figure: Figure) -> bytes:
    """The chart in pixels."""
    return svg_as_png(as_svg(figure))


def svg_as_png(svg: bytes) -> bytes:
    """A chart that is drawn already, in pixels."""
    import vl_convert

    return bytes(vl_convert.svg_to_png(svg.decode(), ppi=DOTS_PER_INCH, scale=1))


def _on_paper(figure: Figure) -> dict[str, object]:
    if figure.chart is None:
        raise ValueError(f"{figure.name} is a table without a chart")
    return on_paper(figure.spec)
