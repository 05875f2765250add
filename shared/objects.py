"""Objects in Cloud Storage: how they are named, which are ignored, and how uploads are named."""

import json
import re
import unicodedata
import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

#: Metadata of an uploaded object that says whose it is, which pipeline it is for, and with which settings.
OWNER_METADATA = "owner"
PIPELINE_METADATA = "pipeline"
SETTINGS_METADATA = "settings"
#: Most bytes of settings that an object carries. All its metadata may have 8 KiB, names and owner included
#: (https://cloud.google.com/storage/quotas#objects).
SETTINGS_MAX_BYTES = 7000

_BUCKET = re.compile(r"[a-z0-9][a-z0-9._-]{1,220}[a-z0-9]")
#: The form of ``upload_name``.
_UPLOAD = re.compile(r"\d{8}T\d{2}Z/[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}/[^/]+")
#: Cloud Storage counts generations in 64 bits.
LARGEST_GENERATION = 2**63 - 1
#: Endings that browsers and transfer tools give to files they have not finished.
_UNFINISHED = (".part", ".partial", ".crdownload", ".tmp", ".gstmp", "_.gstmp")


@dataclass(frozen=True, slots=True)
class ObjectName:
    """``gs://bucket/name``, perhaps with a generation."""

    bucket: str
    name: str
    generation: int | None = None

    @property
    def uri(self) -> str:
        """``gs://bucket/name`` without the generation."""
        return f"gs://{self.bucket}/{self.name}"


def parse_uri(uri: str) -> ObjectName:
    """Read ``gs://bucket/name`` or ``gs://bucket/name#generation``.

    Raises:
        ValueError: it is not such a URI; the message says why.
    """
    if not uri.startswith("gs://"):
        raise ValueError(f"{uri!r} does not start with gs://")
    bucket, _, name = uri.removeprefix("gs://").partition("/")
    if not _BUCKET.fullmatch(bucket):
        raise ValueError(f"{uri!r} names no valid bucket")
    generation = None
    if match := re.fullmatch(r"(.+)#(\d{1,19})", name):
        name, generation = match[1], int(match[2])
        if generation > LARGEST_GENERATION:
            raise ValueError(f"{uri!r} names no object: there is no generation above {LARGEST_GENERATION}")
    if not name or len(name.encode()) > 1024 or re.search(r"[\0\r\n]", name):
        raise ValueError(f"{uri!r} names no object (1 to 1024 bytes, no NUL and no line break)")
    return ObjectName(bucket, name, generation)


def is_ignored(name: str) -> bool:
    """Tell whether an object is no upload: a folder marker, the unfinished file of a transfer tool, or nameless.

    What came through our own doors is whole, whatever the person calls it. A name with a NUL can be written down
    nowhere.
    """
    unfinished = name.lower().endswith(_UNFINISHED) or "gcs.resumable" in name
    return name.endswith("/") or "\0" in name or (unfinished and not _UPLOAD.fullmatch(name))


def safe_filename(filename: str) -> str:
    """Make a file name that is safe in object names, headers and on every file system, and still readable."""
    base = unicodedata.normalize("NFC", filename).rsplit("/", 1)[-1]
    if re.match(r"[A-Za-z]:\\", base):
        base = base.rsplit("\\", 1)[-1]
    base = re.sub(r"[\x00-\x1f\x7f\"#%&*:;<>?\[\\\]^`{|}]", "_", base)
    base = re.sub(r"\s+", " ", base).strip(" .")
    stem, dot, extension = base.rpartition(".")
    if not dot or len(extension.encode()) > 16:
        stem, dot, extension = base, "", ""
    stem_bytes = stem.encode()[: 180 - len((dot + extension).encode())]
    return (stem_bytes.decode(errors="ignore") + dot + extension) or "file"


def upload_name(filename: str, upload_id: uuid.UUID, now: datetime) -> str:
    """Name a new upload: ``<UTC hour as 20251203T15Z>/<upload id>/<safe filename>``."""
    return f"{now.astimezone(UTC):%Y%m%dT%HZ}/{upload_id}/{safe_filename(filename)}"


def settings_metadata(settings: Mapping[str, Any]) -> str:
    """Write settings as an object carries them: JSON that a header may hold and that no proxy or signature changes.

    Raises:
        ValueError: there are too many.
    """
    written = json.dumps(dict(settings)).replace("  ", " \\u0020").replace("\x7f", "\\u007f")
    if len(written) > SETTINGS_MAX_BYTES:
        raise ValueError(f"These settings have {len(written)} bytes; with a file go {SETTINGS_MAX_BYTES} at most.")
    return written


def attempt_prefix(job_id: uuid.UUID, attempt: int) -> str:
    """Prefix of one attempt's outputs in the result bucket."""
    return f"{job_id}/{attempt}/"


def steps_prefix(job_id: uuid.UUID) -> str:
    """Prefix of a job's stored steps in the result bucket."""
    return f"steps/{job_id}/"
