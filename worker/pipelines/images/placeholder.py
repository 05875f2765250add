"""The blur that a page shows until the picture has arrived."""

from base64 import b64encode
from typing import Any

SIDE = 16
#: Longer than a BlurHash, and yet it needs no script to be drawn.
MAX_CHARACTERS = 300


def blur_placeholder(picture: Any) -> str:
    """Make a WebP of at most 16 × 16 pixels as a ``data:`` URI of at most 300 characters; the browser blurs it."""  # noqa: RUF002 - read as "by"
    tiny = picture.thumbnail_image(SIDE, height=SIDE, size="down").copy_memory()
    for quality in (40, 20, 5):
        data = tiny.webpsave_buffer(Q=quality, alpha_q=quality, effort=4, keep="none")
        uri = f"data:image/webp;base64,{b64encode(data).decode()}"
        if len(uri) <= MAX_CHARACTERS:
            return uri
    return blur_placeholder(picture.resize(0.5)) if min(picture.width, picture.height) > 1 else uri
