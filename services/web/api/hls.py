"""Films as HLS: playlists from here, whose relative links lead here again, and from here to fresh signed URLs.

So a player that has opened a film can go on for as long as it likes, past the life of any signed URL.
"""

import uuid

from flask import Response
from sqlalchemy import select

from services.web.backends import backends
from services.web.links import Target
from services.web.listing import API
from services.web.operations import Api, caller
from services.web.problems import not_found
from services.web.stored import Stored, content
from shared.models import Artifact

api = Api("hls", API)
_PLAYLIST = "application/vnd.apple.mpegurl"
#: A playlist has a line or two for each segment of a film; this is enough for days.
_PLAYLIST_MAX_BYTES = 16 * 1024**2


@api.operation(
    "GET",
    "/jobs/{job_id}/hls/{file}",
    summary="Show a playlist, or go to the file that it names; start with hls.m3u8",
    answers={200: None, 302: None},
    problems={404: "There is no such file, or it belongs to somebody else."},
    labels={"file": r"^[a-z0-9-]{1,60}\.(m3u8|mp4)$"},
    media=_PLAYLIST,
)
def open_hls(job_id: uuid.UUID, file: str) -> Response:
    kind, _, ending = file.rpartition(".")
    playlist = ending == "m3u8"
    media = _PLAYLIST if playlist else "video/mp4"
    with backends().transaction(caller()) as connection:
        found = connection.execute(
            select(Artifact.__table__).where(
                Artifact.job_id == job_id, Artifact.kind == kind, Artifact.content_type == media
            )
        ).one_or_none()
    if found is None or (playlist and found.size_bytes > _PLAYLIST_MAX_BYTES):
        raise not_found("file")
    if playlist:
        response = Response(
            content(backends(), Stored(found.object, found.generation, found.size_bytes)), content_type=media
        )
        response.headers["Cache-Control"] = "private, max-age=3600"
        return response
    links = backends().links
    target = Target(found.bucket, found.object, found.generation, media, found.filename)
    age = links.fresh_seconds // 2
    return Response(status=302, headers={"Location": links.to(target), "Cache-Control": f"private, max-age={age}"})
