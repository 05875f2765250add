"""A file goes straight to Cloud Storage with a permission that is good for nothing else."""

import io
from typing import Any

import pytest
import requests
from PIL import Image

from tests.cloud import wait_for
from tests.web import API, PUBLIC_URL, Person, Web

JPEG = "image/jpeg"


@pytest.fixture(scope="module")
def photo() -> bytes:
    """A small but real JPEG."""
    file = io.BytesIO()
    Image.new("RGB", (64, 48), "teal").save(file, "JPEG")
    return file.getvalue()


def permission(person: Person, size: int, filename: str = "a photo.jpg", **more: Any) -> Any:
    wish = {"filename": filename, "content_type": JPEG, "size": size} | more
    answer = person.post(f"{API}/uploads", json=wish)
    assert answer.status_code == 201, answer.text
    return answer.get_json()


def test_a_small_file_goes_up_in_one_put_and_becomes_a_job(web: Web, photo: bytes) -> None:
    """The owner travels with the object, and within a second or two the job is in the owner's list."""
    ada, bob = web.person(), web.person()
    given = permission(ada, len(photo))
    assert (given["protocol"], given["method"]) == ("put", "PUT")
    assert given["object"].endswith(f"/{given['upload_id']}/a photo.jpg")
    answer = requests.put(given["url"], data=photo, headers=given["headers"], timeout=10)
    assert answer.status_code == 200, answer.text
    blob = web.cloud.uploads.get_blob(given["object"])
    assert blob.metadata == {"owner": ada.email}
    assert blob.content_type == JPEG
    wait_for(lambda: ada.names("q=a photo"), what="the job is in the list")
    assert bob.names("q=a photo") == []


def test_what_arrived_is_never_overwritten(web: Web, photo: bytes) -> None:
    """Sending the same again is answered 412, which means that it is there already; so is somebody else's content."""
    ada = web.person()
    given = permission(ada, len(photo))
    assert requests.put(given["url"], data=photo, headers=given["headers"], timeout=10).status_code == 200
    assert requests.put(given["url"], data=photo, headers=given["headers"], timeout=10).status_code == 412
    assert requests.put(given["url"], data=b"other", headers=given["headers"], timeout=10).status_code == 412
    assert web.cloud.uploads.blob(given["object"]).download_as_bytes() == photo


@pytest.mark.parametrize(
    "changes",
    [
        {"x-goog-meta-owner": "bob@example.org"},
        {"x-goog-if-generation-match": "7"},
        {"x-goog-content-length-range": "0,999999999"},
        {"Content-Type": "text/html"},
        {"x-goog-meta-pipeline": "expensive"},
    ],
    ids=str,
)
def test_a_permission_cannot_be_bent(web: Web, photo: bytes, changes: dict[str, str]) -> None:
    """Another owner, type, length, precondition or pipeline than was signed is refused by Cloud Storage."""
    given = permission(web.person(), len(photo))
    answer = requests.put(given["url"], data=photo, headers=given["headers"] | changes, timeout=10)
    assert answer.status_code in {400, 403}
    assert web.cloud.uploads.get_blob(given["object"]) is None


def test_more_than_was_announced_is_refused(web: Web, photo: bytes) -> None:
    """The length is part of the permission."""
    given = permission(web.person(), len(photo))
    answer = requests.put(given["url"], data=photo + b"more", headers=given["headers"], timeout=10)
    assert answer.status_code == 400
    assert web.cloud.uploads.get_blob(given["object"]) is None


def test_a_large_file_goes_up_in_a_session_that_resumes(web: Web) -> None:
    """Above 8 MiB the permission opens a resumable session; after half of it, the rest is enough."""
    ada = web.person()
    body = bytes(range(256)) * (36 * 1024)  # 9 MiB
    given = permission(ada, len(body), filename="film.mp4", content_type="video/mp4")
    assert (given["protocol"], given["method"]) == ("resumable", "POST")
    opened = requests.post(given["url"], headers=given["headers"], timeout=10)
    assert opened.status_code == 201, opened.text
    session = opened.headers["Location"]
    half = 4 * 1024**2
    first = requests.put(
        session, data=body[:half], headers={"Content-Range": f"bytes 0-{half - 1}/{len(body)}"}, timeout=10
    )
    assert (first.status_code, first.headers["Range"]) == (308, f"bytes=0-{half - 1}")
    rest = {"Content-Range": f"bytes {half}-{len(body) - 1}/{len(body)}"}
    assert requests.put(session, data=body[half:], headers=rest, timeout=10).status_code == 200
    blob = web.cloud.uploads.get_blob(given["object"])
    assert (blob.size, blob.metadata) == (len(body), {"owner": ada.email})


def test_the_chosen_pipeline_travels_with_the_file(web: Web, photo: bytes) -> None:
    """A pipeline that is installed is signed into the object's metadata; another is refused, with the names."""
    ada = web.person()
    given = permission(ada, len(photo), pipeline="image")
    assert given["headers"]["x-goog-meta-pipeline"] == "image"
    requests.put(given["url"], data=photo, headers=given["headers"], timeout=10).raise_for_status()
    wait_for(lambda: ada.names("pipeline=image"), what="the job is in the list")
    refused = ada.post(f"{API}/uploads", json={"filename": "a.jpg", "size": 1, "pipeline": "none such"})
    assert refused.status_code == 422
    assert "image" in refused.get_json()["detail"]


