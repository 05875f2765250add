"""Camera raw files are told by their bytes, and rendered upright, from the camera's preview or from the sensor."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from spotmill import PermanentError
from tests.memory_job import MemoryJob
from tests.photos import SECRETS, camera_exif, jpeg_bytes, oriented, photograph
from tests.pixels import difference, opened
from tests.raw_files import (
    ASCII,
    LONG,
    RATIONAL,
    SHORT,
    Directory,
    Tags,
    mosaic,
    sensor_directory,
    write_dng,
    write_tiff,
)
from worker.pipelines.image import image
from worker.pipelines.images.camera_files import raw_format

NO_CAMERA: Tags = {271: (ASCII, "Spotcam"), 272: (ASCII, "Mark II"), 254: (LONG, [1]), 274: (SHORT, [1])}
THUMBNAIL: Tags = {
    256: (LONG, [64]),
    257: (LONG, [48]),
    258: (SHORT, [8, 8, 8]),
    259: (SHORT, [1]),
    262: (SHORT, [2]),
    277: (SHORT, [3]),
    278: (LONG, [48]),
}


def scene(size: tuple[int, int] = (600, 400)) -> Image.Image:
    """A photograph whose whites LibRaw's brightening leaves as they are."""
    picture = photograph("coffee").resize(size, Image.Resampling.LANCZOS)
    picture.paste((255, 255, 255), (0, 0, size[0] // 8, size[1] // 8))
    return picture


def render(path: Path, data: bytes, **settings: Any) -> MemoryJob:
    path.write_bytes(data)
    job = MemoryJob(path, path.parent, settings)
    image(job)
    return job


def refusal(path: Path, data: bytes, **settings: Any) -> str:
    with pytest.raises(PermanentError) as refused:
        render(path, data, **settings)
    return str(refused.value)


def test_the_sensors_values_become_a_picture_in_srgb(tmp_path: Path) -> None:
    """Without a preview the mosaic is developed: the colours are those that went through the filters."""
    picture = scene()
    job = render(tmp_path / "photo.bin", write_dng(picture))
    assert job.results["format"] == "raw"
    assert job.results["raw"] == {"format": "dng", "rendered_from": "sensor"}
    assert (job.results["width"], job.results["height"]) == picture.size
    assert job.results["exif"] == {"Make": "Spotcam", "Model": "Mark II", "Orientation": 1}
    assert (job.results["frames"], job.results["has_alpha"], job.results["colour_profile"]) == (1, False, None)
    assert {made.kind: made.filename for made in job.artifacts.values()} == {
        "web-1600": "web-1600.webp",
        "web-320": "web-320.webp",
        "thumbnail": "thumbnail.jpg",
    }
    for made in job.artifacts.values():
        assert difference(opened(made.data), picture) < 7, made.kind


def test_large_sensors_are_developed_at_half_size(tmp_path: Path) -> None:
    """A picture that the renditions shrink anyway is developed two by two pixels, and looks the same."""
    picture = scene((3600, 2400))
    job = render(tmp_path / "photo.dng", write_dng(picture))
    assert (job.results["width"], job.results["height"]) == picture.size
    assert job.artifacts["web-1600"].metadata == {"width": 1600, "height": 1067}
    assert difference(opened(job.artifacts["web-1600"].data), picture.resize((1600, 1067))) < 5


def test_the_cameras_white_balance_is_kept(tmp_path: Path) -> None:
    """What the camera took for white is white: a cast that it measured does not show."""
    warm = Image.merge("RGB", [band.point(scale) for band, scale in zip(scene().split(), CAST, strict=True)])
    job = render(tmp_path / "photo.dng", write_dng(warm, neutral=(1, 0.5, 0.25)))
    assert difference(opened(job.artifacts["web-1600"].data), scene()) < 8


def dimmed(share: float) -> list[int]:
    """Say what each level of sRGB becomes when only that share of the light arrives."""
    light = [
        (v / 12.92 if v <= 0.04045 else ((v + 0.055) / 1.055) ** 2.4) * share for v in (n / 255 for n in range(256))
    ]
    return [round(255 * (v * 12.92 if v <= 0.0031308 else 1.055 * v ** (1 / 2.4) - 0.055)) for v in light]


CAST = [dimmed(share) for share in (1, 0.5, 0.25)]


@pytest.mark.parametrize("orientation", range(1, 9))
def test_every_orientation_of_the_sensor_is_undone(tmp_path: Path, orientation: int) -> None:
    """All eight orientations give the same upright picture, whose width and height are those that people see."""
    upright = scene()
    stored, _ = oriented(upright, orientation)
    job = render(tmp_path / "photo.dng", write_dng(stored, orientation=orientation))
    assert (job.results["width"], job.results["height"]) == upright.size
    assert job.results["orientation"] == orientation
    assert job.results["raw"]["rendered_from"] == "sensor"
    for made in job.artifacts.values():
        assert difference(opened(made.data), upright) < 7, made.kind


@pytest.mark.parametrize(
    ("orientation", "told"), [*((turn, "bare") for turn in range(1, 9)), (3, "tagged"), (6, "tagged")]
)
def test_a_preview_stored_like_the_sensor_is_turned_once(tmp_path: Path, orientation: int, told: str) -> None:
    """A preview lies as the sensor does, whether it has EXIF of its own that says so or none."""
    upright = scene((1800, 1200))
    stored, exif = oriented(upright, orientation)
    # The sensor saw something else: what is rendered is the preview.
    sensor, _ = oriented(Image.new("RGB", upright.size, "grey"), orientation)
    preview = jpeg_bytes(stored, quality=92, **({"exif": exif} if told == "tagged" else {}))
    job = render(tmp_path / "a.dng", write_dng(sensor, orientation=orientation, preview=(preview, stored.size)))
    assert job.results["raw"]["rendered_from"] == "preview"
    assert (job.results["width"], job.results["height"]) == upright.size
    for made in job.artifacts.values():
        assert difference(opened(made.data), upright) < 7, made.kind


@pytest.mark.parametrize("orientation", range(5, 9))
def test_a_preview_stored_upright_is_not_turned(tmp_path: Path, orientation: int) -> None:
    """Where an editor has turned the preview already, its shape shows it."""
    upright = scene((1800, 1200))
    sensor, _ = oriented(Image.new("RGB", upright.size, "grey"), orientation)
    preview = jpeg_bytes(upright, quality=92)
    job = render(tmp_path / "a.dng", write_dng(sensor, orientation=orientation, preview=(preview, upright.size)))
    assert job.results["raw"]["rendered_from"] == "preview"
    assert difference(opened(job.artifacts["web-1600"].data), upright) < 7


USELESS = {
    "too small": jpeg_bytes(Image.new("RGB", (1200, 800))),
    "of another shape": jpeg_bytes(Image.new("RGB", (1800, 1800))),
    "cut off": jpeg_bytes(photograph("coffee").resize((1800, 1200)))[:40_000],
}


@pytest.mark.parametrize("name", USELESS)
def test_a_preview_that_does_not_do_is_passed_over(tmp_path: Path, name: str) -> None:
    """A preview smaller than the largest rendition, of another shape, or broken gives way to the sensor."""
    picture = scene((1800, 1200))
    job = render(tmp_path / "a.dng", write_dng(picture, preview=(USELESS[name], (1800, 1200))))
    assert job.results["raw"]["rendered_from"] == "sensor"
    assert difference(opened(job.artifacts["web-1600"].data), picture.resize((1600, 1067))) < 5
    assert sorted(file.name for file in tmp_path.iterdir() if file.is_file()) == [
        "a.dng",
        "thumbnail.jpg",
        "web-1600.webp",
        "web-320.webp",
    ]


@pytest.mark.parametrize("orientation", [1, 6])
def test_width_and_height_are_those_the_camera_means(tmp_path: Path, orientation: int) -> None:
    """Sensors see more than the picture: what lies beyond the camera's crop is neither counted nor shown."""
    upright = scene()
    stored, _ = oriented(upright, orientation)
    framed = Image.new("RGB", (stored.width + 48, stored.height + 40), "red")
    framed.paste(stored, (22, 14))
    cropped: Tags = {
        50829: (LONG, [8, 16, framed.height - 8, framed.width - 8]),  # ActiveArea: top, left, bottom, right
        50719: (LONG, [6, 6]),  # DefaultCropOrigin
        50720: (LONG, list(stored.size)),  # DefaultCropSize
    }
    job = render(tmp_path / "a.dng", write_dng(framed, orientation=orientation, sensor_extra=cropped))
    assert (job.results["width"], job.results["height"]) == upright.size
    assert difference(opened(job.artifacts["web-1600"].data), upright) < 7


def vendor(maker: str, model: str, magic: bytes = b"II*\0") -> bytes:
    """Make a raw file as the makers of cameras lay it out: a TIFF with a preview first and the sensor below."""
    main: Tags = {**THUMBNAIL, **NO_CAMERA, 271: (ASCII, maker), 272: (ASCII, model)}
    picture = scene()
    below = {330: [sensor_directory(mosaic(picture))]}
    return write_tiff(Directory(main, picture.resize((64, 48)).tobytes(), below), magic)


@pytest.mark.parametrize(
    ("name", "data"),
    [
        ("nef", vendor("NIKON CORPORATION", "NIKON D70")),
        ("pef", vendor("PENTAX", "PENTAX K10D")),
        ("srw", vendor("SAMSUNG", "NX100")),
        ("orf", vendor("Nobody", "Nothing", b"IIRO")),
        ("raw", vendor("Nobody", "Nothing")),
    ],
)
def test_the_makers_own_files_are_rendered(tmp_path: Path, name: str, data: bytes) -> None:
    """Nikon's, Pentax's, Samsung's and Olympus' files are read, and called what people call them."""
    job = render(tmp_path / "photo", data)
    assert job.results["raw"] == {"format": name, "rendered_from": "sensor"}
    assert job.results["width"] in (599, 600)  # LibRaw leaves out a column that Nikon's sensor does not light
    shown = opened(job.artifacts["web-320"].data).convert("L")
    assert difference(shown, scene().convert("L")) < 60, "another camera's colours, the same picture"


SIGNATURES = {
    "cr2": b"II*\0\x10\0\0\0CR\2\0",
    "cr3": b"\0\0\0\x18ftypcrx \0\0\0\1crx isom",
    "raf": b"FUJIFILMCCD-RAW 0201",
    "orf": b"MMOR\0\0\0\x08",
    "rw2": b"IIU\0\x18\0\0\0",
    "crw": b"II\x1a\0\0\0HEAPCCDR",
    "mrw": b"\0MRM",
    "x3f": b"FOVb",
}


@pytest.mark.parametrize("name", SIGNATURES)
def test_raw_files_are_told_by_their_first_bytes(tmp_path: Path, name: str) -> None:
    """What is not a plain TIFF has a signature; with nothing behind it, it is refused in words."""
    path = tmp_path / "photo.jpg"
    path.write_bytes(SIGNATURES[name].ljust(64, b"\0"))
    assert raw_format(path) == name
    assert refusal(path, path.read_bytes()).startswith(f"This {name.upper()} file ")


def test_an_ordinary_tiff_is_no_raw_file(tmp_path: Path) -> None:
    """A photograph saved as TIFF by an editor, with the camera's EXIF, stays one."""
    path = tmp_path / "photo.tif"
    photograph("coffee").save(path, exif=camera_exif())
    assert raw_format(path) is None


def test_what_a_raw_file_says_is_filtered_as_any_exif(tmp_path: Path) -> None:
    """Exposure and time come through under their names; serial number and owner do not."""
    exif: Tags = {
        0x829A: (RATIONAL, [1 / 250]),
        0x829D: (RATIONAL, [2.8]),
        0x9003: (ASCII, "2024:05:01 12:34:56"),
        0x9011: (ASCII, "+02:00"),
        0xA430: (ASCII, "Olga Owner"),
        0xA431: (ASCII, "SN-4711-BODY"),
    }
    extra: Tags = {50735: (ASCII, "SN-4711-BODY"), 315: (ASCII, "Olga Owner"), 316: (ASCII, "olgas-phone")}
    preview = jpeg_bytes(scene(), exif=camera_exif())
    data = write_dng(scene(), exif=exif, extra=extra, preview=(preview, (600, 400)))
    assert b"Olga Owner" in data
    job = render(tmp_path / "photo.dng", data)
    assert job.results["exif"] == {
        "DateTimeOriginal": "2024:05:01 12:34:56",
        "ExposureTime": 0.004,
        "FNumber": 2.8,
        "Make": "Spotcam",
        "Model": "Mark II",
        "OffsetTimeOriginal": "+02:00",
        "Orientation": 1,
    }
    assert job.results["taken_at"] == "2024-05-01T12:34:56+02:00"
    published = [made.data for made in job.artifacts.values()] + [json.dumps(job.results).encode()]
    assert not [secret for secret in SECRETS for part in published if secret.encode() in part]


def box(kind: bytes, content: bytes) -> bytes:
    return (8 + len(content)).to_bytes(4, "big") + kind + content


def test_exif_of_canons_and_fujifilms_own_containers_is_found(tmp_path: Path) -> None:
    """CR3 keeps EXIF in boxes, RAF in the JPEG that it begins with."""
    from worker.pipelines.images.camera_files import read_camera_tags  # noqa: PLC0415 - only this test reads it bare

    one = write_tiff(Directory({271: (ASCII, "Canon"), 274: (SHORT, [8])}))
    two = write_tiff(Directory({0x829D: (RATIONAL, [4]), 0xA431: (ASCII, "SN-4711-BODY")}))
    canon = bytes.fromhex("85c0b687820f11e08111f4ce462b6a48")
    boxes = box(b"uuid", canon + box(b"CNCV", b"CanonCR3") + box(b"CMT1", one) + box(b"CMT2", two))
    path = tmp_path / "photo"
    path.write_bytes(box(b"ftyp", b"crx \0\0\0\1crx isom") + box(b"moov", box(b"free", b"") + boxes))
    assert raw_format(path) == "cr3"
    assert read_camera_tags(path, "cr3").tags == {"FNumber": 4.0, "Make": "Canon", "Orientation": 8}

    head = b"FUJIFILMCCD-RAW 0201".ljust(84, b"\0") + (108).to_bytes(4, "big")
    path.write_bytes(head.ljust(108, b"\0") + jpeg_bytes(scene(), exif=camera_exif(3)))
    assert raw_format(path) == "raf"
    tags = read_camera_tags(path, "raf").tags
    assert (tags["Make"], tags["Orientation"], tags["FNumber"]) == ("Spotcam", 3, 2.8)


@pytest.mark.parametrize("share", [0.3, 0.6, 0.95])
@pytest.mark.parametrize("preview", [False, True])
def test_a_raw_file_that_was_cut_off_says_so(tmp_path: Path, share: float, *, preview: bool) -> None:
    """Directories come first in cameras' files: one whose data ends early is refused, whatever its preview."""
    picture = scene((1800, 1200))
    shown = (jpeg_bytes(picture), picture.size) if preview else None
    data = write_dng(picture, preview=shown, directories_first=True)
    assert refusal(tmp_path / "a.dng", data[: int(len(data) * share)]) == (
        "This DNG file is cut off: it ends before the picture is complete. Upload the original again."
    )


def test_an_unknown_packing_says_so(tmp_path: Path) -> None:
    """What LibRaw cannot undo is no damage; people hear what helps."""
    data = write_dng(scene(), sensor_extra={259: (SHORT, [52546])})  # JPEG XL, of DNG 1.7
    assert refusal(tmp_path / "a.dng", data) == (
        "This DNG file comes from a camera, or is packed in a way, that cannot be read here. "
        "Save it as JPEG or PNG and upload that."
    )


def test_an_unknown_packing_is_rendered_from_the_preview(tmp_path: Path) -> None:
    """Where the camera left a large preview, it does not matter that LibRaw cannot read the rest."""
    picture = scene((1800, 1200))
    preview = (jpeg_bytes(picture, quality=92), picture.size)
    job = render(tmp_path / "a.dng", write_dng(picture, preview=preview, sensor_extra={259: (SHORT, [52546])}))
    assert job.results["raw"]["rendered_from"] == "preview"


def test_the_limit_of_pixels_holds_for_raw_files(tmp_path: Path) -> None:
    """The sensor's pixels are counted before they are read."""
    assert "megapixels, and the limit is 0.20." in refusal(tmp_path / "a.dng", write_dng(scene()), max_pixels=200_000)


def test_only_raw_files_load_libraw(tmp_path: Path) -> None:
    """NumPy, which rawpy brings, takes its time to load; a JPEG does not wait for it."""
    photograph("coffee").save(tmp_path / "photo.jpg")
    script = (
        "import sys; from pathlib import Path; from tests.memory_job import MemoryJob;"
        "from worker.pipelines.image import image, warm_up; warm_up();"
        f"image(MemoryJob(Path({str(tmp_path / 'photo.jpg')!r}), Path({str(tmp_path)!r})));"
        "print(sorted({'rawpy', 'numpy', 'scipy', 'imagehash'} & sys.modules.keys()))"
    )
    root = Path(__file__).parents[2]
    done = subprocess.run(
        [sys.executable, "-c", script],
        capture_output=True,
        check=True,
        text=True,
        env=os.environ | {"PYTHONPATH": str(root)},
    )
    assert done.stdout.strip() == "[]"
