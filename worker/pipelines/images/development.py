"""From a camera raw file to its largest rendition: which of the two pictures in it, and upright exactly once.

The preview is the picture that the photographer saw and chose: with the camera's tones, noise reduction and correction
of the lens, none of which LibRaw knows. It takes a sixth of the time, and helps where LibRaw cannot undo how a file is
packed. The sensor's values are developed where there is none that is large enough, or where it shows something else.
"""

from pathlib import Path
from typing import Any, Literal

from spotmill import PermanentError
from worker.pipelines.images.camera_files import seems_complete
from worker.pipelines.images.decoding import decode, without_metadata
from worker.pipelines.images.exif import parse_exif
from worker.pipelines.images.formats import FORMATS
from worker.pipelines.images.header import Header, read_header
from worker.pipelines.images.libvips import load_libvips
from worker.pipelines.images.raw import RawPicture

#: How much the shapes of preview and picture may differ: 1616 by 1080 stands for 6000 by 4000.
_SAME_SHAPE = 0.02

#: What undoes each EXIF orientation.
_INVERSE = {1: 1, 2: 2, 3: 3, 4: 4, 5: 5, 6: 8, 7: 7, 8: 6}


def develop(
    picture: RawPicture, longest_side: int, max_pixels: int, folder: Path
) -> tuple[Any, Literal["preview", "sensor"]]:
    """Make a libvips image of at most ``longest_side``, as ``decode`` does; say from which picture.

    Raises:
        PermanentError: the file is damaged or cut off, too large, or in a way that LibRaw does not know.
        RetryableError: memory ran out.
    """
    # A preview comes through unharmed where the end of the file is missing, which nobody would notice.
    if seems_complete(picture.path):
        preview = _from_preview(picture, longest_side, max_pixels, folder)
        if preview is not None:
            return preview, "preview"
    return _from_sensor(picture, longest_side, max_pixels), "sensor"


def _from_preview(picture: RawPicture, longest_side: int, max_pixels: int, folder: Path) -> Any:
    data = picture.preview()
    if data is None:
        return None
    path = folder / "preview.jpg"
    path.write_bytes(data)
    try:
        header = read_header(path, FORMATS["jpeg"], max_pixels)
        if max(header.width, header.height) < min(longest_side, max(picture.width, picture.height)):
            return None
        turn = _orientation(header, picture)
        if turn is None:
            return None
        shown = decode(path, FORMATS["jpeg"], header, longest_side)
        tagged = parse_exif(header.exif).orientation
        return shown if turn == tagged else _turn(_turn(shown, _INVERSE[tagged]), turn)
    except PermanentError:  # the sensor's values may be whole
        return None
    finally:
        path.unlink()


def _orientation(header: Header, picture: RawPicture) -> int | None:
    """Say how to turn a preview: by its own EXIF, like the sensor's picture, not at all; None where no shape fits.

    Cameras store it as the sensor does; some editors store it upright and leave the sensor's orientation beside it.
    """
    upright_width, upright_height = picture.upright_size
    for orientation in (parse_exif(header.exif).orientation, picture.orientation, 1):
        width, height = (header.height, header.width) if orientation >= 5 else (header.width, header.height)
        if abs(width * upright_height / (height * upright_width) - 1) < _SAME_SHAPE:
            return orientation
    return None


def _from_sensor(picture: RawPicture, longest_side: int, max_pixels: int) -> Any:
    vips = load_libvips()
    rows = picture.develop(longest_side, max_pixels)
    height, width, bands = rows.shape
    image = vips.Image.new_from_memory(rows.tobytes(), width, height, bands, "uchar")
    image = _turn(image.copy(interpretation="srgb" if bands == 3 else "b-w"), picture.orientation)
    fitted = image.thumbnail_image(longest_side, height=longest_side, size="down", no_rotate=True)
    return without_metadata(vips, fitted.colourspace("srgb"))


def _turn(image: Any, orientation: int) -> Any:
    """Turn an image upright that lies as an EXIF orientation says."""
    if orientation == 1:
        return image
    image = image.copy()
    image.set_type(load_libvips().GValue.gint_type, "orientation", orientation)
    return image.autorot().copy_memory()