def test_settings_travel_with_the_file(web: Web, photo: bytes) -> None:
    """They are signed into the object's metadata and reach the job as they were given, whatever letters they have."""
    ada = web.person()
    settings = {"webp_quality": 40, "title": 'Grüße  aus   "Köln"\x7f, 日本'}
    given = permission(ada, len(photo), "set.jpg", pipeline="image", settings=settings)
    requests.put(given["url"], data=photo, headers=given["headers"], timeout=10).raise_for_status()
    wait_for(lambda: ada.names("q=set.jpg"), what="the job is in the list")
    [job] = ada.api("/jobs?q=set.jpg")["jobs"]
    assert ada.api(f"/jobs/{job['id']}")["settings"] == settings
    again = permission(ada, len(photo), "set.jpg", settings={"webp_quality": 40})
    bent = again["headers"] | {"x-goog-meta-settings": '{"webp_quality": 100}'}
    assert requests.put(again["url"], data=photo, headers=bent, timeout=10).status_code == 403


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ('{"a": 1e999}', "a number that is too large"),
        ('{"a": "\\u0000"}', "a character that no text may have"),
        ('{"a": ' + 120 * "[" + 120 * "]" + "}", "more than 100 levels deep"),
        ('{"a": "' + 7000 * "x" + '"}', "7000 at most"),
        ("[1]", "an object"),
    ],
)
def test_settings_that_no_file_can_carry_are_refused(web: Web, settings: str, said: str) -> None:
    """What a file's metadata or the database cannot hold is refused at once, with the reason."""
    body = f'{{"filename": "a.jpg", "size": 1, "settings": {settings}}}'
    refused = web.person().post(f"{API}/uploads", data=body, content_type="application/json")
    assert refused.status_code == 422, refused.text
    assert [error["pointer"] for error in refused.get_json()["errors"]] == ["/settings"]
    assert said in refused.get_json()["detail"]


def test_a_type_that_the_browser_does_not_know_is_judged_by_the_name(web: Web) -> None:
    """Many browsers have no type for HEIC photographs."""
    for claimed in ("", "application/octet-stream"):
        given = permission(web.person(), 5, filename="IMG_1.HEIC", content_type=claimed)
        assert given["headers"]["Content-Type"] == "image/heic"


@pytest.mark.parametrize(
    "filename", ["../../etc/passwd", "C:\\Users\\x\\evil\r\nname.jpg", "a/b/c.jpg", "  .jpg", "日本.jpg"]
)
def test_any_file_name_makes_a_safe_object_name(web: Web, photo: bytes, filename: str) -> None:
    """Paths and control characters are dropped, letters of any script are kept, and the upload works."""
    given = permission(web.person(), len(photo), filename=filename)
    hour, upload_id, name = given["object"].split("/")
    assert len(hour) == len("20251203T15Z")
    assert upload_id == given["upload_id"]
    assert name.isprintable()
    assert requests.put(given["url"], data=photo, headers=given["headers"], timeout=10).status_code == 200


def send(person: Person, body: bytes, filename: str, content_type: str, **fields: str) -> Any:
    return person.post(
        "/upload", data={"file": (io.BytesIO(body), filename, content_type)} | fields, headers={"Origin": PUBLIC_URL}
    )


def test_the_plain_form_stores_a_file_for_its_owner(web: Web, photo: bytes) -> None:
    """Without script one file goes through the service, and the list says that it arrived."""
    ada, bob = web.person(), web.person()
    answer = send(ada, photo, "form photo.jpg", JPEG)
    assert answer.status_code == 303
    assert "stored" in ada.get(answer.headers["Location"]).text
    wait_for(lambda: ada.names("q=form photo"), what="the job is in the list")
    assert bob.names("q=form photo") == []
    [job] = ada.api("/jobs?q=form photo")["jobs"]
    assert (job["content_type"], job["pipeline"], job["size_bytes"]) == (JPEG, "image", len(photo))


@pytest.mark.parametrize(
    ("body", "filename", "content_type", "words"),
    [
        (b"this is text", "photo.jpg", JPEG, "intact JPEG"),
        (b"", "photo.jpg", JPEG, "empty"),
        (b"x", "", JPEG, "Choose a file"),
        (b"<svg/>", "photo.png", "image/png", "intact PNG"),
    ],
)
def test_the_plain_form_refuses_what_is_no_image(
    web: Web, body: bytes, filename: str, content_type: str, words: str
) -> None:
    """A text named like a photograph, an empty file and no file at all are answered in words a person understands."""
    answer = send(web.person(), body, filename, content_type)
    assert (answer.status_code, answer.mimetype) == (422, "text/html")
    assert words in answer.text


def test_the_plain_form_refuses_a_decompression_bomb(web: Web) -> None:
    """A few kilobytes that unfold to hundreds of megapixels are refused by their header alone."""
    file = io.BytesIO()
    Image.new("1", (20_000, 20_000)).save(file, "PNG")
    answer = send(web.person(), file.getvalue(), "bomb.png", "image/png")
    assert answer.status_code == 422
    assert "too many pixels" in answer.text


def test_the_plain_form_has_a_limit(web: Web) -> None:
    """A file above the form's limit is refused, and so is a body that could not hold one below it."""
    ada = web.person(app=web.make(form_upload_max_bytes=1000))
    for size in (1001, 200_000):
        answer = send(ada, b"x" * size, "notes.txt", "text/plain")
        assert (answer.status_code, answer.mimetype) == (413, "text/html")


def test_a_storage_that_is_away_is_said_so(web: Web, photo: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    """The form says that the file was not stored; signing for the API needs no storage."""
    monkeypatch.setenv("STORAGE_EMULATOR_HOST", "http://127.0.0.1:9")
    monkeypatch.setattr("services.web.form_upload._RETRY_SECONDS", 1)
    ada = web.person(app=web.make())
    answer = send(ada, photo, "photo.jpg", JPEG)
    assert (answer.status_code, answer.mimetype) == (503, "text/html")
    assert "not stored" in answer.text
    assert permission(ada, 5)["url"]
