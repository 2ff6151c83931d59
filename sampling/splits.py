"""On which side of the train/eval/probe split each prompt falls, by groups of near-duplicates.

Rows are not placed one by one: all of a file is looked at first, together with what is in the ledger, and nothing but
content decides. So a killed import that is run again places every prompt as an undisturbed one does, and the order of
the rows matters only where rows contradict each other (then the first wins).
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import NamedTuple

from ledger.records import Prompt, Split, digest
from sampling.neighbours import WordSets


class Placement(NamedTuple):
    """Where a prompt goes."""

    split: Split
    group: str  # id of the first prompt of its near-duplicates


class Refusal(NamedTuple):
    """Why a prompt can go nowhere."""

    reason: str


@dataclass(slots=True)
class _Node:
    """A prompt to place. ``group`` is empty where it is not in the ledger yet."""

    words: int  # number of its set of words
    split: Split | None
    group: str = ""


def compared_text(prompt: Prompt) -> str:
    """What is compared of a prompt: all its user turns and options."""
    turns = [message.content for message in prompt.messages if message.role == "user"]
    return "\n".join([*turns, *prompt.options])


def hashed_split(prompt_id: str, eval_share: float) -> Split:
    """``eval`` for a share ``eval_share`` of all ids, for ever the same ones; else ``train``."""
    return "eval" if int(digest(["split", prompt_id]), 16) < eval_share * 16 ** len(prompt_id) else "train"


class Splitter:
    """Collects prompts, those of the ledger first, then places them all at once."""

    def __init__(self) -> None:
        self._words = WordSets()
        self._nodes: dict[str, _Node] = {}

    def __len__(self) -> int:
        """How many prompts there are."""
        return len(self._nodes)

    def add_known(self, prompt: Prompt) -> None:
        """Add a prompt of the ledger: it stays where it is."""
        words = self._words.add(compared_text(prompt))
        self._nodes[prompt.id] = _Node(words, prompt.split, prompt.group or prompt.id)

    def add_new(self, prompt: Prompt, split: Split | None) -> None:
        """Add a prompt of the file. ``split``: where it says that it belongs, if it does."""
        known = self._nodes.get(prompt.id)
        if known is None:
            self._nodes[prompt.id] = _Node(self._words.add(compared_text(prompt)), split)
        elif known.split is None:
            known.split = split

    def place(self, similarity: float, eval_share: float) -> dict[str, Placement | Refusal]:
        """The place of every prompt. Near-duplicates (weighted Jaccard >= ``similarity``) share split and group."""
        sides = _Sides(self._words.near_pairs(similarity))
        refused: dict[str, Refusal] = {}
        ranks = {prompt_id: rank for rank, prompt_id in enumerate(self._nodes)}
        for prompt_id in self._in_turn():
            node, rank = self._nodes[prompt_id], ranks[prompt_id]
            if node.group:
                sides.keep(_Side(node.split, node.group, rank, prompt_id), node.words)
            elif reason := sides.conflict(node):
                refused[prompt_id] = Refusal(reason)
            else:
                sides.join(_Side(node.split, prompt_id, rank, prompt_id), node.words)
        return {
            prompt_id: refused.get(prompt_id) or self._placement(node, sides, eval_share)
            for prompt_id, node in self._nodes.items()
        }

    def _in_turn(self) -> Iterator[str]:
        """The ledger's prompts, then those that say where they belong, then the rest."""
        new = [prompt_id for prompt_id, node in self._nodes.items() if not node.group]
        yield from (prompt_id for prompt_id, node in self._nodes.items() if node.group)
        yield from (prompt_id for prompt_id in new if self._nodes[prompt_id].split)
        yield from (prompt_id for prompt_id in new if not self._nodes[prompt_id].split)

    @staticmethod
    def _placement(node: _Node, sides: _Sides, eval_share: float) -> Placement:
        if node.group and node.split:
            return Placement(node.split, node.group)
        side = sides.of(node.words)
        return Placement(side.split or hashed_split(side.smallest, eval_share), side.group)


@dataclass(slots=True)
class _Side:
    """A group of near-duplicates: its split if anything says so, and what names it."""

    split: Split | None
    group: str
    rank: int  # of its first prompt
    smallest: str  # the smallest id of its prompts


class _Sides:
    """Groups that grow together (union-find, Tarjan, 1975), over the sets of words that the prompts have."""

    def __init__(self, near: Iterable[tuple[int, int]]) -> None:
        self._near: dict[int, list[int]] = defaultdict(list)
        for one, other in near:
            self._near[one].append(other)
            self._near[other].append(one)
        self._parents: dict[int, int] = {}
        self._sides: dict[int, _Side] = {}

    def of(self, words: int) -> _Side:
        """The group that these words belong to."""
        return self._sides[self._root(words)]

    def conflict(self, node: _Node) -> str:
        """Why ``node`` cannot join its near-duplicates; empty if it can."""
        splits = {side.split for side in map(self._sides.__getitem__, self._around(node.words)) if side.split}
        if len(splits) > 1:
            return f"near-duplicate of prompts in both {' and '.join(sorted(splits))}"
        if node.split and splits - {node.split}:
            return f"near-duplicate of prompts in {splits.pop()}, but its split is {node.split}"
        return ""

    def join(self, side: _Side, words: int) -> None:
        """Put a prompt into one group with all its near-duplicates."""
        around = self._around(words)
        root = self._enter(side, words)
        for other in around:
            root = self._unite(root, self._root(other))

    def keep(self, side: _Side, words: int) -> None:
        """Put a prompt of the ledger where it is, whatever its near-duplicates there."""
        around = self._around(words)
        if words in self._parents and self.of(words).split != side.split:
            return  # the same words on two sides, as only two imports at once can leave them
        root = self._enter(side, words)
        for other in around:
            if self._sides[self._root(other)].split == side.split:
                root = self._unite(root, self._root(other))

    def _around(self, words: int) -> set[int]:
        """The roots of the groups that hold these words or near-duplicates of them."""
        return {self._root(near) for near in (words, *self._near.get(words, ())) if near in self._parents}

    def _enter(self, side: _Side, words: int) -> int:
        if words not in self._parents:
            self._parents[words] = words
            self._sides[words] = side
            return words
        root = self._root(words)
        self._sides[root] = _merged(self._sides[root], side)
        return root

    def _root(self, words: int) -> int:
        parents = self._parents
        while parents[words] != words:
            parents[words] = words = parents[parents[words]]
        return words

    def _unite(self, one: int, other: int) -> int:
        if one != other:
            self._parents[other] = one
            self._sides[one] = _merged(self._sides[one], self._sides.pop(other))
        return one


def _merged(one: _Side, other: _Side) -> _Side:
    first = one if one.rank <= other.rank else other
    return _Side(one.split or other.split, first.group, first.rank, min(one.smallest, other.smallest))
