"""Playlists, as players read them."""

from fractions import Fraction

import pytest

from worker.pipelines.media.movie import Range
from worker.pipelines.video.codecs import codec_string
from worker.pipelines.video.hls import Fragment, Variant, media_playlist, multivariant_playlist

NTSC = Fraction(30000, 1001)


def variant(count: int = 8) -> Variant:
    gop = 60 / NTSC
    fragments = [Fragment(Range(5000 + 1000 * n, 1000), gop) for n in range(count)]
    return Variant("mp4-720", 1280, 720, NTSC, "avc1.64001F,mp4a.40.2", Range(4000, 1000), fragments)


def test_segments_are_ranges_of_the_mp4_that_follow_each_other() -> None:
    lines = media_playlist(variant()).splitlines()
    assert lines[:6] == [
        "#EXTM3U",
        "#EXT-X-VERSION:7",
        "#EXT-X-TARGETDURATION:6",
        "#EXT-X-MEDIA-SEQUENCE:0",
        "#EXT-X-PLAYLIST-TYPE:VOD",
        '#EXT-X-MAP:URI="mp4-720.mp4",BYTERANGE="1000@4000"',
    ]
    assert [line for line in lines if line.startswith("#EXT-X-BYTERANGE")] == [
        "#EXT-X-BYTERANGE:3000@5000",
        "#EXT-X-BYTERANGE:3000@8000",
        "#EXT-X-BYTERANGE:2000@11000",
    ]
    assert [line for line in lines if line.startswith("#EXTINF")] == [
        "#EXTINF:6.006000,",
        "#EXTINF:6.006000,",
        "#EXTINF:4.004000,",
    ]
    assert lines[-1] == "#EXT-X-ENDLIST"


def test_the_multivariant_playlist_says_what_a_rendition_needs() -> None:
    said, link = multivariant_playlist([variant()]).splitlines()[3:]
    assert said == (
        "#EXT-X-STREAM-INF:BANDWIDTH=3997,AVERAGE-BANDWIDTH=3997,RESOLUTION=1280x720,FRAME-RATE=29.970,"
        'CODECS="avc1.64001F,mp4a.40.2"'
    )
    assert link == "hls-mp4-720.m3u8"


def test_codecs_have_the_names_that_browsers_know() -> None:
    assert codec_string(bytes.fromhex("0164001fffe1")) == "avc1.64001F"
    assert codec_string(bytes.fromhex("81080c00")) == "av01.0.08M.08"
    with pytest.raises(ValueError, match="neither"):
        codec_string(b"")
