"""The recording to listen to: what was uploaded may be of a kind that no browser plays, or a film of 40 GB.

AAC in MP4, coded in pieces that are steps, on the same time line as the transcript.
"""

import wave
from collections.abc import Callable
from itertools import islice
from pathlib import Path

from spotmill import Job, PermanentError
from worker.pipelines.media import aac, ffmpeg
from worker.pipelines.media.boxes import sample_descriptions
from worker.pipelines.media.movie import Movie, Track
from worker.pipelines.media.pcm import RATE, Pcm
from worker.pipelines.media.probe import AudioStream, Media, probe

KBPS = 96
#: Coded frames in a fragment: ten seconds.
_FRAGMENT = 470

Pieces = list[tuple[aac.Piece, Path]]


def listening_copy(
    job: Job, source: Callable[[], Path], pcm: Pcm, *, track: int | str, told: Callable[[float], None]
) -> Path:
    """Encode the sound of which ``pcm`` is the decoded form.

    What cannot be coded as it is (several tracks at once, channels of which nobody knows where they stand) is heard as
    it was decoded: mono, up to 8 kHz.
    """
    samples = round(pcm.seconds * aac.RATE)

    def original() -> aac.Recording:
        path = source()
        media = probe(path)
        return aac.Recording(path, _chosen(media, track), media.start, samples, KBPS)

    def decoded() -> aac.Recording:
        path = _as_wav(pcm, job.scratch / "decoded.wav")
        return aac.Recording(path, _chosen(probe(path), "default"), 0.0, samples, KBPS)

    try:
        files = _pieces(job, f"original, track {track}", original, samples, told)
    except PermanentError:
        files = _pieces(job, f"decoded, track {track}", decoded, samples, told)
    return _join(files, samples, job.scratch / "audio.m4a")


def _pieces(
    job: Job, name: str, recording: Callable[[], aac.Recording], samples: int, told: Callable[[float], None]
) -> Pieces:
    pieces = aac.pieces(samples)
    files: Pieces = []
    for piece in pieces:

        def heard(done: float, number: int = piece.number) -> None:
            told((number + done) / len(pieces))

        def encode(piece: aac.Piece = piece, heard: Callable[[float], None] = heard) -> Path:
            return aac.encode(recording(), piece, job.scratch, heard)

        files.append((piece, job.step(f"listening copy, {name}, piece {piece.number}, {ffmpeg.version()}", encode)))
    return files


def _chosen(media: Media, track: int | str) -> AudioStream:
    stream = media.audios[track - 1] if isinstance(track, int) else media.audio
    if stream is None or track == "mix" or (stream.channels > 2 and stream.layout.endswith("channels")):
        raise PermanentError("The sound cannot be coded as it is.")
    return stream


def _as_wav(pcm: Pcm, path: Path) -> Path:
    with pcm.path.open("rb") as raw, wave.open(str(path), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(RATE)
        file.setnframes(pcm.samples)
        while block := raw.read(1 << 20):
            file.writeframesraw(block)
    return path


def _join(files: Pieces, samples: int, path: Path) -> Path:
    (description,) = sample_descriptions(files[0][1])
    track = Track(aac.RATE, aac.FRAME, description, priming=aac.PRIMING, length=samples)
    coded = aac.coded(files)
    most = samples // aac.FRAME + 64
    with Movie(path, [track], most_samples=most, most_fragments=most // _FRAGMENT + 2) as movie:
        while frames := list(islice(coded, _FRAGMENT)):
            movie.fragment([frames])
        movie.finish()
    return path
