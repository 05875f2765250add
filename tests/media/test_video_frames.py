"""Every frame of a film comes out once, at uniform times, whatever it came in; nothing warns when it is played."""

from fractions import Fraction
from pathlib import Path

import pytest

from tests.films import film
from tests.media.rendering import render
from tests.video_checks import check, ffmpeg

NTSC = Fraction(30000, 1001)
MPEG2 = ("-c:v", "mpeg2video", "-q:v", "2", "-bf", "2", "-g", "15", "-c:a", "mp2")
OPEN_H264 = ("-preset", "medium", "-x264-params", "open-gop=1:keyint=24:bframes=3")
OPEN_HEVC = (
    "-c:v",
    "libx265",
    "-preset",
    "ultrafast",
    "-x265-params",
    "open-gop=1:keyint=24:bframes=3:log-level=error",
    "-tag:v",
    "hvc1",
)
VP9 = ("-c:v", "libvpx-vp9", "-deadline", "realtime", "-cpu-used", "8", "-c:a", "libopus")
PRORES = ("-c:v", "prores_ks", "-pix_fmt", "yuv422p10le", "-c:a", "pcm_s16le")
AVI = ("-c:v", "mpeg4", "-q:v", "3", "-bf", "2", "-c:a", "mp3")


@pytest.mark.parametrize(
    ("name", "rate", "options"),
    [
        ("ntsc.mp4", NTSC, ()),
        ("milliseconds.mkv", NTSC, ()),
        ("broadcast.ts", NTSC, ()),
        ("mpeg2.ts", Fraction(25), MPEG2),
        ("mpeg2.mpg", Fraction(25), MPEG2),
        ("no-timestamps.avi", Fraction(25), AVI),
        ("open-groups.mkv", Fraction(24), OPEN_H264),
        ("open-groups.mp4", Fraction(24), OPEN_HEVC),
        ("one-keyframe.mp4", Fraction(30), ("-g", "9999")),
        ("phone.webm", Fraction(30), VP9),
        ("ten-bits.mov", Fraction(25), PRORES),
        ("smooth.mp4", Fraction(60), ()),
        ("old.flv", Fraction(30), ()),
    ],
)
def test_every_frame_comes_out_once(name: str, rate: Fraction, options: tuple[str, ...], tmp_path: Path) -> None:
    job = render(film(tmp_path / name, seconds=4, size=(320, 180), rate=rate, options=options), tmp_path / "job")
    found = check(job.artifacts["mp4-480"].path)
    assert found.rate == rate
    assert found.numbers == list(range(round(4 * rate)))
    assert (found.width, found.height) == (320, 180)
    assert job.results["notes"] == []
    assert sum(key.startswith("chunk") for key in job.ran) > 1


def test_renditions_show_the_same_frames(tmp_path: Path) -> None:
    path = film(tmp_path / "large.mp4", seconds=3, size=(854, 480))
    job = render(path, tmp_path / "job", renditions=[480, 360, 240])
    assert job.results["renditions"] == ["mp4-480", "mp4-360", "mp4-240"]
    for kind, size in {"mp4-480": (854, 480), "mp4-360": (640, 360), "mp4-240": (426, 240)}.items():
        found = check(job.artifacts[kind].path)
        assert (found.width, found.height) == size
        assert found.numbers == list(range(90))


def test_a_film_that_was_cut_without_encoding_begins_where_it_was_cut(tmp_path: Path) -> None:
    """An edit list hides the frames before the cut, which had to stay in the file."""
    whole = film(tmp_path / "whole.mp4", seconds=5, size=(320, 180))
    ffmpeg("-ss", "1.3", "-i", str(whole), "-c", "copy", str(tmp_path / "cut.mp4"))
    job = render(tmp_path / "cut.mp4", tmp_path / "job")
    assert check(job.artifacts["mp4-480"].path).numbers == list(range(39, 150))


def test_a_changing_rate_becomes_constant(tmp_path: Path) -> None:
    lazy = ("-vf", "select='lt(n,60)+not(mod(n,3))'", "-fps_mode", "vfr")
    job = render(film(tmp_path / "screen.mkv", seconds=5, size=(320, 180), options=lazy), tmp_path / "job")
    found = check(job.artifacts["mp4-480"].path)
    assert found.rate == 30
    assert found.numbers == [n if n < 60 else n - n % 3 for n in range(148)]
    assert job.results["repeated_frames"] == 58


def test_fields_become_frames(tmp_path: Path) -> None:
    fields = ("-vf", "interlace=scan=tff", "-flags", "+ildct+ilme", *MPEG2)
    path = film(tmp_path / "fields.ts", seconds=4, size=(320, 180), rate=Fraction(50), options=fields)
    job = render(path, tmp_path / "job")
    assert job.results["interlaced"]
    found = check(job.artifacts["mp4-480"].path)
    assert found.rate == 25
    assert found.numbers == list(range(0, 200, 2))


def test_av1_has_the_same_frames(tmp_path: Path) -> None:
    job = render(film(tmp_path / "film.mp4", seconds=4, size=(320, 180)), tmp_path / "job", av1=True, av1_preset=13)
    assert check(job.artifacts["av1-480"].path).numbers == list(range(120))
    assert job.artifacts["av1-480"].metadata["codecs"] == "av01.0.00M.08,mp4a.40.2"
