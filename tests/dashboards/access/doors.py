"""A door in front of an application that serves anything, without a network."""

from __future__ import annotations

from httpx import ASGITransport, AsyncClient
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse
from starlette.routing import Route, WebSocketRoute
from starlette.websockets import WebSocket, WebSocketDisconnect

from dashboards.access.door import ASK_AGAIN, Door, Surroundings
from dashboards.access.gate import Gate

PAGE = {"accept": "text/html"}


def served(
    gate: Gate | None,
    around: Surroundings = Surroundings(),  # noqa: B008 - frozen
    ask_again: float = ASK_AGAIN,
) -> Door:
    """A door with a room behind it."""

    async def room(request: Request) -> PlainTextResponse:
        answer = PlainTextResponse(f"inside {request.url.path} for {request.client and request.client.host}")
        answer.set_cookie("room", "1")
        return answer

    async def talk(websocket: WebSocket) -> None:
        await websocket.accept()
        try:
            while True:
                await websocket.send_text(await websocket.receive_text())
        except WebSocketDisconnect:
            pass

    routes = [
        WebSocketRoute("/_stcore/stream", talk),
        Route("/{path:path}", room, methods=["GET", "POST", "PUT", "DELETE"]),
    ]
    return Door(Starlette(routes=routes), around, gate, ask_again)


def visitor(door: Door, *, base: str = "http://127.0.0.1:8501", address: str = "127.0.0.1") -> AsyncClient:
    """A browser, from this address."""
    return AsyncClient(transport=ASGITransport(door, client=(address, 5_000)), base_url=base)
