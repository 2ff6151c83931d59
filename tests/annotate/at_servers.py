"""Workspaces whose judges are servers on loopback."""

from __future__ import annotations

import json
from dataclasses import replace
from hashlib import sha256
from pathlib import Path
from typing import Any

from ledger.config import CONFIG_NAME, JudgeConfig
from ledger.workspace import Workspace
from tests.openai_server import MODEL, Scripted, shown

TEXTS = ("Urgent surgical repair.", "Watch and wait.", "Repair, because the bowel may die.")


def judged_by(workspace: Workspace, server: Scripted, *others: tuple[str, Scripted], **settings: Any) -> Workspace:
    """The workspace with a judge at ``server``, and further ones of a panel by name; as another process opens it."""
    own = {"model": MODEL, "base_url": server.url, "timeout_seconds": 5, "retries": 0, "repairs": 0}
    common = {"timeout_seconds": 5, "retries": settings.get("retries", 0)}
    panel = [{"model": name, "base_url": other.url, **common} for name, other in others]
    judge = JudgeConfig(**{**own, "panel": panel, **settings})
    config = workspace.config.model_copy(update={"judge": judge})
    return Workspace(workspace.root, config, workspace.ledger)


def named(workspace: Workspace, name: str) -> Workspace:
    """The same with another name for the only judge."""
    judge = workspace.config.judge.model_copy(update={"model": name})
    return replace(workspace, config=workspace.config.model_copy(update={"judge": judge}))


def configure(root: Path, url: str, *lines: str) -> None:
    """Write a configuration, for what opens the workspace by itself."""
    text = "\n".join([f"[ledger]\nurl = {json.dumps(url)}", *lines])
    (root / CONFIG_NAME).write_text(text, encoding="utf-8")


def judge_table(server: Scripted, **settings: object) -> str:
    """The ``[judge]`` of a configuration."""
    own = {"model": MODEL, "base_url": server.url, "timeout_seconds": 5, "retries": 0, "repairs": 0, **settings}
    return "[judge]\n" + "\n".join(f"{name} = {json.dumps(value)}" for name, value in own.items())


def chance(*what: object) -> float:
    """A number in [0, 1) that depends on nothing but ``what``."""
    return int.from_bytes(sha256(repr(what).encode()).digest()[:8]) / 2**64


def answers_shown(body: dict[str, Any]) -> tuple[str, str]:
    """What a judge is shown as answers, in the order shown."""
    first, second = (shown(body, f"ANSWER {letter}").removeprefix("| ") for letter in "AB")
    return first, second


def asked_twice(server: Scripted) -> int:
    """How many requests the server saw more than once."""
    seen = [json.dumps(body, sort_keys=True) for body in server.asked]
    return len(seen) - len(set(seen))
