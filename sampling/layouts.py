"""Layouts: which column of a file holds which part of a prompt."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, cast, get_args

from ledger.errors import ConfigError, InputError
from ledger.records import Mode
from sampling.options import AnswerForm

# What a column can be to us. `decision` ("yes") comes before a reference, `rationale` after the right option.
FIELDS = (
    *("id", "question", "messages", "mode", "kind", "context", "options", "answer", "reference", "topic", "split"),
    *("decision", "rationale"),
)
SETTINGS = ("answer_form",)
MANUAL = "docs/importing.md"


@dataclass(frozen=True)
class Layout:
    """A name, our fields with their columns, and what the columns do not say."""

    name: str
    columns: Mapping[str, tuple[str, ...]]  # field -> its column; options may be spread over several
    required: frozenset[str]  # columns without which a file is not of this layout
    excluded: frozenset[str] = frozenset()  # columns with which it is not
    mode: Mode | None = None
    answer_form: AnswerForm = "any"

    def fits(self, columns: Sequence[str]) -> bool:
        """Can a file with these columns be of this layout?"""
        return self.required <= set(columns) and not self.excluded & set(columns)

    def fields(self, row: Mapping[str, Any]) -> dict[str, Any]:
        """Our fields of one row, as they are; a field whose column the row has not is None."""
        return {
            field: row.get(columns[0]) if len(columns) == 1 else [row.get(column) for column in columns]
            for field, columns in self.columns.items()
        }


def _layout(name: str, required: str, columns: str, **more: Any) -> Layout:
    named = (word.partition("=") for word in columns.split())
    return Layout(
        name,
        {field: tuple((column or field).split(",")) for field, _, column in named},
        frozenset(required.split()),
        **more,
    )


_NATIVE = "id mode kind topic context options answer reference split"

# In this order: the first that fits is taken.
BUILT_IN = (
    _layout("wardround", "messages", f"messages question {_NATIVE}", answer_form="letter"),
    _layout(
        "pubmedqa",
        "question contexts long_answer final_decision",
        "id=pmid question context=contexts reference=long_answer decision=final_decision",
    ),
    _layout(
        "pubmedqa_hub",
        "question context long_answer final_decision",
        "id=pubid question context reference=long_answer decision=final_decision",
    ),
    _layout(
        "medmcqa",
        "question options answer_key",
        "id question options answer=answer_key rationale topic=subject",
        mode="exam",
        answer_form="letter",
    ),
    _layout(
        "medmcqa_hub",
        "question opa opb opc opd cop",
        "id question options=opa,opb,opc,opd answer=cop rationale=exp topic=subject_name",
        mode="exam",
    ),
    _layout(
        "medquad",
        "question answer",
        "id question reference=answer topic=focus",
        excluded=frozenset(("options", "reference", "kind")),
    ),
    _layout("wardround", "question", f"question {_NATIVE}", answer_form="letter"),
)


def own_layouts(tables: Mapping[str, Mapping[str, str]], columns: Sequence[str]) -> Iterator[Layout]:
    """The layouts of the configuration, for a file with these columns.

    Raises:
        ConfigError: a key is none of our fields, or nothing says where the question is.
    """
    for name, table in tables.items():
        where = f"wardround.toml, [import.layouts.{name}]"
        unknown = sorted(set(table) - {*FIELDS, *SETTINGS})
        if unknown:
            raise ConfigError(f"unknown field {unknown[0]}", where=where, advice=f"the fields are {', '.join(FIELDS)}")
        if not {"question", "messages"} & set(table):
            raise ConfigError("says not where the question is", where=where, advice='add question = "THEIR COLUMN"')
        form = table.get("answer_form", "any")
        if form not in get_args(AnswerForm):
            raise ConfigError(
                f"unknown answer_form {form}", where=where, advice=f"use {', '.join(get_args(AnswerForm))}"
            )
        mapped = {field: _columns(table[field], columns) for field in table if field in FIELDS}
        needed = frozenset(column for several in mapped.values() for column in several)
        yield Layout(name, mapped, needed, answer_form=cast("AnswerForm", form))


def _columns(said: str, columns: Sequence[str]) -> tuple[str, ...]:
    """One column, or several separated by commas where no column has that whole name."""
    return (said,) if said in columns else tuple(part.strip() for part in said.split(","))


def choose_layout(name: str | None, columns: Sequence[str], own: Mapping[str, Mapping[str, str]], where: str) -> Layout:
    """The layout called ``name``, or without a name the one that the columns show: the configuration's before ours.

    Raises:
        InputError: no such layout, its columns are missing, none fits, or several of the configuration's do.
        ConfigError: see `own_layouts`.
    """
    mine = list(own_layouts(own, columns))
    if name is not None:
        return _named(name, [*mine, *BUILT_IN], columns, where)
    fitting = [layout for layout in mine if layout.fits(columns)]
    if len(fitting) > 1:
        names = ", ".join(layout.name for layout in fitting)
        raise InputError(f"several layouts fit: {names}", where=where, advice="choose one with --layout")
    for layout in (*fitting, *BUILT_IN):
        if layout.fits(columns):
            return layout
    raise InputError(
        f"no layout fits the columns {_listed(columns)}",
        where=where,
        advice=f"say which column is what in [import.layouts.NAME] of wardround.toml ({MANUAL})",
    )


def _named(name: str, layouts: Sequence[Layout], columns: Sequence[str], where: str) -> Layout:
    wanted = [layout for layout in layouts if layout.name == name]
    if not wanted:
        names = ", ".join(dict.fromkeys(layout.name for layout in layouts))
        raise InputError(
            f"no layout {name}; the file has the columns {_listed(columns)}", where=where, advice=f"use one of {names}"
        )
    for layout in wanted:
        if layout.required <= set(columns):
            return layout
    missing = ", ".join(sorted(wanted[0].required - set(columns)))
    raise InputError(
        f"layout {name} needs the columns {missing}; the file has {_listed(columns)}",
        where=where,
        advice="correct the layout, or leave --layout out",
    )


def _listed(columns: Sequence[str]) -> str:
    shown = ", ".join(columns[:30]) or "(none)"
    return f"{shown}, ..." if len(columns) > 30 else shown
