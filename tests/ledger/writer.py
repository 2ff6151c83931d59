"""A program that the store's tests start, many times at once, and kill: appends batches, and says when each is durable.

    python writer.py URL NAME BATCHES SIZE

It says "ready" before it opens the ledger, waits for a line, and then says the number of each batch written.
A batch is SIZE prompts and the candidates to them.
"""

from __future__ import annotations

import sys

from ledger.records import Candidate, Message, Prompt, Record
from ledger.store import open_ledger


def batch(name: str, number: int, size: int) -> list[Record]:
    """The records of one batch; its name is their topic and their sampling model."""
    label = f"writer:{name}:{number}"
    prompts = [Prompt((Message("user", f"{label}, question {i}"),), topic=label) for i in range(size)]
    return [*prompts, *(Candidate(prompt.id, label, "because") for prompt in prompts)]


def main(url: str, name: str, batches: int, size: int) -> None:
    print("ready", flush=True)
    sys.stdin.readline()
    with open_ledger(url) as ledger:
        for number in range(batches):
            ledger.append(batch(name, number, size))
            print(number, flush=True)


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], int(sys.argv[3]), int(sys.argv[4]))
