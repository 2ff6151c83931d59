"""A batch of padded rows as a tree in which every distinct prefix appears once. Pure: arrays in, arrays out."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

IGNORED = -100  # the label of a token that is in no loss

Ints = NDArray[np.int64]
Span = tuple[int, int]  # of packed places, the end excluded


@dataclass(frozen=True)
class Run:
    """Consecutive packed tokens of which each attends to all of ``context`` and to those before it in the run."""

    start: int
    end: int
    context: tuple[Span, ...] = ()


@dataclass(frozen=True)
class Plan:
    """What to run of a batch, and where its results belong.

    ``tokens`` and ``positions`` [packed] are each distinct token once, with its place in its row. ``places`` and
    ``labels`` [items] are the distinct predictions to score: a branching place is scored once a branch. ``item_of``
    [rows, length - 1] names the item that predicts each token's successor, or is -1 where nothing is to be learnt.
    """

    tokens: Ints
    positions: Ints
    runs: tuple[Run, ...]
    places: Ints
    labels: Ints
    item_of: Ints


@dataclass
class _Node:
    """Tokens ``depth`` to ``end`` of the rows ``members``; placed when ``start`` is not negative."""

    depth: int
    end: int
    members: Sequence[int]
    children: list[_Node] = field(default_factory=list)
    reach: int = 0  # the length of the longest row below
    start: int = -1


def plan_batch(ids: Ints, mask: Ints, labels: Ints) -> Plan | None:
    """Plan the rows of a batch; ``None`` if none of them has a label.

    A row's tokens after the last place that predicts anything are left out: nothing depends on them.

    Args:
        ids: token ids [rows, length], padded on either side.
        mask: 1 where ``ids`` holds a token of the row.
        labels: token ids [rows, length], -100 where a token is in no loss; unshifted.
    """
    taught = (labels[:, 1:] != IGNORED) & (mask[:, :-1] != 0)
    if not taught.any():
        return None
    columns = [_needed(here, wanted) for here, wanted in zip(mask, taught, strict=True)]
    rows = [line[kept] for line, kept in zip(ids, columns, strict=True)]
    trees = _grow(rows)
    runs = tuple(_lay_out(trees))
    packed = runs[-1].end
    tokens, positions = np.empty(packed, np.int64), np.empty(packed, np.int64)
    place_of = np.full(ids.shape, -1, np.int64)
    for node in _every(trees):
        here = slice(node.start, node.start + node.end - node.depth)
        tokens[here] = rows[node.members[0]][node.depth : node.end]
        positions[here] = np.arange(node.depth, node.end)
        for row in node.members:
            place_of[row, columns[row][node.depth : node.end]] = np.arange(here.start, here.stop)
    return Plan(tokens, positions, runs, *_items(place_of[:, :-1], labels[:, 1:], taught))


def _needed(mask: Ints, taught: NDArray[np.bool_]) -> Ints:
    last = np.flatnonzero(taught)[-1] if taught.any() else -1
    return np.flatnonzero(mask[: last + 1])


def _items(place_of: Ints, labels: Ints, taught: NDArray[np.bool_]) -> tuple[Ints, Ints, Ints]:
    """The distinct (place, label), and which of them each labelled token is."""
    width = int(labels.max()) + 1
    keys, inverse = np.unique(place_of[taught] * width + labels[taught], return_inverse=True)
    item_of = np.full(taught.shape, -1, np.int64)
    item_of[taught] = inverse
    return keys // width, keys % width, item_of


def _grow(rows: Sequence[Ints]) -> list[_Node]:
    """The rows' prefix trees. Neighbours in sorted order share the longest prefixes."""
    order = sorted(
        (place for place, row in enumerate(rows) if len(row)), key=lambda place: rows[place].astype(">u4").tobytes()
    )
    shared = [0, *(_common(rows[before], rows[after]) for before, after in pairwise(order))]

    def split(first: int, last: int, depth: int) -> Iterator[_Node]:
        """Trees of the rows ``order[first:last]``, which are all longer than ``depth`` and alike up to it."""
        cuts = [first, *(place for place in range(first + 1, last) if shared[place] <= depth), last]
        for low, high in pairwise(cuts):
            end = min((shared[place] for place in range(low + 1, high)), default=len(rows[order[low]]))
            node = _Node(depth, end, order[low:high])
            longer = next((place for place in range(low, high) if len(rows[order[place]]) > end), high)
            if longer < high:
                node.children = list(split(longer, high, end))
            node.reach = max((child.reach for child in node.children), default=end)
            yield node

    return [node for node in split(0, len(order), 0) if node.end > node.depth]


def _common(one: Ints, other: Ints) -> int:
    length = min(len(one), len(other))
    differing = one[:length] != other[:length]
    return int(differing.argmax()) if differing.any() else length


def _lay_out(trees: Sequence[_Node]) -> Iterator[Run]:
    """Give every node its place. The longest way down from a node continues its run, so that it needs no context."""
    waiting: list[tuple[_Node, tuple[Span, ...]]] = [(tree, ()) for tree in reversed(trees)]
    end = 0
    while waiting:
        node, context = waiting.pop()
        start = end
        branches: list[tuple[_Node, tuple[Span, ...]]] = []
        way: _Node | None = node
        while way is not None:
            way.start, end = end, end + way.end - way.depth
            longest = max(way.children, key=lambda child: child.reach, default=None)
            branches += [(child, (*context, (start, end))) for child in way.children if child is not longest]
            way = longest
        yield Run(start, end, context)
        waiting += reversed(branches)


def _every(nodes: Sequence[_Node]) -> Iterator[_Node]:
    for node in nodes:
        yield node
        yield from _every(node.children)
