"""The scan finds calls of Google's clients however the source comes to them, and only those that a process can make."""

from collections.abc import Callable
from pathlib import Path
from textwrap import dedent

import pytest

from tests.terraform import source_tree
from tests.terraform.api_calls import Found, find_calls
from tests.terraform.permissions import load

Scan = Callable[..., Found]
KNOWN = load()


@pytest.fixture
def scan(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest) -> Scan:
    """Scan modules of a package of this test's own: name to source; the process starts with ``main:start``."""
    package = f"trial_{abs(hash(request.node.name))}"
    monkeypatch.setattr(source_tree, "REPOSITORY", tmp_path)
    monkeypatch.setattr(source_tree, "OURS", (package,))
    (tmp_path / package).mkdir()

    def scanned(**modules: str) -> Found:
        for name, text in modules.items():
            code = dedent(text).replace("HERE", package)
            (tmp_path / package / f"{name}.py").write_text(code, encoding="utf-8")
        return find_calls([f"{package}.main:start"], KNOWN.clients, KNOWN.table["gives"])

    return scanned


def methods(found: Found) -> set[str]:
    """Return what was found, without constructors and what only leads to a call."""
    quiet = {*KNOWN.table["clients"], "storage.Client.bucket", "storage.Bucket.blob"}
    return {call.method for call in found.calls} - quiet


@pytest.mark.parametrize(
    "body",
    {
        "at once": "Client().bucket('b').blob('o').delete()",
        "by a variable": "blob = Client().bucket('b').blob('o'); blob.delete()",
        "in a lambda": "later = lambda: Client().bucket('b').blob('o').delete(); later()",
        "by a reference": "deleting = Client().bucket('b').blob('o').delete; run(deleting)",
        "in a loop": "for blob in [Client().bucket('b').blob('o')]: blob.delete()",
        "in a comprehension": "[blob.delete() for blob in {Client().bucket('b').blob(n) for n in 'ab'}]",
        "through a library": "list(map(run, [Client().bucket('b').blob('o')]))[0].delete()",
        "by either": "blob = None if run(1) else Client().bucket('b').blob('o'); blob.delete()",
        "unpacked": "one, two = 1, Client().bucket('b').blob('o'); two.delete()",
    }.items(),
    ids=lambda item: item[0],
)
def test_ways_to_a_call(body: tuple[str, str], scan: Scan) -> None:
    """However a blob comes to be deleted, it is seen."""
    found = scan(main=f"from google.cloud.storage import Client\n\ndef start(run):\n    {body[1]}\n")
    assert methods(found) == {"storage.Blob.delete"}


def test_other_modules(scan: Scan) -> None:
    """Calls are followed through modules, properties, attributes, parameters and methods."""
    found = scan(
        main="""
            from HERE.parts import Parts

            def start():
                use(Parts("p"))

            def use(parts: "Parts"):
                parts.keep().work()
            """,
        parts="""
            from functools import cached_property
            from typing import Any

            from HERE import store

            class Parts:
                def __init__(self, project):
                    self._store = store.open(self.client)

                @cached_property
                def client(self) -> Any:
                    from google.cloud.storage import Client

                    return Client()

                def keep(self):
                    return self._store
            """,
        store="""
            def open(client) -> "Store":
                return Store(client)

            class Store:
                def __init__(self, client):
                    self._bucket = None

                def work(self):
                    from google.pubsub_v1 import PublisherClient
                    PublisherClient.publish(PublisherClient(), topic="t")
            """,
    )
    assert methods(found) == {"pubsub.Publisher.publish"}


def test_imported_by_name(scan: Scan) -> None:
    """A client that is imported with a text is one all the same."""
    found = scan(
        main="""
            import importlib
            from typing import Any

            _PACKAGE = "google.cloud"

            def load() -> tuple[Any, int]:
                return importlib.import_module(f"{_PACKAGE}.storage").Client, 1

            def start():
                client, _ = load()
                client().list_blobs("b")
            """
    )
    assert methods(found) == {"storage.Client.list_blobs"}


def test_what_nobody_calls(scan: Scan) -> None:
    """A function that the process cannot come to does not count, though its module is loaded."""
    found = scan(
        main="""
            from google.cloud.storage import Client

            def start():
                return Client().bucket("b")

            def never():
                start().delete()
            """
    )
    assert not methods(found)


def test_handlers(scan: Scan) -> None:
    """A function that a decorator hands to a framework counts as called."""
    found = scan(
        main="""
            import flask
            from google.cloud.storage import Client

            pages = flask.Blueprint("pages", __name__)

            def start():
                return pages

            @pages.get("/")
            def show():
                return Client().bucket("b").get_blob("o")
            """
    )
    assert methods(found) == {"storage.Bucket.get_blob"}


def test_an_unknown_call_has_a_sentence(scan: Scan) -> None:
    """A call that the table does not know makes a sentence that says what to do."""
    from tests.terraform.call_checks import unknown_calls  # noqa: PLC0415 - read by this test alone

    found = scan(
        main="""
            from google.cloud.storage import Client
            from google.cloud.storage import Notification

            def start():
                Client().bucket("b").make_public()
            """
    )
    (wrong,) = unknown_calls(KNOWN, {"web": found})
    assert "main.start uses storage.Bucket.make_public, which tests/terraform/permissions.yaml does not know" in wrong
    assert "add it to `methods`" in wrong


def test_a_riddle(scan: Scan) -> None:
    """A call on what cannot be told is reported, and reaches every method of that name."""
    found = scan(
        main="""
            from google.cloud.storage import Client

            class Broom:
                def delete(self):
                    Client().bucket("b").blob("o").delete()

            def start(anything):
                Broom
                anything.delete()
            """
    )
    assert [riddle.name for riddle in found.riddles] == ["delete"]
    assert methods(found) == {"storage.Blob.delete"}
