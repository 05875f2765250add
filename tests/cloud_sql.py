"""A stand-in for Cloud SQL as the connector sees it: Admin API, token endpoint, and the TLS server on port 3307.

What it answers follows https://cloud.google.com/sql/docs/postgres/admin-api/rest/v1beta4/connect; behind it stands a
real Postgres that trusts it, as Cloud SQL's own proxy server has already checked certificate and token.
"""

import json
import secrets
import socket
import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from ipaddress import ip_address
from pathlib import Path
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.x509.oid import NameOID

PROJECT, REGION, INSTANCE = "a-project", "us-central1", "spotmill"
#: The connector's port, which no setting changes; hence an address of the loopback network for each stand-in.
PORT = 3307


def _name(text: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, text)])


class Authority:
    """A certificate authority for one instance."""

    def __init__(self) -> None:
        self.key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
        self.certificate = self._sign(_name("Stand-in CA"), self.key.public_key(), authority=True)

    def _sign(
        self, subject: x509.Name, key: Any, *, authority: bool = False, address: str | None = None
    ) -> x509.Certificate:
        now = datetime.now(UTC)
        builder = (
            x509.CertificateBuilder()
            .subject_name(subject)
            .issuer_name(_name("Stand-in CA"))
            .public_key(key)
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - timedelta(minutes=5))
            .not_valid_after(now + timedelta(hours=1))
            .add_extension(x509.BasicConstraints(ca=authority, path_length=None), critical=True)
        )
        if address:
            alternative = x509.SubjectAlternativeName([x509.IPAddress(ip_address(address))])
            builder = builder.add_extension(alternative, critical=False)
        return builder.sign(self.key, hashes.SHA256())

    def client(self, public_key_pem: str) -> str:
        """Sign an ephemeral certificate, in PEM."""
        key = serialization.load_pem_public_key(public_key_pem.encode())
        return pem(self._sign(_name("client"), key))

    def server(self, directory: Path, address: str) -> ssl.SSLContext:
        """Make the server's side, which asks clients for a certificate of this authority."""
        key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
        chain = directory / "server.pem"
        private = key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
        certificate = self._sign(_name(f"{PROJECT}:{INSTANCE}"), key.public_key(), address=address)
        chain.write_bytes(private + pem(certificate).encode())
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(chain)
        context.load_verify_locations(cadata=pem(self.certificate))
        context.verify_mode = ssl.CERT_REQUIRED
        return context


def pem(certificate: x509.Certificate) -> str:
    """Return a certificate as text."""
    return certificate.public_bytes(serialization.Encoding.PEM).decode()


@dataclass
class CloudSqlStandIn:
    """What a test may read and break: ``failing`` answers the Admin API's calls with a status, ``mute`` not at all."""

    address: str
    endpoint: str
    key_file: Path
    calls: list[str] = field(default_factory=list)
    failing: int | None = None
    mute: threading.Event | None = None
    silent_address: str | None = None  #: given out instead: packets to it are never answered
    deaf: bool = False  #: the instance takes what is sent and answers nothing

    @property
    def connection_name(self) -> str:
        """The instance as settings name it."""
        return f"{PROJECT}:{REGION}:{INSTANCE}"


@contextmanager
def standing_in(directory: Path, postgres: tuple[str, int]) -> Iterator[CloudSqlStandIn]:
    """Stand in front of the Postgres at (host, port)."""
    address = _loopback_address()
    authority = Authority()
    stand_in = CloudSqlStandIn(address, "", directory / "key.json")
    api = ThreadingHTTPServer(("127.0.0.1", 0), _handler(stand_in, authority))
    stand_in.endpoint = f"http://127.0.0.1:{api.server_address[1]}"
    private = rsa.generate_private_key(public_exponent=65537, key_size=2048).private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    stand_in.key_file.write_text(
        json.dumps(
            {
                "type": "service_account",
                "client_email": f"web@{PROJECT}.iam.gserviceaccount.com",
                "private_key": private.decode(),
                "token_uri": f"{stand_in.endpoint}/token",
                "project_id": PROJECT,
            }
        )
    )
    listener = socket.create_server((address, PORT))
    context = authority.server(directory, address)
    threading.Thread(target=api.serve_forever, daemon=True).start()
    threading.Thread(target=_accept, args=(listener, context, postgres, stand_in), daemon=True).start()
    try:
        yield stand_in
    finally:
        if stand_in.mute is not None:
            stand_in.mute.set()
        api.shutdown()
        api.server_close()
        listener.close()


