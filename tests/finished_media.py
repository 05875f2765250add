"""Finished jobs as the pipelines leave them, with real files in the result bucket, so that pages have what to show.

What is said is written here; sound and pictures are made by ffmpeg.
"""

import json
import math
import subprocess
import tempfile
import uuid
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

import imageio_ffmpeg

from shared import lifecycle
from shared.jobs import Completion, NewArtifact, NewJob, NewPassage
from shared.transcript.analysis import ActionItem, Analysis, Statement, Topic
from shared.transcript.paragraphs import paragraphs
from shared.transcript.schema import Transcript
from tests.cloud import Cloud
from tests.transcripts import conversation

TALK = conversation(
    ("S1", "Good morning, everybody. Shall we begin with the harbour? I have read the council's letter twice."),
    ("S2", "So have I. They want to sell two of the old cranes before the summer, and they ask what we think of it."),
    ("S1", "And what do we think of it?"),
    (
        "S2",
        "I think that the cranes should stay. People come to see them, and the ferry company would pay for the paint.",
    ),
    ("S3", "We decided last year that we would keep one of them at least."),
    ("S1", "Then let us keep both. Grace, will you write to the council by Friday and say so?"),
    ("S2", "I will, and I send you the draft on Wednesday."),
    (
        "S3",
        "The second point is the budget. We have spent four thousand of five, so that the music must be cheap.",
    ),
    ("S1", "How cheap?"),
    (
        "S3",
        "Four hundred at most. I asked the school band whether they play for the food: they laughed & said <perhaps>.",
    ),
)
_HLS = "application/vnd.apple.mpegurl"
#: Of ``TALK``.
UNDERSTOOD = Analysis(
    engine="extractive",
    language="en",
    summary=(
        Statement(text="They want to sell two of the old cranes before the summer.", quote=True, segments=(1,)),
        Statement(text="We have spent four thousand of five.", quote=True, segments=(7,)),
    ),
    topics=(
        Topic(title="harbour, cranes, council", start=0.5, end=TALK.segments[6].end, segments=tuple(range(7))),
        Topic(title="budget, music", start=TALK.segments[7].start, end=TALK.segments[9].end, segments=(7, 8, 9)),
    ),
    decisions=(Statement(text="Then let us keep both.", quote=True, segments=(5,)),),
    action_items=(ActionItem(what="write to the council and say so", who="S2", until="by Friday", segments=(5, 6)),),
    note="Sentences are quoted as they were said.",
)


@dataclass(frozen=True)
class File:
    """A file that a pipeline publishes."""

    kind: str
    body: bytes
    content_type: str
    filename: str
    metadata: dict[str, Any] = field(default_factory=dict)


def finished(
    cloud: Cloud,
    name: str,
    files: Iterable[File],
    *,
    owner: str | None = None,
    pipeline: str = "speech",
    content_type: str = "audio/mpeg",
    transcript: Transcript | None = None,
    result: dict[str, Any] | None = None,
) -> uuid.UUID:
    """Have a worker take a job and commit these files, with what is said in them."""
    wanted = NewJob(
        cloud.settings.upload_bucket,
        f"20251203T15Z/{uuid.uuid4()}/{name}",
        1,
        pipeline,
        1_234_567,
        content_type,
        owner=owner,
    )
    with cloud.engine.begin() as connection:
        [job] = lifecycle.record(connection, [wanted])
        [claim] = lifecycle.claim(connection, [job.id], worker="vm-1/abcdefgh", lease_seconds=3600)
    artifacts = [_stored(cloud, job.id, file) for file in files]
    said = (
        [NewPassage(s.start, s.end, s.text, s.speaker, transcript.language) for s in transcript.segments]
        if transcript
        else []
    )
    with cloud.engine.begin() as connection:
        done = Completion(job.id, claim.attempt, result or {}, artifacts, passages=said)
        assert lifecycle.commit(connection, [done])
    return job.id


def _stored(cloud: Cloud, job: uuid.UUID, file: File) -> NewArtifact:
    blob = cloud.results.blob(f"{job}/1/{file.kind}/{file.filename}")
    blob.upload_from_string(file.body, content_type=file.content_type)
    return NewArtifact(
        file.kind, blob.bucket.name, blob.name, blob.generation, file.content_type, len(file.body), blob.crc32c,
        file.filename, file.metadata,
    )  # fmt: skip


def recording(
    cloud: Cloud, name: str = "council.mp3", *, owner: str | None = None, transcript: Transcript = TALK
) -> uuid.UUID:
    """Make a finished recording of a conversation, with sound as long as the talk."""
    files = [
        *spoken(transcript),
        File("audio", sound(transcript.duration), "audio/mp4", "audio.m4a"),
        waveform(transcript),
    ]
    return finished(cloud, name, files, owner=owner, transcript=transcript, result=_found(transcript))


def film(
    cloud: Cloud, name: str = "harbour.mp4", *, owner: str | None = None, transcript: Transcript = TALK
) -> uuid.UUID:
    """Make a finished film with renditions, poster, previews and captions."""
    files = [*spoken(transcript), waveform(transcript), *filmed(transcript.duration)]
    found = _found(transcript) | {"width": 640, "height": 360}
    return finished(
        cloud, name, files, owner=owner, pipeline="video", content_type="video/mp4", transcript=transcript, result=found
    )


