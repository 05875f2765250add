"""Fifty recordings and films that were made to hurt, or that were hurt on their way."""

import functools
import gzip
import io
import random
import struct
import subprocess
import zipfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import imageio_ffmpeg

Make = Callable[[], bytes]


@dataclass(frozen=True, slots=True)
class HostileFile:
    """One of them. ``fails``: True if it must fail, False if something can be made of it, None if either is right."""

    name: str
    pipeline: str
    content: bytes
    fails: bool | None = True


@functools.cache
def _ffmpeg(*arguments: str, ending: str) -> bytes:
    """Make a file with ffmpeg; the same arguments give the same bytes."""
    done = subprocess.run(
        [
            imageio_ffmpeg.get_ffmpeg_exe(), "-nostdin", "-loglevel", "error", "-y", *arguments,
            "-fflags", "+bitexact", "-flags", "+bitexact", "-f", ending, "pipe:1",
        ],
        capture_output=True,
        check=True,
    )  # fmt: skip
    return done.stdout


_TONE = ("-f", "lavfi", "-i", "sine=frequency=300:duration=4")
_FILM = ("-f", "lavfi", "-i", "testsrc2=size=320x240:rate=25:duration=4")
_SMALL = ("-c:v", "libx264", "-preset", "ultrafast", "-threads", "1", "-g", "25", "-pix_fmt", "yuv420p")


def _film(ending: str, *options: str) -> bytes:
    return _ffmpeg(*_FILM, *_TONE, *_SMALL, "-c:a", "aac", *options, ending=ending)


def _fragmented() -> bytes:
    return _film("mp4", "-movflags", "+frag_keyframe+empty_moov+default_base_moof")


def _fast_start() -> bytes:
    """Return an MP4 whose index stands in front: made of the fragmented one, as a pipe cannot be sought."""
    return _film("mov", "-movflags", "+frag_keyframe+empty_moov")


def _sound(codec: str, ending: str) -> bytes:
    return _ffmpeg(*_TONE, "-c:a", codec, ending=ending)


def _noise(size: int, seed: int) -> bytes:
    return random.Random(seed).randbytes(size)


def _box(kind: bytes, *contents: bytes) -> bytes:
    """Make one box of an MP4 (ISO/IEC 14496-12)."""
    body = b"".join(contents)
    return struct.pack(">I", 8 + len(body)) + kind + body


_FTYP = _box(b"ftyp", b"isom\0\0\2\0isomiso2avc1mp41")


def _wav(rate: int = 16_000, channels: int = 1, bits: int = 16, claimed: int | None = None, data: bytes = b"") -> bytes:
    claimed = len(data) if claimed is None else claimed
    align = channels * bits // 8
    form = struct.pack("<HHIIHH", 1, channels, rate, rate * align & 0xFFFFFFFF, align & 0xFFFF, bits)
    head = struct.pack("<4sI8sI", b"RIFF", 36 + claimed & 0xFFFFFFFF, b"WAVEfmt ", 16)
    return head + form + struct.pack("<4sI", b"data", claimed) + data


def _mov_with(patch: Callable[[bytearray], None]) -> bytes:
    content = bytearray(_fast_start())
    patch(content)
    return bytes(content)


def _set_size(width: int, height: int) -> Make:
    """Have the header of an MP4 claim another size than its pictures have."""

    def patch(content: bytearray) -> None:
        entry = content.index(b"avc1", content.index(b"stsd"))
        struct.pack_into(">HH", content, entry + 28, width, height)

    return lambda: _mov_with(patch)


def _set_duration(content: bytearray) -> None:
    """Let a film last for 136 years."""
    for kind in (b"mvhd", b"mdhd"):
        at = content.index(kind)
        struct.pack_into(">I", content, at + 4 + 16, 0xFFFFFFFE)


def _loop(content: bytearray) -> None:
    """Let a box claim to hold itself and more."""
    struct.pack_into(">I", content, content.index(b"trak") - 4, 0x7FFFFFFF)


