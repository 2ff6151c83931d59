"""What a server's list of models says."""

from __future__ import annotations

import orjson


def model_names(raw: bytes) -> tuple[str, ...]:
    """The ids in a server's list of models; none if it is no such list."""
    try:
        return tuple(str(model["id"]) for model in orjson.loads(raw)["data"])
    except (ValueError, LookupError, TypeError):
        return ()


def owner_of(raw: bytes) -> str:
    """Who owns the first model of a server's list: some servers say there what they are."""
    try:
        return str(orjson.loads(raw)["data"][0]["owned_by"])
    except (ValueError, LookupError, TypeError):
        return ""