def _found(transcript: Transcript) -> dict[str, Any]:
    return {"duration": transcript.duration, "language": transcript.language, "speakers": 3}


def spoken(transcript: Transcript) -> list[File]:
    """What the speech pipeline publishes of a transcript, but for sound."""
    return [
        File("transcript", transcript.model_dump_json().encode(), "application/json", "transcript.json"),
        File("analysis", UNDERSTOOD.model_dump_json().encode(), "application/json", "analysis.json"),
    ]


def waveform(transcript: Transcript, points: int = 600) -> File:
    """Draw how loud it is: https://github.com/bbc/audiowaveform/blob/master/doc/DataFormat.md."""
    loud = [
        round(
            100
            * abs(math.sin(n / 7))
            * any(s.start <= n * transcript.duration / points < s.end for s in transcript.segments)
        )
        for n in range(points)
    ]
    data = [value for peak in loud for value in (-peak, peak)]
    body = {
        "version": 2, "channels": 1, "sample_rate": 16000, "bits": 8,
        "samples_per_pixel": round(16000 * transcript.duration / points),
        "length": points, "data": data,
    }  # fmt: skip
    return File("waveform", json.dumps(body).encode(), "application/json", "waveform.json")


def _ffmpeg(*arguments: str, ending: str) -> bytes:
    with tempfile.TemporaryDirectory() as folder:
        made = Path(folder) / f"made{ending}"
        command = [imageio_ffmpeg.get_ffmpeg_exe(), "-v", "error", "-nostdin", *arguments, str(made)]
        subprocess.run(command, check=True, timeout=60)
        return made.read_bytes()


@cache
def sound(seconds: float) -> bytes:
    """Hum for so long, as AAC that browsers play."""
    hum = f"sine=frequency=220:duration={seconds}"
    return _ffmpeg("-f", "lavfi", "-i", hum, "-c:a", "aac", "-b:a", "32k", "-movflags", "+faststart", ending=".m4a")


@cache
def filmed(seconds: float) -> Sequence[File]:
    """Film a test card for so long: two renditions, a poster, a sheet of previews and where each of them is."""
    card = ("-f", "lavfi", "-i", f"testsrc2=size=640x360:rate=10:duration={seconds}")
    hum = ("-f", "lavfi", "-i", f"sine=frequency=220:duration={seconds}")
    encoded = (
        "-c:v",
        "libx264",
        "-preset",
        "ultrafast",
        "-pix_fmt",
        "yuv420p",
        "-c:a",
        "aac",
        "-movflags",
        "+faststart",
    )
    previews = math.ceil(seconds / 4)
    sheet = f"fps=1/4,scale=160:90,tile=5x{math.ceil(previews / 5)}"
    cues = [
        f"{_time(4 * n)} --> {_time(min(4 * n + 4, seconds))}\nsprite.jpg#xywh={n % 5 * 160},{n // 5 * 90},160,90\n"
        for n in range(previews)
    ]
    size = {"width": 640, "height": 360}
    return (
        File("mp4-360", _ffmpeg(*card, *hum, *encoded, ending=".mp4"), "video/mp4", "video-360.mp4", size),
        File(
            "mp4-180",
            _ffmpeg(*card, *hum, "-vf", "scale=320:180", *encoded, ending=".mp4"),
            "video/mp4",
            "video-180.mp4",
            {"width": 320, "height": 180},
        ),
        File("hls", b"#EXTM3U\n#EXT-X-STREAM-INF:BANDWIDTH=1\nhls-mp4-360.m3u8\n", _HLS, "hls.m3u8"),
        File("hls-mp4-360", b'#EXTM3U\n#EXT-X-MAP:URI="mp4-360.mp4",BYTERANGE="99@0"\n', _HLS, "mp4-360.m3u8"),
        File("poster", _ffmpeg(*card, "-frames:v", "1", ending=".jpg"), "image/jpeg", "poster.jpg", size),
        File("sprite", _ffmpeg(*card, "-vf", sheet, "-frames:v", "1", ending=".jpg"), "image/jpeg", "sprite.jpg"),
        File("sprite-vtt", ("WEBVTT\n\n" + "\n".join(cues)).encode(), "text/vtt", "sprite.vtt"),
    )


def _time(seconds: float) -> str:
    return f"00:{int(seconds) // 60:02}:{seconds % 60:06.3f}"


def picture(cloud: Cloud, name: str, *, owner: str | None = None, hue: int = 0) -> uuid.UUID:
    """Make a finished picture: a gradient of one colour, a thumbnail of it and one for the web."""
    files = [
        File(
            kind,
            _ffmpeg(
                "-f", "lavfi", "-i", f"gradients=size={width}x{width * 2 // 3}:n=2:seed={hue}:duration=1:rate=1",
                "-frames:v", "1", ending=".jpg",
            ),
            "image/jpeg",
            f"{kind}.jpg",
            {"width": width, "height": width * 2 // 3},
        )
        for kind, width in (("thumbnail", 320), ("web-1600", 1600))
    ]  # fmt: skip
    result = {"width": 3000, "height": 2000}
    return finished(cloud, name, files, owner=owner, pipeline="image", content_type="image/jpeg", result=result)


def text_of(transcript: Transcript) -> list[str]:
    """The paragraphs that a reader sees."""
    return [paragraph.text for paragraph in paragraphs(transcript)]
