"""Looking at pictures: how far apart two are, and what colour one is."""

import io

import numpy as np
from PIL import Image


def opened(data: bytes) -> Image.Image:
    """Decode published bytes with Pillow, which had no part in making them."""
    picture = Image.open(io.BytesIO(data))
    picture.load()
    return picture


def difference(one: Image.Image, other: Image.Image) -> float:
    """Say the mean difference of two pictures in levels of 255, both brought to the size of the first."""
    first = one.convert("RGB")
    second = other.convert("RGB").resize(first.size, Image.Resampling.LANCZOS)
    return float(np.abs(np.asarray(first, np.int16) - np.asarray(second, np.int16)).mean())


def middle(picture: Image.Image) -> tuple[int, ...]:
    """Read the colour in the middle of a picture."""
    pixel = picture.convert("RGBA" if "A" in picture.getbands() else "RGB").getpixel(
        (picture.width // 2, picture.height // 2)
    )
    assert isinstance(pixel, tuple)
    return tuple(int(band) for band in pixel)
