"""A browser's part of Streamlit's protocol: open the websocket, ask for a page, read until its script has run."""

from __future__ import annotations

import ssl
from collections.abc import Iterator

from streamlit.proto.BackMsg_pb2 import BackMsg  # noqa: TID253
from streamlit.proto.ForwardMsg_pb2 import ForwardMsg  # noqa: TID253
from websockets.sync.client import ClientConnection, connect
from websockets.typing import Origin, Subprotocol

PATIENCE = 60  # seconds


def shown(base: str, cookie: str = "", query: str = "", origin: str = "") -> str:
    """All that a page sends to the browser, as text.

    Raises:
        websockets.exceptions.InvalidStatus: the websocket is refused.
    """
    with _connected(base, cookie, origin or base) as connection:
        return "\n".join(map(str, _page(connection, query=query)))


def failures(base: str, page: str) -> list[str]:
    """What goes wrong on a page, given by its path without a slash: the errors that it shows."""
    with _connected(base, "", base) as connection:
        elements = [message.delta.new_element for message in _page(connection, page)]
    shown = [each.exception.message for each in elements if each.WhichOneof("type") == "exception"]
    boxes = [each.alert for each in elements if each.WhichOneof("type") == "alert"]
    return shown + [box.body for box in boxes if box.format == box.ERROR]


def _connected(base: str, cookie: str, origin: str) -> ClientConnection:
    return connect(
        base.replace("http", "ws", 1) + "/_stcore/stream",
        origin=Origin(origin),
        subprotocols=[Subprotocol("streamlit")],
        additional_headers={"Cookie": cookie} if cookie else None,
        max_size=None,
        open_timeout=PATIENCE,
        ssl=ssl._create_unverified_context() if base.startswith("https") else None,
    )


def _page(connection: ClientConnection, page: str = "", query: str = "") -> Iterator[ForwardMsg]:
    """Ask for a page."""
    ask = BackMsg()
    ask.rerun_script.page_name = page
    ask.rerun_script.query_string = query
    connection.send(ask.SerializeToString())
    return _until_finished(connection)


def _until_finished(connection: ClientConnection) -> Iterator[ForwardMsg]:
    while True:
        message = ForwardMsg()
        message.ParseFromString(connection.recv(PATIENCE))
        yield message
        if message.WhichOneof("type") == "script_finished":
            return
