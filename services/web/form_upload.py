"""The plain form for browsers without script: one file through this service, checked before it is stored."""

import uuid
import warnings
from datetime import UTC, datetime

from google.api_core.exceptions import PreconditionFailed
from google.cloud.storage.retry import DEFAULT_RETRY
from PIL import Image, UnidentifiedImageError
from werkzeug.datastructures import FileStorage

from services.web.backends import Backends
from services.web.cloud_errors import CLOUD_ERRORS
from services.web.problems import Problem, unavailable, unprocessable
from services.web.uploads import check_pipeline, checked_content_type, object_metadata
from services.web.views import Person
from shared.objects import upload_name

#: Images that Pillow reads without a plug-in; the workers check every other type.
_CHECKED = {
    "image/jpeg": "JPEG",
    "image/png": "PNG",
    "image/webp": "WEBP",
    "image/gif": "GIF",
    "image/tiff": "TIFF",
    "image/avif": "AVIF",
}
_MOST_PIXELS = 200_000_000
#: A person waits for the answer.
_RETRY_SECONDS = 20


def check_image(file: FileStorage, content_type: str) -> None:
    """Look into an image without decoding all of it, with no other decoder than its type's.

    Raises:
        Problem: 422, it is none, is broken, or unfolds to too many pixels.
    """
    kind = _CHECKED.get(content_type)
    if kind is None:
        return
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", Image.DecompressionBombWarning)
            with Image.open(file.stream, formats=[kind]) as image:
                width, height = image.size
                if width * height > _MOST_PIXELS:
                    raise unprocessable("/file", f"The image has {width} by {height} pixels, which is too many.")
                image.verify()
    except Image.DecompressionBombError:
        raise unprocessable("/file", "The image has too many pixels.") from None
    except (UnidentifiedImageError, OSError, SyntaxError, ValueError):
        raise unprocessable("/file", f"This is no intact {kind} image.") from None
    finally:
        file.stream.seek(0)


def store(backends: Backends, person: Person, file: FileStorage | None, pipeline: str | None) -> str:
    """Store a form's file in the upload bucket and return its name there.

    Raises:
        Problem: 422, what is wrong with the file; 503, Cloud Storage does not take it now.
    """
    if file is None or not file.filename:
        raise unprocessable("/file", "Choose a file first.")
    with backends.transaction(person) as connection:
        check_pipeline(connection, pipeline)
    size_bytes = file.stream.seek(0, 2)
    file.stream.seek(0)
    if not size_bytes:
        raise unprocessable("/file", "The file is empty.")
    if size_bytes > backends.settings.form_upload_max_bytes:
        raise Problem(413, "Too large", f"This form takes {backends.settings.form_upload_max_bytes} bytes at most.")
    content_type = checked_content_type(file.content_type or "", file.filename)
    check_image(file, content_type)
    name = upload_name(file.filename, uuid.uuid4(), datetime.now(UTC))
    try:
        blob = backends.upload_bucket.blob(name)
        blob.metadata = object_metadata(person, pipeline)
        blob.upload_from_file(
            file.stream,
            size=size_bytes,
            content_type=content_type,
            if_generation_match=0,
            checksum="crc32c",
            timeout=(5, 60),
            retry=DEFAULT_RETRY.with_timeout(_RETRY_SECONDS),
        )
    except PreconditionFailed:
        return name  # the library sent it again after an answer that was lost: it is there
    except CLOUD_ERRORS as error:
        raise unavailable("The file was not stored", "Cloud Storage did not take it. Try again.") from error
    return name
