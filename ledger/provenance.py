"""Which code and which libraries did something."""

from __future__ import annotations

import subprocess
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

RECORDED = ("wardround", "torch", "transformers", "trl", "peft", "datasets")


@cache
def code_version() -> str:
    """The package's version and, in a checkout, its commit; "+changes" where the checkout differs from it."""
    release = _version_of("wardround") or "unreleased"
    root = Path(__file__).resolve().parent.parent
    if not (root / ".git").exists():
        return release
    try:
        commit = _git(root, "rev-parse", "--short=12", "HEAD")
        changed = _git(root, "status", "--porcelain", "--untracked-files=no")
    except (OSError, subprocess.SubprocessError):
        return release
    return f"{release}+{commit}{'+changes' if changed else ''}"


def library_versions() -> dict[str, str]:
    """The installed versions of the libraries that a model's weights depend on."""
    return {name: found for name in RECORDED if (found := _version_of(name))}


def _version_of(name: str) -> str | None:
    try:
        return version(name)
    except PackageNotFoundError:
        return None


def _git(root: Path, *arguments: str) -> str:
    done = subprocess.run(["git", "-C", str(root), *arguments], capture_output=True, text=True, timeout=10, check=True)
    return done.stdout.strip()
