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
    unverified = ssl._create_unverified_context() if base.startswith("https") else None
    with connect(
        base.replace("http", "ws", 1) + "/_stcore/stream",
        origin=Origin(origin or base),
        subprotocols=[Subprotocol("streamlit")],
        additional_headers={"Cookie": cookie} if cookie else None,
        max_size=None,
        open_timeout=PATIENCE,
        ssl=unverified,
    ) as connection:
        ask = BackMsg()
        ask.rerun_script.query_string = query
        connection.send(ask.SerializeToString())
        return "\n".join(map(str, _until_finished(connection)))


def _until_finished(connection: ClientConnection) -> Iterator[ForwardMsg]:
    while True:
        message = ForwardMsg()
        message.ParseFromString(connection.recv(PATIENCE))
        yield message
        if message.WhichOneof("type") == "script_finished":
            return
