"""How a film looks: upright, in its shape, in colours that a usual screen shows; and the pictures made of it."""

from contextlib import closing
from pathlib import Path

import av
import pytest
from PIL import Image

from tests.films import film
from tests.media.rendering import render
from tests.video_checks import check, ffmpeg, warnings

TEN_BITS = ("-c:v", "prores_ks", "-pix_fmt", "yuv422p10le")
BT709 = (1, 1, 1)


def test_it_stands_upright(tmp_path: Path) -> None:
    lying = film(tmp_path / "lying.mp4", seconds=2, size=(320, 180))
    ffmpeg("-display_rotation", "90", "-i", str(lying), "-c", "copy", str(tmp_path / "standing.mp4"))
    job = render(tmp_path / "standing.mp4", tmp_path / "job")
    found = check(job.artifacts["mp4-480"].path, numbered=False)
    assert (found.width, found.height) == (180, 320)
    assert job.results["rotation"] == 270
    assert (job.results["width"], job.results["height"]) == (180, 320)


def test_its_pixels_are_square_and_its_sides_even(tmp_path: Path) -> None:
    odd = film(tmp_path / "odd.mkv", seconds=2, size=(321, 183), options=("-pix_fmt", "yuv444p", "-vf", "setsar=4/3"))
    job = render(odd, tmp_path / "job")
    found = check(job.artifacts["mp4-480"].path)
    assert (found.width, found.height) == (428, 182)
    with closing(av.open(str(job.artifacts["mp4-480"].path))) as container:
        assert container.streams.video[0].sample_aspect_ratio == 1
        assert container.streams.video[0].pix_fmt == "yuv420p"


@pytest.mark.parametrize("transfer", ["smpte2084", "arib-std-b67"])
def test_hdr_becomes_bt709(transfer: str, tmp_path: Path) -> None:
    options = (*TEN_BITS, "-vf", f"setparams=color_primaries=bt2020:color_trc={transfer}:colorspace=bt2020nc")
    job = render(film(tmp_path / "hdr.mov", seconds=2, size=(320, 180), options=options), tmp_path / "job")
    assert check(job.artifacts["mp4-480"].path).numbers == list(range(60))
    with closing(av.open(str(job.artifacts["mp4-480"].path))) as container:
        context = container.streams.video[0].codec_context
        assert (context.color_primaries, context.color_trc, context.colorspace) == BT709
    assert job.results["hdr"] == {"smpte2084": "pq", "arib-std-b67": "hlg"}[transfer]


def test_hls_plays_the_same_files(tmp_path: Path) -> None:
    job = render(film(tmp_path / "film.mp4", seconds=8, size=(640, 360)), tmp_path / "job", renditions=[360, 240])
    served = tmp_path / "served"
    served.mkdir()
    for kind, published in job.artifacts.items():
        ending = ".mp4" if published.content_type == "video/mp4" else ".m3u8"
        (served / f"{kind}{ending}").write_bytes(published.path.read_bytes())
    assert warnings(served / "hls.m3u8") == []
    for kind in ("hls-mp4-360", "hls-mp4-240"):
        assert (served / f"{kind}.m3u8").read_text().count("#EXTINF") == 2
        assert warnings(served / f"{kind}.m3u8") == []


def test_the_poster_is_not_black_and_the_sheet_shows_all_of_it(tmp_path: Path) -> None:
    dark_at_first = ("-vf", "fade=t=in:st=2:d=0.1")
    job = render(film(tmp_path / "film.mp4", seconds=8, size=(640, 360), options=dark_at_first), tmp_path / "job")
    with Image.open(job.artifacts["poster"].path) as poster:
        assert poster.size == (640, 360)
        low, high = poster.convert("L").getextrema()
        assert isinstance(low, int)
        assert high - low > 150
    cues = job.artifacts["sprite-vtt"].path.read_text().split("\n\n")
    assert cues[0] == "WEBVTT"
    assert cues[1] == "00:00:00.000 --> 00:00:02.000\nsprite.jpg#xywh=0,0,160,90"
    assert cues[-1].rstrip() == "00:00:06.000 --> 00:00:08.000\nsprite.jpg#xywh=480,0,160,90"
    with Image.open(job.artifacts["sprite"].path) as sheet:
        assert sheet.size == (640, 90)
    assert job.artifacts["sprite"].metadata == {
        "tile_width": 160, "tile_height": 90, "columns": 4, "count": 4, "seconds": 2.0,
    }  # fmt: skip


def test_one_frame_is_a_film(tmp_path: Path) -> None:
    job = render(film(tmp_path / "one.mp4", seconds=1 / 30, size=(64, 64), sound=()), tmp_path / "job")
    assert len(check(job.artifacts["mp4-480"].path).numbers) == 1