@contextmanager
def silent_server() -> Iterator[str]:
    """Give an address at whose port nobody answers: its queue of callers is full."""
    address = _loopback_address()
    with socket.create_server((address, PORT), backlog=0), socket.create_connection((address, PORT)):
        yield address


def _loopback_address() -> str:
    return f"127.{1 + secrets.randbelow(250)}.{secrets.randbelow(250)}.{2 + secrets.randbelow(250)}"


def _handler(stand_in: CloudSqlStandIn, authority: Authority) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self._api({"GET": self.path})

        def do_POST(self) -> None:
            raw = self.rfile.read(int(self.headers["Content-Length"]))
            if self.path == "/token":
                self._answer(200, {"access_token": "a-token", "expires_in": 3600, "token_type": "Bearer"})
            else:
                self._api({"POST": self.path}, raw)

        def _api(self, call: dict[str, str], raw: bytes = b"") -> None:
            [(method, path)] = call.items()
            stand_in.calls.append(f"{method} {path}")
            if stand_in.mute is not None:
                stand_in.mute.wait(60)
            if stand_in.failing is not None:
                return self._answer(stand_in.failing, {"error": {"message": "The stand-in was told to fail."}})
            if self.headers["Authorization"] != "Bearer a-token":
                return self._answer(401, {"error": {"message": "Not signed in."}})
            status, body = _said(stand_in, authority, f"{method} {path}", raw)
            return self._answer(status, body)

        def _answer(self, status: int, body: dict[str, Any]) -> None:
            content = json.dumps(body).encode()
            with suppress(OSError):  # the caller gave up
                self.send_response(status)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(content)))
                self.end_headers()
                self.wfile.write(content)

        def log_message(self, *_: Any) -> None:
            """Say nothing."""

    return Handler


def _said(stand_in: CloudSqlStandIn, authority: Authority, call: str, raw: bytes) -> tuple[int, dict[str, Any]]:
    instance = f"/sql/v1beta4/projects/{PROJECT}/instances/{INSTANCE}"
    if call == f"GET {instance}/connectSettings":
        return 200, {
            "region": REGION,
            "databaseVersion": "POSTGRES_17",
            "ipAddresses": [{"type": "PRIVATE", "ipAddress": stand_in.silent_address or stand_in.address}],
            "serverCaCert": {"cert": pem(authority.certificate)},
        }
    if call == f"POST {instance}:generateEphemeralCert":
        wish = json.loads(raw)
        if wish.get("access_token") != "a-token":
            return 403, {"error": {"message": "No token for IAM authentication."}}
        return 200, {"ephemeralCert": {"cert": authority.client(wish["public_key"])}}
    return 404, {"error": {"message": f"No such call: {call}"}}


def _accept(
    listener: socket.socket, context: ssl.SSLContext, postgres: tuple[str, int], stand_in: CloudSqlStandIn
) -> None:
    with suppress(OSError):
        while True:
            client, _ = listener.accept()
            threading.Thread(target=_serve, args=(client, context, postgres, stand_in), daemon=True).start()


def _serve(
    client: socket.socket, context: ssl.SSLContext, postgres: tuple[str, int], stand_in: CloudSqlStandIn
) -> None:
    with (
        suppress(OSError),
        context.wrap_socket(client, server_side=True) as near,
        socket.create_connection(postgres) as far,
    ):
        back = threading.Thread(target=_pipe, args=(far, near, stand_in), daemon=True)
        back.start()
        _pipe(near, far, stand_in, answers=False)


def _pipe(source: socket.socket, sink: socket.socket, stand_in: CloudSqlStandIn, *, answers: bool = True) -> None:
    with suppress(OSError, ValueError):
        while content := source.recv(65536):
            if not (answers and stand_in.deaf):
                sink.sendall(content)
    with suppress(OSError):
        sink.shutdown(socket.SHUT_RDWR)
