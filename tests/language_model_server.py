"""A loopback stand-in for the hosted models: OpenAI, Anthropic, Gemini and Vertex AI.

What it answers is scripted: ``replies`` are taken in order, then ``otherwise`` for all that follow. How each service
speaks is in ``tests/language_model_wire.py``.
"""

import json
import threading
from collections import deque
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from functools import cache
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from tests.language_model_wire import (
    ANSWERS,
    CHECKS,
    PROJECT,
    TOKEN,
    Asked,
    RefusedError,
    Reply,
    Service,
    failure,
    service_of,
)


@dataclass
class LanguageModelServer:
    """What a test may read and script."""

    url: str
    key_file: Path
    replies: deque[Reply] = field(default_factory=deque)
    otherwise: Reply = field(default_factory=Reply)
    asked: list[Asked] = field(default_factory=list)
    requests: int = 0  #: all of them, those with faults as well
    refused: list[str] = field(default_factory=list)  #: what was wrong with requests
    over: threading.Event = field(default_factory=threading.Event)

    def endpoint(self, service: Service) -> str:
        """Return the base URL that settings name."""
        return f"{self.url}/v1" if service == "openai" else self.url


@contextmanager
def serving(directory: Path) -> Iterator[LanguageModelServer]:
    """Serve on a free port of the loopback; a service account's key that this server accepts lies in ``directory``."""
    state = LanguageModelServer("", directory / "service-account.json")
    http = _Server(state)
    state.url = f"http://127.0.0.1:{http.server_address[1]}"
    account = {
        "type": "service_account",
        "client_email": f"worker@{PROJECT}.iam.gserviceaccount.com",
        "private_key": _private_key(),
        "token_uri": f"{state.url}/token",
        "project_id": PROJECT,
    }
    state.key_file.write_text(json.dumps(account))
    threading.Thread(target=http.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
    try:
        yield state
    finally:
        state.over.set()
        http.shutdown()
        http.server_close()


@cache
def _private_key() -> str:
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    form = (serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    return key.private_bytes(*form).decode()


class _Server(ThreadingHTTPServer):
    def __init__(self, state: LanguageModelServer) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.state = state


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: "_Server"

    def log_message(self, *args: object) -> None:
        """Say nothing."""

    def do_POST(self) -> None:
        state = self.server.state
        content = self.rfile.read(int(self.headers["content-length"]))
        if self.path == "/token":
            self._send(200, {"access_token": TOKEN, "expires_in": 3600, "token_type": "Bearer"})
            return
        state.requests += 1
        service = service_of(self.path)
        try:
            headers = {name.lower(): value for name, value in self.headers.items()}
            asked = CHECKS[service](self.path, headers, json.loads(content))
        except (RefusedError, KeyError, TypeError, ValueError) as error:
            status = error.status if isinstance(error, RefusedError) else 400
            state.refused.append(repr(error))
            self._send(status, failure(service, status, str(error)))
            return
        state.asked.append(asked)
        self._reply(asked, state.replies.popleft() if state.replies else state.otherwise)

    def _reply(self, asked: Asked, reply: Reply) -> None:
        state = self.server.state
        if reply.fault == "status":
            wait = {"retry-after": reply.retry_after} if reply.retry_after else {"retry-after-ms": "1"}
            self._send(reply.status, failure(asked.service, reply.status, "told so", reply.code), wait)
        elif reply.fault == "moved":
            self._send(307, {}, {"location": f"{state.url}{self.path}"})
        elif reply.fault == "silent":
            state.over.wait()
        elif reply.fault == "dripping":
            self._drip()
        elif reply.fault == "hung-up":
            self.close_connection = True
        elif reply.fault == "garbled":
            self._send(200, b'{"choices": [{"mess')
        elif reply.fault == "hollow":
            self._send(200, {})
        else:
            self._send(200, ANSWERS[asked.service](reply))

    def _drip(self) -> None:
        state = self.server.state
        self.send_response(200)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", "1000000")
        self.end_headers()
        with suppress(OSError):
            while not state.over.wait(0.02):
                self.wfile.write(b" ")

    def _send(self, status: int, body: object, headers: Mapping[str, str] | None = None) -> None:
        content = body if isinstance(body, bytes) else json.dumps(body).encode()
        self.send_response(status)
        for name, value in {"content-type": "application/json", **(headers or {})}.items():
            self.send_header(name, value)
        self.send_header("content-length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)
