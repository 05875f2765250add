"""The example package in the real agent: found without being named, and resumed on another VM."""

import io
import uuid
import zipfile
from pathlib import Path

from PIL import Image

from tests.agents import Lab
from tests.cloud import wait_for
from tests.example_package import install
from tests.photos import photograph

SETTINGS = {"columns": 1, "rows": 1, "tile": 256}
PICTURES = 40


def archive() -> bytes:
    """Make an archive of different pictures."""
    out, picture = io.BytesIO(), photograph("coffee")
    with zipfile.ZipFile(out, "w") as made:
        for number in range(PICTURES):
            data = io.BytesIO()
            exif = Image.Exif()
            exif[0x010E] = f"Cup {number}"
            picture.rotate(6 * number).save(data, "JPEG", exif=exif.tobytes())
            made.writestr(f"cups/{number:02}.jpg", data.getvalue())
    return out.getvalue()


def test_a_pipeline_of_a_stranger_goes_on_after_a_power_cut(lab: Lab, tmp_path: Path) -> None:
    """The sheets that one VM has drawn are not drawn again by the next; the result is that of a quiet day."""
    lab.python_path.append(install(tmp_path))
    content = archive()
    job = lab.add("contact-sheets", content, name="cups.zip", **SETTINGS)
    quiet = lab.add("contact-sheets", content, name="cups.zip", announce=0, **SETTINGS)
    steps = f"steps/{job}/"

    first = lab.start()
    wait_for(lambda: len(list(lab.results.list_blobs(prefix=steps))) >= 3, 60, "three steps are stored")
    first.off()
    stored = {blob.name: blob.generation for blob in lab.results.list_blobs(prefix=steps)}
    assert 3 <= len(stored) <= PICTURES

    lab.start()
    lab.wait_for_status(job, "succeeded", seconds=90, tick=True)
    assert lab.outcomes(job) == ["lost", "succeeded"]
    assert lab.attempts(job)[-1].saved_seconds > 0
    assert lab.attempts(job)[-1].steps_stored <= 1 + PICTURES - len(stored), "only what was missing"
    kept = {blob.name: blob.generation for blob in lab.results.list_blobs(prefix=steps)}
    assert not stored.items() - kept.items(), "no step was written again"

    lab.announce(quiet)
    lab.wait_for_status(quiet, "succeeded", seconds=90, tick=True)
    assert (
        lab.job(quiet).result
        == lab.job(job).result
        == {
            "pictures": PICTURES,
            "sheets": PICTURES,
            "first_taken_at": None,
        }
    )
    assert made_by(lab, job) == made_by(lab, quiet)
    assert len(lab.artifacts(job)) == PICTURES + 1


def made_by(lab: Lab, job: uuid.UUID) -> dict[str, object]:
    """Say what a job has published."""
    return {row.kind: (row.crc32c, row.content_type, row.filename, row.metadata) for row in lab.artifacts(job)}
