"""A ZIP of pictures becomes contact sheets, an index of them, and words for search."""

import json
from pathlib import Path
from typing import Any

from spotmill import Job, Passage, PermanentError, RetryableError, pipeline

DEFAULTS: dict[str, Any] = {"columns": 5, "rows": 4, "tile": 320, "labels": "", "language": "en"}

SETTINGS = {
    "type": "object",
    "additionalProperties": False,
    "properties": {
        "columns": {"type": "integer", "minimum": 1, "maximum": 12, "default": DEFAULTS["columns"]},
        "rows": {"type": "integer", "minimum": 1, "maximum": 12, "default": DEFAULTS["rows"]},
        "tile": {"type": "integer", "minimum": 64, "maximum": 1024, "default": DEFAULTS["tile"]},
        "labels": {
            "type": "string",
            "default": DEFAULTS["labels"],
            "description": "Model of the operator's that is the font of the labels; without one, Pillow's.",
        },
        "language": {
            "type": "string",
            "pattern": "^[a-z]{2}$",
            "default": DEFAULTS["language"],
            "description": "Language of the pictures' descriptions, for search.",
        },
    },
}

ARCHIVES = ("application/zip", "application/x-zip-compressed")


@pipeline("contact-sheets", accepts=ARCHIVES, version="1", settings_schema=SETTINGS, max_run_seconds=3600)
def contact_sheets(job: Job) -> None:
    """Draw one sheet a step: a worker that loses its VM goes on at the sheet that was not done."""
    # Here, and not above: a worker loads every pipeline's module when it starts, and Pillow only for those who use it.
    from contact_sheets import archive, sheet  # noqa: PLC0415

    settings = DEFAULTS | dict(job.settings)
    path = job.download()
    font, font_id = None, ""
    if settings["labels"]:
        model = job.model(settings["labels"])  # raises ModelError, which is retryable: the operator can mend it
        if not sheet.is_font(model.path):
            raise RetryableError(f"The model {settings['labels']!r} is no font.")
        font, font_id = model.path, model.id

    # A step's value comes back as JSON: lists and dicts, not tuples and dataclasses.
    pictures = job.step("pictures", archive.list_pictures, path)
    if not pictures:
        raise PermanentError("This archive contains no pictures.")

    count = int(settings["columns"] * settings["rows"])
    parts = [pictures[at : at + count] for at in range(0, len(pictures), count)]
    index = []
    for number, part in enumerate(parts, start=1):
        job.progress((number - 1) / len(parts), f"sheet {number} of {len(parts)}")
        # The key names all that the sheet depends on. Source, settings and version are always part of it.
        file = job.scratch / f"sheet-{number}.jpg"  # one for each: what was published must not be overwritten
        drawn = job.step(f"sheet-{number}-{font_id}", draw, path, part, settings, font, file)
        job.artifact(
            f"sheet-{number:03}",
            drawn,
            content_type="image/jpeg",
            filename=f"sheet-{number:03}.jpg",
            metadata={"pictures": len(part)},
        )
        index += [{**picture, "sheet": number} for picture in part]

    job.artifact("index", json.dumps(index, indent=1).encode(), content_type="application/json")
    job.passages(
        [Passage(each["seconds"], each["seconds"], each["description"]) for each in pictures if each["description"]],
        language=settings["language"],
    )
    job.result(pictures=len(pictures), sheets=len(parts), first_taken_at=pictures[0]["taken_at"])


def draw(path: Path, part: list[dict[str, Any]], settings: dict[str, Any], font: Path | None, file: Path) -> Path:
    """Draw one sheet into ``file``, which is the value of the step."""
    from contact_sheets import archive, sheet  # noqa: PLC0415 - see above

    tiles = ((each["name"], archive.read_picture(path, each["member"])) for each in part)
    sheet.draw(tiles, settings["columns"], settings["tile"], font).save(file, quality=85)
    return file