def _zero_timescale(content: bytearray) -> None:
    for kind in (b"mvhd", b"mdhd"):
        struct.pack_into(">I", content, content.index(kind) + 4 + 12, 0)


def _many_tracks() -> bytes:
    """An MP4 of ten thousand tracks."""
    header = b"\0" * 12 + struct.pack(">II", 1000, 4000) + struct.pack(">IH", 0x10000, 0x100) + b"\0" * 78
    table = b"\0" * 8
    entry = (
        struct.pack(">I4s", 36, b"sowt")
        + b"\0" * 6
        + struct.pack(">H", 1)
        + b"\0" * 8
        + struct.pack(">HHIHH", 1, 16, 0, 16_000, 0)
    )
    entries = struct.pack(">II", 0, 1) + entry

    def track(number: int) -> bytes:
        return _box(
            b"trak",
            _box(b"tkhd", b"\0" * 12 + struct.pack(">I", number) + b"\0" * 68),
            _box(
                b"mdia",
                _box(b"mdhd", b"\0" * 12 + struct.pack(">II", 16_000, 64_000) + b"\0" * 4),
                _box(b"hdlr", b"\0" * 8 + b"soun" + b"\0" * 13),
                _box(
                    b"minf",
                    _box(b"smhd", b"\0" * 8),
                    _box(b"stbl", _box(b"stsd", entries), *(_box(k, table) for k in (b"stts", b"stsc", b"stco"))),
                ),
            ),
        )

    return _FTYP + _box(b"moov", _box(b"mvhd", header), *(track(n + 1) for n in range(10_000)))


def _matroska_of(duration: float) -> bytes:
    """A Matroska file whose header claims any duration, in milliseconds."""
    content = bytearray(_film("matroska"))
    at = content.find(b"\x44\x89\x88")  # the element Duration, a double
    if at >= 0:
        struct.pack_into(">d", content, at + 3, duration)
    return bytes(content)


def _mp3_with_picture() -> bytes:
    """An MP3 whose tag claims to be larger than the file."""
    return b"ID3\x04\0\0\x7f\x7f\x7f\x7f" + _sound("libmp3lame", "mp3")[:4000]


def _zip_bomb() -> bytes:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("film.mp4", bytes(50_000_000))
    return packed.getvalue()


def _backwards() -> bytes:
    """A transport stream whose second half comes first: its clock jumps."""
    content = _film("mpegts")
    packets = [content[at : at + 188] for at in range(0, len(content), 188)]
    half = len(packets) // 2
    return b"".join(packets[half:] + packets[:half])


