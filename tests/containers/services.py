"""Services whose image runs as Cloud Run would run it: a port in the environment, no disk, no privileges."""

import shutil
import socket
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from http.client import HTTPResponse
from pathlib import Path
from urllib.error import HTTPError, URLError

from tests.cloud import Cloud, wait_for
from tests.containers.engine import Container, Image

START_SECONDS = 60.0
#: A file system that cannot be written to, but for the temporary folder that Cloud Run gives, too.
NO_DISK = ("--cap-drop", "ALL", "--security-opt", "no-new-privileges", "--read-only", "--tmpfs", "/tmp:rw,size=64m")  # noqa: S108


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port: int = listener.getsockname()[1]
        return port


def told(cloud: Cloud, process: str) -> dict[str, str]:
    """What the local cloud tells its own process of this kind."""
    lines = (cloud.data_dir / "env" / f"{process}.env").read_text().splitlines()
    return dict(line.split("=", 1) for line in lines)


def ask(url: str, data: bytes | None = None, headers: Mapping[str, str] | None = None) -> tuple[int, bytes]:
    """Send a request; return status and body, whatever they are."""
    request = urllib.request.Request(url, data, dict(headers or {}))
    try:
        answer: HTTPResponse
        with urllib.request.urlopen(request, timeout=30) as answer:
            return answer.status, answer.read()
    except HTTPError as error:
        return error.code, error.read()


@contextmanager
def serving(image: Image, environment: Mapping[str, str], *options: str) -> Iterator[tuple[Container, str]]:
    """Start an image on a port; give it and its address when it answers."""
    port = free_port()
    url = f"http://127.0.0.1:{port}"
    own = {"PORT": str(port), "HOST": "127.0.0.1", "SPOTMILL_WEB_URL": url}
    with image.running(*NO_DISK, *options, environment={**environment, **own}) as container:

        def answers() -> bool:
            assert container.running, container.log()
            try:
                return ask(f"{url}/health")[0] > 0
            except (URLError, ConnectionError):
                return False

        wait_for(answers, START_SECONDS, f"{image.name} answers")
        yield container, url


@contextmanager
def web_service(image: Image, cloud: Cloud, folder: Path) -> Iterator[tuple[Container, str]]:
    """The web image in the local cloud, for its development user."""
    key = folder / "signer-key.json"  # where the image's user may read it
    shutil.copyfile(told(cloud, "web")["SPOTMILL_SIGNER_KEY"], key)
    key.chmod(0o644)
    environment = told(cloud, "web") | {"SPOTMILL_SIGNER_KEY": "/signer-key.json"}
    with serving(image, environment, "--volume", f"{key}:/signer-key.json:ro") as found:
        yield found
