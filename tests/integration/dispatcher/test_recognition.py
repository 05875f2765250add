"""A type that leads to no pipeline: the first bytes are asked, and only they lead to another one."""

import pytest

from services.dispatcher.handlers import deleted
from services.dispatcher.intake import resource_of, take_in
from services.dispatcher.recording import Arrival
from shared.messages import StorageObject
from tests.dispatch import Dispatch

#: What Chromium on Linux says of a film that is named ``.ts``: a translation for Qt.
LINGUIST = "text/vnd.trolltech.linguist"
REFUSED = f"No installed pipeline accepts {LINGUIST} files."
FILM = (b"\x47" + bytes(187)) * 30
GIF = b"GIF89a and so on"
WORDS = b"\x8f\x02 nothing known"


@pytest.fixture
def films(dispatch: Dispatch) -> Dispatch:
    """A dispatcher that knows a pipeline for films and one for certain texts."""
    dispatch.change(
        "INSERT INTO pipelines VALUES ('video', '1', '{video/*}', '{}'), ('words', '1', '{text/x-w}', '{}')"
    )
    return dispatch


def upload(dispatch: Dispatch, name: str, body: bytes, content_type: str, **metadata: str) -> StorageObject:
    blob = dispatch.uploads.blob(name)
    blob.metadata = metadata or None
    blob.upload_from_string(body, content_type=content_type)
    blob.reload()
    return resource_of(blob)


@pytest.mark.parametrize(
    ("name", "body", "declared", "becomes"),
    [
        ("film.ts", FILM, LINGUIST, ("video", "video/mp2t", None)),
        ("film", FILM, "application/octet-stream", ("video", "video/mp2t", None)),
        ("a.ts", WORDS, LINGUIST, ("none", LINGUIST, REFUSED)),
        ("a.ts", GIF, LINGUIST, ("none", LINGUIST, REFUSED)),
        ("a.txt", FILM, "text/x-w", ("words", "text/x-w", None)),
    ],
)
def test_a_type_that_no_pipeline_accepts_gives_way_to_the_first_bytes(
    films: Dispatch, name: str, body: bytes, declared: str, becomes: tuple[str, str, str | None]
) -> None:
    """They count only where they lead to a pipeline and the declared type does not, however often it is announced."""
    arrival = Arrival(upload(films, name, body, declared))
    for backends in (films.own, films.own, films.backends()):
        take_in(backends, [arrival])
    [job] = films.rows("SELECT * FROM jobs")
    assert (job.pipeline, job.content_type, job.error) == becomes


def test_a_pipeline_that_was_asked_for_gets_the_declared_type(films: Dispatch) -> None:
    """Whoever names a pipeline knows what the file is."""
    take_in(films.own, [Arrival(upload(films, "a.ts", FILM, LINGUIST, pipeline="words"))])
    take_in(films.own, [Arrival(upload(films, "b.ts", FILM, LINGUIST), pipeline="words")])
    assert {(job.pipeline, job.content_type) for job in films.rows("SELECT * FROM jobs")} == {("words", LINGUIST)}


def test_a_pipeline_that_comes_later_is_noticed(films: Dispatch) -> None:
    """A dispatcher that runs already does not overrule a type that is accepted from now on."""
    take_in(films.own, [Arrival(upload(films, "a.ts", FILM, LINGUIST))])
    films.change("INSERT INTO pipelines VALUES ('linguist', '1', '{text/vnd.trolltech.linguist}', '{}')")
    take_in(films.own, [Arrival(upload(films, "b.ts", FILM, LINGUIST))])
    assert [job.pipeline for job in films.rows("SELECT * FROM jobs ORDER BY object")] == ["video", "linguist"]


def test_one_that_is_gone_before_it_is_announced_keeps_its_type(films: Dispatch) -> None:
    """There is nothing to look into; its announcement, late, finds the job over."""
    resource = upload(films, "film.ts", FILM, LINGUIST)
    films.uploads.delete_blob("film.ts")
    deleted.handle(films.own, resource)
    take_in(films.own, [Arrival(resource)])
    [job] = films.rows("SELECT * FROM jobs")
    assert (job.pipeline, job.content_type) == ("none", LINGUIST)
    assert job.status in {"failed", "superseded"}
