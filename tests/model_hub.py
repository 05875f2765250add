"""A stand-in for the Hugging Face hub, as its client reads it: a repository's tree at a commit, and its files.

Source: what huggingface_hub's ``snapshot_download`` asks (https://huggingface.co/docs/hub/api).
"""

import hashlib
import json
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import unquote, urlsplit

COMMIT = "5" * 40
#: The hub keeps larger files by their SHA-256, smaller ones in Git.
LARGE_BYTES = 1000


def git_hash(content: bytes) -> str:
    """Name a file as Git does."""
    return hashlib.sha1(f"blob {len(content)}\0".encode() + content, usedforsecurity=False).hexdigest()


@dataclass
class Hub:
    """What the stand-in holds, and what it was asked."""

    url: str
    repositories: dict[str, dict[str, bytes]] = field(default_factory=dict)
    asked: list[str] = field(default_factory=list)
    #: Sent instead of a file's content so many times.
    damage: dict[str, int] = field(default_factory=dict)


def _entry(name: str, content: bytes) -> dict[str, object]:
    entry: dict[str, object] = {
        "type": "file",
        "path": name,
        "rfilename": name,
        "size": len(content),
        "oid": git_hash(content),
    }
    if len(content) > LARGE_BYTES:
        entry["lfs"] = {
            "oid": (sha := hashlib.sha256(content).hexdigest()),
            "sha256": sha,
            "size": len(content),
            "pointerSize": 130,
        }
    return entry


class _Handler(BaseHTTPRequestHandler):
    hub: Hub

    def do_HEAD(self) -> None:
        self._answer(body=False)

    def do_GET(self) -> None:
        self._answer(body=True)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002
        """Say nothing."""

    def _answer(self, *, body: bool) -> None:
        path = unquote(urlsplit(self.path).path)
        self.hub.asked.append(f"{self.command} {path}")
        parts = path.strip("/").split("/")
        if parts[:2] == ["api", "models"] and len(parts) >= 4:
            self._repository("/".join(parts[2:4]), parts[4:], body=body)
        elif len(parts) >= 5 and parts[2] == "resolve":
            self._file("/".join(parts[:2]), "/".join(parts[4:]), body=body)
        else:
            self._send(404, b"{}", {}, body=body)

    def _repository(self, name: str, rest: list[str], *, body: bool) -> None:
        files = self.hub.repositories.get(name)
        if files is None:
            self._send(
                401, b"{}", {"X-Error-Code": "RepoNotFound", "X-Error-Message": "Repository not found"}, body=body
            )
            return
        if len(rest) == 2 and rest[0] == "revision" and rest[1] not in ("main", COMMIT, "v1"):
            self._send(404, b"{}", {"X-Error-Code": "RevisionNotFound"}, body=body)
            return
        entries = [_entry(file, content) for file, content in files.items()]
        told: object = entries if rest[:1] == ["tree"] else {"id": name, "sha": COMMIT, "siblings": entries}
        self._send(200, json.dumps(told).encode(), {"Content-Type": "application/json"}, body=body)

    def _file(self, name: str, file: str, *, body: bool) -> None:
        content = self.hub.repositories.get(name, {}).get(file)
        if content is None:
            self._send(404, b"", {"X-Error-Code": "EntryNotFound"}, body=body)
            return
        large = len(content) > LARGE_BYTES
        etag = hashlib.sha256(content).hexdigest() if large else git_hash(content)
        headers = {"X-Repo-Commit": COMMIT, "ETag": f'"{etag}"'}
        if large:
            headers |= {"X-Linked-Etag": f'"{etag}"', "X-Linked-Size": str(len(content))}
        if body and self.hub.damage.get(file, 0):
            self.hub.damage[file] -= 1
            content = bytes(reversed(content))
        self._send(200, content, headers, body=body)

    def _send(self, status: int, content: bytes, headers: Mapping[str, str], *, body: bool) -> None:
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        if body:
            self.wfile.write(content)


@contextmanager
def hub() -> Iterator[Hub]:
    """Run a hub."""
    handler = type("Handler", (_Handler,), {})
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    found = Hub(f"http://127.0.0.1:{server.server_address[1]}")
    handler.hub = found  # type: ignore[attr-defined]
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield found
    finally:
        server.shutdown()
        server.server_close()
