"""Long answers in fewer bytes, for those who can read them: a transcript of three hours has two million."""

import gzip

from flask import Response, request

#: Less is not worth the time.
_LEAST_BYTES = 32 * 1024
_LEVEL = 5


def compressed(response: Response) -> Response:
    """Compress the body if it is long and the caller takes gzip (RFC 9110, section 8.4)."""
    response.vary.add("Accept-Encoding")
    body = response.get_data()
    if len(body) >= _LEAST_BYTES and request.accept_encodings.quality("gzip") > 0:
        response.set_data(gzip.compress(body, _LEVEL, mtime=0))
        response.content_encoding = "gzip"
    return response
