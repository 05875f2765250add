"""How large a picture may be, known from its header alone."""

from spotmill import PermanentError

#: A picture that cannot be decoded row by row may take this much memory for each pixel of the limit: 1 GB by default.
WHOLE_BYTES_PER_PIXEL = 4


def check_pixels(width: int, height: int, max_pixels: int) -> None:
    """Refuse a picture of more than ``max_pixels``.

    Raises:
        PermanentError: with both sizes in megapixels.
    """
    if width * height > max_pixels:
        raise PermanentError(
            f"This picture is too large: {width:,} × {height:,} pixels are "  # noqa: RUF001 - people read it
            f"{_megapixels(width * height)} megapixels, and the limit is {_megapixels(max_pixels)}."
        )


def check_memory(whole_bytes: int, max_pixels: int) -> None:
    """Refuse a picture that must be held whole, in ``whole_bytes``, where that is more than the limit allows for.

    Raises:
        PermanentError: saying what would help.
    """
    limit = WHOLE_BYTES_PER_PIXEL * max_pixels
    if whole_bytes > limit:
        raise PermanentError(
            "This picture is too large for the way it is stored: decoding it would take "
            f"{whole_bytes / 1e9:,.1f} GB of memory at once, and the limit is {limit / 1e9:,.1f} GB. "
            "Save it as a JPEG that is not progressive and upload that."
        )


def _megapixels(pixels: int) -> str:
    return f"{pixels / 1e6:,.0f}" if pixels >= 10e6 else f"{pixels / 1e6:,.2f}"
