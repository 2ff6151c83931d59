"""A real OpenAI-compatible HTTP server on loopback that answers as it is told to."""

from __future__ import annotations

import json
import re
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

MODEL = "judge-1"


@dataclass(frozen=True)
class Answer:
    """One HTTP response. ``cut``: the connection ends in the middle of it. ``drip``: it never ends."""

    status: int = 200
    body: bytes = b""
    headers: tuple[tuple[str, str], ...] = ()
    cut: bool = False
    drip: bool = False


def completion(text: str | None, finish: str = "stop", tokens: int = 7, **message: Any) -> Answer:
    """A chat completion that says ``text``."""
    choice = {
        "index": 0,
        "finish_reason": finish,
        "message": {"role": "assistant", "content": text, **message},
    }
    usage = {"prompt_tokens": tokens - 1, "completion_tokens": 1, "total_tokens": tokens}
    if finish == "length":  # it would be as many as may be, and nobody here knows how many these are
        del usage["completion_tokens"]
    return Answer(body=json.dumps({"object": "chat.completion", "choices": [choice], "usage": usage}).encode())


def choices(*texts: str | None, tokens: int = 0, **said: Any) -> Answer:
    """A chat completion of several choices; ``said`` holds further parts of each message."""
    listed = [
        {"index": index, "finish_reason": "stop", "message": {"role": "assistant", "content": text, **said}}
        for index, text in enumerate(texts)
    ]
    return answering(listed, tokens)


def answering(listed: list[dict[str, Any]], tokens: int = 0) -> Answer:
    """A chat completion of these choices."""
    return Answer(body=json.dumps({"choices": listed, "usage": {"completion_tokens": tokens}}).encode())


def verdict(level: str, rationale: str = "because") -> Answer:
    """A reply that keeps to the judge's schema."""
    return completion(json.dumps({"rationale": rationale, "verdict": level}))


def failure(status: int, message: str = "no", headers: tuple[tuple[str, str], ...] = (), **error: Any) -> Answer:
    """An error as OpenAI words it."""
    return Answer(status, json.dumps({"error": {"message": message, **error}}).encode(), headers)


def shown(body: dict[str, Any], heading: str) -> str:
    """The lines of one block of material in what a judge is asked, as they are shown."""
    found = re.search(rf"### {heading} \[(\w+)\]\n(.*?)\n### END \[\1\]", body["messages"][1]["content"], re.DOTALL)
    return found[2] if found else ""


def listing(*models: str) -> Answer:
    return Answer(
        body=json.dumps({"object": "list", "data": [{"id": name, "object": "model"} for name in models]}).encode()
    )


Script = Callable[[dict[str, Any]], Answer]  # the body of a chat request -> the answer


@dataclass
class Scripted:
    """A running server: what it will answer, and what it was asked."""

    chat: Script
    models: Answer
    key: str = ""  # the only key taken; "" takes any
    url: str = ""
    asked: list[dict[str, Any]] = field(default_factory=list)
    times: list[float] = field(default_factory=list)  # when each chat request came, in seconds
    keys: list[str] = field(default_factory=list)
    in_flight: int = 0
    most_in_flight: int = 0
    lock: threading.Lock = field(default_factory=threading.Lock)
    stopped: threading.Event = field(default_factory=threading.Event)

    @property
    def users(self) -> list[str]:
        """The material of each chat request."""
        return [body["messages"][-1]["content"] for body in self.asked]

    def answer(self, path: str, body: dict[str, Any] | None, key: str) -> Answer:
        with self.lock:
            self.keys.append(key)
            if body is not None:
                self.asked.append(body)
                self.times.append(time.monotonic())
        if self.key and key != f"Bearer {self.key}":
            return failure(401, f"Incorrect API key provided: {key.removeprefix('Bearer ')}")
        if body is None:
            return self.models if path == "/v1/models" else failure(404)
        return self.chat(body) if path == "/v1/chat/completions" else failure(404)


class Listening(ThreadingHTTPServer):
    """A server that takes many connections at once: those beyond the queue wait for seconds, or get no answer."""

    daemon_threads = True
    request_queue_size = 1024


@contextmanager
def serving(chat: Script, models: Answer | None = None, key: str = "") -> Iterator[Scripted]:
    """Run a server for the length of the block."""
    scripted = Scripted(chat, models if models is not None else listing(MODEL), key)
    server = Listening(("127.0.0.1", 0), _handler(scripted))
    scripted.url = f"http://127.0.0.1:{server.server_address[1]}/v1"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield scripted
    finally:
        scripted.stopped.set()
        server.shutdown()
        thread.join()
        server.server_close()


def in_turn(*answers: Answer) -> Script:
    """One answer after the other, then the last one for ever."""
    left = list(answers)
    lock = threading.Lock()

    def script(_body: dict[str, Any]) -> Answer:
        with lock:
            return left.pop(0) if len(left) > 1 else left[0]

    return script


def _handler(scripted: Scripted) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        disable_nagle_algorithm = True  # head and body are written apart, and would wait for one another

        def do_GET(self) -> None:
            self._give(scripted.answer(self.path, None, self.headers.get("Authorization", "")))

        def do_POST(self) -> None:
            body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            with scripted.lock:
                scripted.in_flight += 1
                scripted.most_in_flight = max(scripted.most_in_flight, scripted.in_flight)
            try:
                answer = scripted.answer(self.path, body, self.headers.get("Authorization", ""))
            finally:
                with scripted.lock:
                    scripted.in_flight -= 1
            self._give(answer)

        def _give(self, answer: Answer) -> None:
            if scripted.stopped.is_set():  # a connection kept alive must not outlive its server
                self.close_connection = True
                return
            self.send_response(answer.status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(answer.body) + 1000 * (answer.cut or answer.drip)))
            for name, value in answer.headers:
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(answer.body)
            self.close_connection = answer.cut or answer.drip
            while answer.drip and not scripted.stopped.wait(0.02):
                try:
                    self.wfile.write(b" ")
                except OSError:
                    return

        def log_message(self, *_: object) -> None:
            return

    return Handler
