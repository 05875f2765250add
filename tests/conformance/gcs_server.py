"""A local Cloud Storage server under test, and the real Google client that talks to it."""

import http.client
import json
import signal
import socket
import subprocess
import sys
import time
import uuid
from collections.abc import Callable, Mapping
from datetime import timedelta
from functools import cache
from pathlib import Path
from typing import Any, Self, TypeVar
from urllib.parse import urlsplit

import psutil
import requests
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from google.auth.credentials import AnonymousCredentials
from google.cloud import storage
from google.oauth2 import service_account

PROJECT = "mill-project"
DEADLINE_SECONDS = 60.0
QUANTUM = 256 * 1024

T = TypeVar("T")


def until(look: Callable[[], T], what: str) -> T:
    """What ``look`` returns as soon as that is true."""
    deadline = time.monotonic() + DEADLINE_SECONDS
    while not (found := look()):
        assert time.monotonic() < deadline, f"never happened: {what}"
        time.sleep(0.01)
    return found


def free_port() -> int:
    """A port that was free a moment ago."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def write_key(path: Path, email: str = "signer@mill-project.iam.gserviceaccount.com") -> Path:
    """Make a service-account key file as Google's console gives out."""
    pem = rsa.generate_private_key(public_exponent=65537, key_size=2048).private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    described = {"type": "service_account", "project_id": PROJECT, "private_key_id": "1", "client_id": "1"}
    described |= {"private_key": pem.decode(), "client_email": email, "token_uri": "http://127.0.0.1:1/token"}
    path.write_text(json.dumps(described))
    return path


@cache
def signer(key: Path) -> Any:
    """The credentials in a key file, read once: checking an RSA key takes longer than many a test."""
    return service_account.Credentials.from_service_account_file(str(key))  # type: ignore[no-untyped-call]


class Answer:
    """What came back on a bare connection."""

    def __init__(self, response: http.client.HTTPResponse) -> None:
        self.status = response.status
        self.headers = response.headers
        self.body = response.read()

    @property
    def json(self) -> dict[str, Any]:
        return dict(json.loads(self.body))


class GcsServer:
    """One data directory; the server may be stopped, killed and started again on the same port."""

    def __init__(self, directory: Path, *options: str) -> None:
        self.directory = directory
        self.key = directory / "signer.json"
        if not self.key.exists():
            write_key(self.key)
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self.arguments = ["--port", str(self.port), "--data-dir", str(directory / "data")]
        self.arguments += ["--signer-key", str(self.key), *options]

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        if self.process.poll() is None:
            self.stop()

    def start(self) -> None:
        command = [sys.executable, "-m", "spotmill", "local", "gcs", *self.arguments]
        self.process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        assert self.process.stdout is not None
        assert self.url in self.process.stdout.readline()

    def stop(self) -> None:
        self.process.terminate()
        assert self.process.wait(DEADLINE_SECONDS) == 0

    def kill(self) -> None:
        """As a power cut would, for the process."""
        self.process.send_signal(signal.SIGKILL)
        self.process.wait(DEADLINE_SECONDS)

    @property
    def rss_bytes(self) -> int:
        return int(psutil.Process(self.process.pid).memory_info().rss)

    @property
    def bodies(self) -> list[Path]:
        """The files that hold the bytes of objects and of uploads under way."""
        return list((self.directory / "data" / "bodies").iterdir())

    def client(self) -> storage.Client:
        credentials = AnonymousCredentials()  # type: ignore[no-untyped-call]
        return storage.Client(project=PROJECT, credentials=credentials, client_options={"api_endpoint": self.url})

    def bucket(self, **properties: Any) -> storage.Bucket:
        """A new bucket with a name of its own."""
        bucket = self.client().bucket(f"bucket-{uuid.uuid4().hex[:12]}")
        for name, value in properties.items():
            setattr(bucket, name, value)
        bucket.create()
        return bucket

    def call(self, method: str, url: str, body: bytes = b"", headers: Mapping[str, str] | None = None) -> Answer:
        """One request on a connection of its own, sent exactly as given."""
        parts = urlsplit(url if url.startswith("http") else self.url + url)
        connection = http.client.HTTPConnection(parts.hostname or "", parts.port, timeout=DEADLINE_SECONDS)
        try:
            target = parts.path + (f"?{parts.query}" if parts.query else "")
            connection.request(method, target, body or None, dict(headers or {}))
            return Answer(connection.getresponse())
        finally:
            connection.close()

    def sign(self, blob: storage.Blob, method: str, key: Path | None = None, **options: Any) -> str:
        """A V4 signed URL, made by the real client."""
        return str(
            blob.generate_signed_url(
                version="v4",
                api_access_endpoint=self.url,
                credentials=signer(key or self.key),
                method=method,
                **{"expiration": timedelta(minutes=15), **options},
            )
        )

    def session(self, blob: storage.Blob, **headers: str) -> str:
        """Start an XML session by a signed POST; underscores in names of headers stand for dashes."""
        signed = {name.replace("_", "-"): value for name, value in headers.items()}
        signed["x-goog-resumable"] = "start"
        origin = {"Origin": signed.pop("Origin")} if "Origin" in signed else {}
        answer = self.call("POST", self.sign(blob, "POST", headers=signed), headers={**signed, **origin})
        assert answer.status == 201, answer.body
        return str(answer.headers["Location"])

    def json_session(self, bucket: storage.Bucket, query: str, resource: Mapping[str, Any] | None = None) -> str:
        """Start a JSON session."""
        answer = requests.post(
            f"{self.url}/upload/storage/v1/b/{bucket.name}/o?uploadType=resumable&{query}",
            json=resource or {},
            timeout=DEADLINE_SECONDS,
        )
        assert answer.status_code == 200, answer.text
        return answer.headers["Location"]

    def chunk(self, session: str, content: bytes, first: int, total: int | str, **headers: str) -> Answer:
        """PUT part of an upload."""
        span = f"bytes {first}-{first + len(content) - 1}/{total}"
        return self.call("PUT", session, content, {"Content-Range": span, **headers})

    def status(self, session: str, total: int | str = "*") -> Answer:
        """Ask how far an upload is."""
        return self.call("PUT", session, headers={"Content-Range": f"bytes */{total}", "Content-Length": "0"})

    def cut_short(self, url: str, content: bytes, headers: Mapping[str, str], method: str = "PUT") -> None:
        """Send the start of a request whose headers promise more, then hang up."""
        parts = urlsplit(url)
        lines = [f"{method} {parts.path}?{parts.query} HTTP/1.1", f"Host: {parts.netloc}"]
        lines += [f"{name}: {value}" for name, value in headers.items()]
        with socket.create_connection((parts.hostname or "", parts.port or 80), DEADLINE_SECONDS) as connection:
            connection.sendall("\r\n".join([*lines, "", ""]).encode() + content)


def code_of(answer: Answer) -> str:
    """The error code in an XML body."""
    return answer.body.decode().partition("<Code>")[2].partition("</Code>")[0]