def _half(content: bytes) -> bytes:
    return content[: len(content) // 2]


def hostile_files() -> Iterator[HostileFile]:
    """Make all fifty, one after the other."""
    text = b"Minutes of a meeting that nobody recorded.\n" * 200
    html = b"<!doctype html><title>404</title><p>Not found" * 50
    playlist = b"#EXTM3U\n#EXT-X-TARGETDURATION:10\n#EXTINF:10,\nfile:///etc/passwd\n#EXT-X-ENDLIST\n"
    concat = b"ffconcat version 1.0\nfile /etc/passwd\nfile http://127.0.0.1:1/x\n"
    dash = b'<?xml version="1.0"?><MPD><Period><BaseURL>file:///etc/passwd</BaseURL></Period></MPD>'
    made: list[tuple[str, str, Make, bool | None]] = [
        ("empty.mp3", "speech", bytes, True),
        ("empty.mp4", "video", bytes, True),
        ("empty.wav", "speech", bytes, True),
        ("one-byte.mkv", "video", lambda: b"\x1a", True),
        ("text.mp3", "speech", lambda: text, True),
        ("text.mp4", "video", lambda: text, True),
        ("page.m4a", "speech", lambda: html, True),
        ("numbers.wav", "speech", lambda: b'{"a": [1, 2, 3]}' * 99, True),
        ("picture.mp4", "video", lambda: _ffmpeg(*_FILM, "-frames:v", "1", "-c:v", "mjpeg", ending="image2pipe"), True),
        ("archive.mp4", "video", _zip_bomb, True),
        ("packed.wav", "speech", lambda: gzip.compress(bytes(50_000_000), mtime=0), True),
        ("playlist.mp4", "video", lambda: playlist, True),
        ("playlist.mp3", "speech", lambda: playlist, True),
        ("concat.mp4", "video", lambda: concat, True),
        ("dash.mp4", "video", lambda: dash, True),
        ("script.mp3", "speech", lambda: b"#!/bin/sh\nrm -rf /\n", True),
        ("noise.mp4", "video", lambda: _FTYP + _noise(100_000, 2), True),
        ("noise.mkv", "video", lambda: b"\x1aE\xdf\xa3" + _noise(100_000, 3), True),
        ("noise.wav", "speech", lambda: b"RIFF\xff\xff\0\0WAVE" + _noise(100_000, 4), True),
        ("noise.mp3", "speech", lambda: b"ID3\x03\0\0\0\0\0\0" + _noise(100_000, 5), None),
        ("noise.ogg", "speech", lambda: b"OggS\0\2" + _noise(100_000, 6), True),
        ("noise.flac", "speech", lambda: b"fLaC\0\0\0\x22" + _noise(100_000, 7), True),
        ("noise.avi", "video", lambda: b"RIFF\xff\xff\0\0AVI " + _noise(100_000, 8), True),
        ("noise.ts", "video", lambda: b"".join(b"G" + _noise(187, n) for n in range(500)), True),
        ("no-index.mp4", "video", lambda: _FTYP + _box(b"mdat", _noise(100_000, 9)), True),
        ("header-only.mp4", "video", lambda: _fragmented()[:1200], True),
        ("cut.mp4", "video", lambda: _half(_fragmented()), None),
        ("cut.mkv", "video", lambda: _half(_film("matroska")), None),
        ("cut.ts", "video", lambda: _half(_film("mpegts")), None),
        ("cut.flac", "speech", lambda: _half(_sound("flac", "flac")), None),
        ("cut.ogg", "speech", lambda: _half(_sound("libopus", "ogg")), None),
        ("claims-4-gb.wav", "speech", lambda: _wav(claimed=0xFFFFFFF0, data=_noise(64_000, 10)), None),
        ("no-samples.wav", "speech", _wav, True),
        ("255-channels.wav", "speech", lambda: _wav(channels=255, data=_noise(510 * 2000, 11)), None),
        ("1-hz.wav", "speech", lambda: _wav(rate=1, data=_noise(200, 12)), None),
        ("4-ghz.wav", "speech", lambda: _wav(rate=0xFFFFFFFF, data=_noise(64_000, 13)), None),
        ("768-khz.wav", "speech", lambda: _wav(rate=768_000, data=_noise(768_000, 14)), False),
        ("0-bits.wav", "speech", lambda: _wav(bits=0, data=_noise(64_000, 15)), True),
        ("ten-thousand-tracks.mp4", "video", _many_tracks, True),
        ("ten-thousand-tracks.m4a", "speech", _many_tracks, True),
        ("65535-pixels.mov", "video", _set_size(65535, 65535), None),
        ("0-pixels.mov", "video", _set_size(0, 0), None),
        ("136-years.mov", "video", lambda: _mov_with(_set_duration), None),
        ("no-clock.mov", "video", lambda: _mov_with(_zero_timescale), None),
        ("box-in-itself.mov", "video", lambda: _mov_with(_loop), True),
        ("endless.mkv", "video", lambda: _matroska_of(1e18), None),
        ("backwards.mkv", "video", lambda: _matroska_of(-1e9), None),
        ("tag-without-end.mp3", "speech", _mp3_with_picture, None),
        ("clock-jumps.ts", "video", _backwards, None),
        (
            "sound-alone.mp4",
            "video",
            lambda: _ffmpeg(*_TONE, "-c:a", "aac", "-movflags", "frag_keyframe", ending="mp4"),
            None,
        ),
    ]
    for name, pipeline, make, fails in made:
        yield HostileFile(name, pipeline, make(), fails)
