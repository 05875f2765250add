"""How large a picture may be, known from its header alone."""

from spotmill import PermanentError

#: A picture that cannot be decoded row by row may take this much memory for each pixel of the limit: 1 GB by default.
WHOLE_BYTES_PER_PIXEL = 4
#: A limit below this is told in pixels.
_FEW_PIXELS = 100_000
_UNITS = ((10**9, "GB"), (10**6, "MB"), (10**3, "kB"))


def check_pixels(width: int, height: int, max_pixels: int) -> None:
    """Refuse a picture of more than ``max_pixels``.

    Raises:
        PermanentError: with both numbers, in megapixels where these tell them apart.
    """
    if width * height > max_pixels:
        has, limit = f"{_megapixels(width * height)} megapixels", _megapixels(max_pixels)
        if max_pixels < _FEW_PIXELS or _megapixels(width * height) == limit:
            has, limit = f"{width * height:,} in all", f"{max_pixels:,}"
        raise PermanentError(
            f"This picture is too large: {width:,} × {height:,} pixels are {has}, "  # noqa: RUF001 - people read it
            f"and the limit is {limit}."
        )


def check_memory(whole_bytes: int, max_pixels: int) -> None:
    """Refuse a picture that must be held whole, in ``whole_bytes``, where that is more than the limit allows for.

    Raises:
        PermanentError: saying what would help.
    """
    limit = WHOLE_BYTES_PER_PIXEL * max_pixels
    if whole_bytes > limit:
        size, unit = next(((size, unit) for size, unit in _UNITS if limit >= size), _UNITS[-1])
        raise PermanentError(
            "This picture is too large for the way it is stored: decoding it would take "
            f"{whole_bytes / size:,.1f} {unit} of memory at once, and the limit is {limit / size:,.1f} {unit}. "
            "Save it as a JPEG that is not progressive and upload that."
        )


def _megapixels(pixels: int) -> str:
    return f"{pixels / 1e6:,.0f}" if pixels >= 10e6 else f"{pixels / 1e6:,.2f}"
