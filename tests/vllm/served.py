"""vLLM's own server on loopback, for the length of a test module."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import threading
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from time import monotonic
from typing import Any

HOST, KEY = "127.0.0.1", "a key that the server knows"
SECONDS_TO_START, BETWEEN_TRIES = 180, 0.1
FLAGS = ("--enforce-eager", "--no-enable-chunked-prefill")
ENVIRONMENT = {
    "VLLM_NO_USAGE_STATS": "1",
    "VLLM_ENABLE_V1_MULTIPROCESSING": "0",
    "VLLM_API_KEY": KEY,
    "PYTHONDONTWRITEBYTECODE": "",  # what one of its processes has compiled, the other need not
}


@dataclass(frozen=True)
class Server:
    """A server that runs, and what it has written so far."""

    url: str
    log: list[str]


@contextmanager
def serving(options: Mapping[str, str], *flags: str) -> Iterator[Server]:
    """Start ``vllm serve`` with these options, wait until it answers, and end it in the end."""
    port = free_port()
    given = {"--host": HOST, "--port": str(port), "--dtype": "float32", **options}
    parts = [part for option in given.items() for part in option]
    command = [sys.executable, "-m", "vllm.entrypoints.openai.api_server", *parts, *FLAGS, *flags]
    log: list[str] = []
    ended = threading.Event()

    def listen(process: subprocess.Popen[str]) -> None:
        assert process.stdout is not None
        log.extend(process.stdout)
        ended.set()

    environment = {**os.environ, **ENVIRONMENT}
    with subprocess.Popen(
        command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    ) as process:
        listener = threading.Thread(target=listen, args=(process,))
        listener.start()
        try:
            assert _answers(port, ended), "".join(log[-30:])
            yield Server(f"http://{HOST}:{port}/v1", log)
        finally:
            process.terminate()
            listener.join()


def _answers(port: int, ended: threading.Event) -> bool:
    """Wait until it takes connections; its log says that it is ready a moment before."""
    until = monotonic() + SECONDS_TO_START
    while monotonic() < until and not ended.wait(BETWEEN_TRIES):
        with suppress(ConnectionRefusedError), socket.create_connection((HOST, port)):
            return True
    return False


def asked(server: Server, path: str, body: dict[str, Any]) -> Any:
    """What the server replies, past all of our own code."""
    headers = {"Authorization": f"Bearer {KEY}", "Content-Type": "application/json"}
    sent = urllib.request.Request(server.url + path, json.dumps(body).encode(), headers)
    with urllib.request.urlopen(sent, timeout=60) as reply:
        return json.load(reply)


def free_port() -> int:
    """One that nobody listens at."""
    with socket.socket() as probe:
        probe.bind((HOST, 0))
        return int(probe.getsockname()[1])
