# ruff: noqa: INP001, S101 - pytest finds tests by their files, and they assert
"""The pipeline, without a mill: ``spotmill.testing`` is all that it takes."""

import io
import json
import zipfile
from collections.abc import Mapping
from pathlib import Path

import pytest
from contact_sheets.pipeline import contact_sheets
from PIL import Image, ImageFont

from spotmill import Model, ModelError, PermanentError, RetryableError
from spotmill.testing import DirectoryJob, assert_resumable


def picture(colour: str, *, taken: str = "", description: str = "", size: tuple[int, int] = (90, 60)) -> bytes:
    """Make a JPEG as a camera would."""
    exif = Image.Exif()
    if description:
        exif[0x010E] = description
    if taken:
        exif.get_ifd(0x8769)[0x9003] = taken
    out = io.BytesIO()
    Image.new("RGB", size, colour).save(out, "JPEG", exif=exif.tobytes())
    return out.getvalue()


def archive(path: Path, members: Mapping[str, bytes]) -> Path:
    """Write a ZIP."""
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as made:
        for name, data in members.items():
            made.writestr(name, data)
    return path


DAY = {
    "b/second.jpg": picture("blue", taken="2025:06:01 10:00:30", description="The harbour at noon"),
    "a/first.jpg": picture("red", taken="2025:06:01 10:00:00"),
    "c/third.jpg": picture("green", taken="2025:06:01 10:02:00", description="Ships"),
    "notes.txt": b"not a picture",
    "__MACOSX/a/._first.jpg": b"what macOS adds",
    "d/broken.jpg": b"\xff\xd8\xff\xe0 no",
}


def test_pictures_come_in_order_of_time(tmp_path: Path) -> None:
    """The index says what is on which sheet; the sheets show it; search finds what photographers wrote."""
    job = DirectoryJob(archive(tmp_path / "day.zip", DAY), tmp_path / "job", {"columns": 2, "rows": 1, "tile": 64})
    assert job.run(contact_sheets)
    assert job.results == {"pictures": 3, "sheets": 2, "first_taken_at": "2025-06-01T10:00:00"}
    index = json.loads(job.artifacts["index"].data)
    assert [(each["name"], each["sheet"]) for each in index] == [("first.jpg", 1), ("second.jpg", 1), ("third.jpg", 2)]
    assert [(said.start, said.text) for said in job.said] == [(30.0, "The harbour at noon"), (120.0, "Ships")]
    with Image.open(io.BytesIO(job.artifacts["sheet-001"].data)) as sheet:
        red, blue = (sheet.convert("RGB").getpixel((12 + 32 + 76 * column, 12 + 32)) for column in range(2))
    assert isinstance(red, tuple)
    assert isinstance(blue, tuple)
    assert red[0] - red[2] > 200
    assert blue[2] - blue[0] > 200


def test_a_job_goes_on_where_its_vm_was_taken(tmp_path: Path) -> None:
    """Interrupted after each step, it runs none twice and comes to the same sheets."""
    job = assert_resumable(
        contact_sheets, archive(tmp_path / "day.zip", DAY), tmp_path, settings={"columns": 1, "rows": 1}
    )
    assert job.ran == ["pictures", "sheet-1-", "sheet-2-", "sheet-3-"]


def test_progress_names_the_sheet(tmp_path: Path) -> None:
    """People see which sheet is being drawn."""
    job = DirectoryJob(archive(tmp_path / "day.zip", DAY), tmp_path / "job", {"columns": 1, "rows": 1})
    job.run(contact_sheets)
    assert job.stages == [(0.0, "sheet 1 of 3"), (1 / 3, "sheet 2 of 3"), (2 / 3, "sheet 3 of 3")]


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        (b"Dear all", "This file is no ZIP archive, or it is damaged."),
        (None, "This archive contains no pictures."),
    ],
)
def test_what_can_never_work_is_said_once(tmp_path: Path, content: bytes | None, sentence: str) -> None:
    """A file that will not be better tomorrow fails at once, in words for the person who uploaded it."""
    path = archive(tmp_path / "day.zip", {"notes.txt": b"none"})
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(PermanentError, match=f"^{sentence}$"):
        DirectoryJob(path, tmp_path / "job").run(contact_sheets)


def test_bombs_are_passed_over(tmp_path: Path) -> None:
    """A picture that claims more pixels, or unpacks to more bytes, than is allowed is left out; the rest is drawn."""
    boasting = bytearray(picture("red"))
    at = boasting.index(b"\xff\xc0")
    boasting[at + 5 : at + 9] = b"\xff\xdc\xff\xdc"
    members = {"bomb.jpg": bytes(101 * 2**20), "boast.jpg": bytes(boasting), "fine.jpg": picture("red")}
    job = DirectoryJob(archive(tmp_path / "day.zip", members), tmp_path / "job")
    job.run(contact_sheets)
    assert job.results["pictures"] == 1


def test_the_labels_font_is_the_operators(tmp_path: Path) -> None:
    """A model that is missing, or no font, is not the file's fault: the job is tried again later."""
    path = archive(tmp_path / "day.zip", DAY)
    font = ImageFont.load_default(14)
    assert isinstance(font, ImageFont.FreeTypeFont)
    (tmp_path / "font.ttf").write_bytes(font.font_bytes)
    (tmp_path / "text.ttf").write_text("no font")
    models = {"house": Model(tmp_path / "font.ttf", "1a2b"), "text": Model(tmp_path / "text.ttf", "3c4d")}
    job = DirectoryJob(path, tmp_path / "job", {"labels": "house"}, models=models)
    job.run(contact_sheets)
    assert job.ran == ["pictures", "sheet-1-1a2b"]
    with pytest.raises(RetryableError, match="The model 'text' is no font"):
        DirectoryJob(path, tmp_path / "other", {"labels": "text"}, models=models).run(contact_sheets)
    with pytest.raises(ModelError):
        DirectoryJob(path, tmp_path / "third", {"labels": "missing"}).run(contact_sheets)


def test_settings_are_checked_against_the_schema(tmp_path: Path) -> None:
    """What the schema forbids never reaches the pipeline."""
    job = DirectoryJob(archive(tmp_path / "day.zip", DAY), tmp_path / "job", {"columns": 0})
    with pytest.raises(ValueError, match="columns: 0 is not a whole number from 1 to 12"):
        job.run(contact_sheets)
