"""Colour profiles: what they are called, and from any of them to sRGB."""

import io
from typing import Any

from worker.pipelines.images.libvips import load_libvips

MAX_NAME_LENGTH = 120


def profile_name(icc: bytes | None) -> str | None:
    """Read the description of an ICC profile (ICC.1:2022, 9.2.41), or None where there is none to be read."""
    if not icc:
        return None
    from PIL import ImageCms  # noqa: PLC0415 - this module is imported where there is no need for Pillow

    try:
        name = ImageCms.getProfileDescription(ImageCms.ImageCmsProfile(io.BytesIO(icc)))
    except (ImageCms.PyCMSError, OSError):
        return None
    name = "".join(char for char in name if char.isprintable()).strip()
    return name[:MAX_NAME_LENGTH] or None


def to_srgb(image: Any) -> Any:
    """Convert to 8-bit sRGB by the embedded profile; without one, or with one that does not fit, by interpretation."""
    vips = load_libvips()
    if image.get_typeof("icc-profile-data"):
        try:
            # icc_transform is lazy: the pixels must be asked for here for a bad profile to show here.
            return image.icc_transform("srgb", embedded=True, depth=8).copy_memory()
        except vips.Error:
            image = image.copy()
            image.remove("icc-profile-data")
    return image.colourspace("srgb").cast("uchar")
