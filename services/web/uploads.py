"""Permission to upload one file: its name in the bucket, and a URL that is good for nothing else."""

import re
import uuid
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from types import MappingProxyType
from typing import Any

from sqlalchemy import Connection

from services.web.backends import Backends
from services.web.problems import unprocessable
from services.web.shapes import MEDIA_TYPE, NewUpload, Upload
from services.web.views import Person
from shared.objects import OWNER_METADATA, PIPELINE_METADATA, SETTINGS_METADATA, settings_metadata, upload_name
from shared.routing import content_type_of, installed_offers

_CONTENT_TYPE = re.compile(MEDIA_TYPE)


def object_metadata(
    person: Person, pipeline: str | None, settings: Mapping[str, Any] = MappingProxyType({})
) -> dict[str, str]:
    """Return what travels with the object: whose it is, what it is for, and with which settings."""
    return (
        {OWNER_METADATA: person.email}
        | ({PIPELINE_METADATA: pipeline} if pipeline else {})
        | ({SETTINGS_METADATA: settings_metadata(settings)} if settings else {})
    )


def check_pipeline(connection: Connection, pipeline: str | None) -> None:
    """Refuse a pipeline that the workers do not have.

    Raises:
        Problem: 422; the text names those that there are.
    """
    if pipeline is None:
        return
    names = [offer.name for offer in installed_offers(connection)]
    if pipeline not in names:
        known = ", ".join(names) or "none"
        raise unprocessable("/pipeline", f"There is no pipeline of this name. Installed: {known}.")


def checked_content_type(claimed: str, filename: str) -> str:
    """Return the type under which the file is stored.

    Raises:
        Problem: 422, this is no media type.
    """
    claimed = claimed.strip()
    if claimed and not _CONTENT_TYPE.fullmatch(claimed):
        raise unprocessable("/content_type", "This is no media type such as image/jpeg.")
    guessed = content_type_of(claimed, filename)
    return claimed if claimed.partition(";")[0].strip().lower() == guessed else guessed


def permit(wish: NewUpload, person: Person, backends: Backends) -> Upload:
    """Sign the URL for one file.

    Raises:
        Problem: 422, what is wrong with the wish.
    """
    settings = backends.settings
    if wish.size > settings.upload_max_bytes:
        raise unprocessable("/size", f"Files may have {settings.upload_max_bytes} bytes at most.")
    content_type = checked_content_type(wish.content_type, wish.filename)
    now = datetime.now(UTC)
    upload_id = uuid.uuid4()
    name = upload_name(wish.filename, upload_id, now)
    headers = {
        "Content-Type": content_type,
        "x-goog-if-generation-match": "0",
        "x-goog-content-length-range": f"0,{wish.size}",
    } | {f"x-goog-meta-{key}": value for key, value in object_metadata(person, wish.pipeline, wish.settings).items()}
    put = wish.size <= settings.upload_put_max_bytes
    method = "PUT" if put else "POST"
    if not put:
        headers["x-goog-resumable"] = "start"
    return Upload(
        upload_id=upload_id,
        bucket=settings.upload_bucket,
        object=name,
        protocol="put" if put else "resumable",
        method="PUT" if put else "POST",
        url=backends.links.signer.upload(settings.upload_bucket, name, method=method, headers=headers),
        headers=headers,
        expires_at=now + timedelta(seconds=settings.signed_url_seconds),
    )
