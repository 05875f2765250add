"""Files that are no film, or one that was made to do harm: each ends in a sentence, or in what can be had of it."""

import struct
from collections.abc import Callable
from pathlib import Path

import pytest

from spotmill import PermanentError
from tests.films import film
from tests.media.rendering import render
from tests.video_checks import check, ffmpeg


def ebml(kind: int, *parts: bytes) -> bytes:
    """Make an element of Matroska (RFC 8794), its size in eight bytes."""
    content = b"".join(parts)
    name = kind.to_bytes((kind.bit_length() + 7) // 8, "big")
    return name + (0x0100000000000000 | len(content)).to_bytes(8, "big") + content


def matroska(tracks: int, width: int, height: int) -> bytes:
    """Make a Matroska file of many tracks, with one frame of nonsense."""
    head = ebml(0x1A45DFA3, ebml(0x4282, b"matroska"), ebml(0x4287, b"\x04"), ebml(0x4285, b"\x02"))
    entries = [
        ebml(
            0xAE,
            ebml(0xD7, struct.pack(">H", n)),
            ebml(0x73C5, struct.pack(">H", n)),
            ebml(0x83, b"\x01"),
            ebml(0x86, b"V_MPEG4/ISO/ASP"),
            ebml(0xE0, ebml(0xB0, struct.pack(">I", width)), ebml(0xBA, struct.pack(">I", height))),
        )
        for n in range(1, tracks + 1)
    ]
    block = ebml(0x1F43B675, ebml(0xE7, b"\0"), ebml(0xA3, b"\x81\0\0\x80" + b"nonsense" * 20))
    return head + ebml(0x18538067, ebml(0x1549A966, ebml(0x2AD7B1, struct.pack(">I", 1_000_000))),
                       ebml(0x1654AE6B, *entries), block)  # fmt: skip


def nothing(_: Path) -> bytes:
    return b""


def words(_: Path) -> bytes:
    return b"Dear Sir or Madam, please find attached.\n" * 200


def noise(_: Path) -> bytes:
    return bytes(byte * 167 % 251 for byte in range(100_000))


def hls_playlist(folder: Path) -> bytes:
    secret = folder / "secret.ts"
    return f"#EXTM3U\n#EXT-X-TARGETDURATION:9\n#EXTINF:9,\nfile://{secret}\n#EXT-X-ENDLIST\n".encode()


def list_of_files(folder: Path) -> bytes:
    return f"ffconcat version 1.0\nfile '{folder / 'secret.ts'}'\n".encode()


def dash_manifest(_: Path) -> bytes:
    return b'<?xml version="1.0"?><MPD xmlns="urn:mpeg:dash:schema:mpd:2011"><BaseURL>http://127.0.0.1/</BaseURL></MPD>'


def picture(_: Path) -> bytes:
    return b"\x89PNG\r\n\x1a\n" + bytes(400)


def without_index(folder: Path) -> bytes:
    return film(folder / "whole.mp4", seconds=1, size=(160, 90)).read_bytes()[:-2500]


def only_sound(folder: Path) -> bytes:
    ffmpeg("-f", "lavfi", "-i", "sine=d=1", str(folder / "sound.mp4"))
    return (folder / "sound.mp4").read_bytes()


def ten_thousand_tracks(_: Path) -> bytes:
    return matroska(10_000, 640, 480)


def huge_frames(_: Path) -> bytes:
    return matroska(1, 16_000, 16_000)


def frames_of_nonsense(_: Path) -> bytes:
    return matroska(1, 640, 480)


def endless(folder: Path) -> bytes:
    """Two frames, a hundred hours apart."""
    late = ("-bsf:v", "setts=ts='if(eq(N,20),360000000,TS)'")
    return film(folder / "endless.mkv", seconds=1, size=(160, 90), sound=(), options=("-bf", "0", *late)).read_bytes()


@pytest.mark.parametrize(
    ("make", "sentence"),
    [
        (nothing, "The file is empty."),
        (words, "This is no video or sound file that can be read here."),
        (noise, "This is no video or sound file that can be read here."),
        (hls_playlist, "This is a playlist, not a recording; upload the recording itself."),
        (list_of_files, "This is a playlist, not a recording; upload the recording itself."),
        (dash_manifest, "This is a playlist, not a recording; upload the recording itself."),
        (picture, "This is no video or sound file that can be read here."),
        (
            without_index,
            "The file is cut off or damaged: the index that an MP4 or MOV file needs is missing or unreadable.",
        ),
        (only_sound, "There is sound in this file, but no video. The speech pipeline takes such a file."),
        (ten_thousand_tracks, "The file has more than 200 tracks."),
        (huge_frames, "The video has 16000 x 16000 pixels; 35,389,440 in all are allowed."),
        (frames_of_nonsense, "The video cannot be decoded"),
        (endless, "hours long; 12 are allowed."),
    ],
)
def test_it_is_refused_in_a_sentence(make: Callable[[Path], bytes], sentence: str, tmp_path: Path) -> None:
    path = tmp_path / "upload.mp4"
    path.write_bytes(make(tmp_path))
    with pytest.raises(PermanentError) as refused:
        render(path, tmp_path / "job")
    assert sentence in str(refused.value)
    assert str(tmp_path) not in str(refused.value)


@pytest.mark.parametrize("name", ["cut.mkv", "cut.ts"])
def test_of_a_film_that_is_cut_off_what_is_there_is_had(name: str, tmp_path: Path) -> None:
    path = film(tmp_path / name, seconds=6, size=(320, 180))
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    job = render(path, tmp_path / "job")
    found = check(job.artifacts["mp4-480"].path)
    assert 60 < len(found.numbers) < 150
    assert found.numbers[:60] == list(range(60))
    if name == "cut.mkv":  # its header knows how long it was
        assert "may have been cut off" in job.results["notes"][0]


def test_of_a_damaged_film_the_rest_is_had(tmp_path: Path) -> None:
    path = film(tmp_path / "damaged.mp4", seconds=6, size=(320, 180))
    bits = bytearray(path.read_bytes())
    for place in range(len(bits) // 3, len(bits) // 2, 2000):
        bits[place : place + 200] = bytes(n * 37 % 256 for n in range(200))
    path.write_bytes(bits)
    job = render(path, tmp_path / "job")
    found = check(job.artifacts["mp4-480"].path)
    assert len(found.numbers) == 180
    assert found.numbers[-30:] == list(range(150, 180))
    assert "Parts of the video are damaged" in job.results["notes"][0]


def test_recordings_glued_together_follow_each_other(tmp_path: Path) -> None:
    path = film(tmp_path / "one.ts", seconds=4, size=(320, 180))
    glued = tmp_path / "two.ts"
    glued.write_bytes(path.read_bytes() * 2)
    job = render(glued, tmp_path / "job")
    found = check(job.artifacts["mp4-480"].path)
    assert found.numbers[:120] == list(range(120))
    assert found.numbers[-120:] == list(range(120))
    assert 240 <= len(found.numbers) <= 244
    assert "timestamps of the video jump" in job.results["notes"][0]
