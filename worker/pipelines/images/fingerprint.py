"""Perceptual hashes: numbers that stay nearly the same when a picture is saved again, scaled or brightened.

ImageHash (https://github.com/JohannesBuchner/imagehash, 4.3) defines both, and gives the same for the same pixels. It
is not used here because it loads NumPy and SciPy, half a second and 60 MB, for 10,000 multiplications.
"""

import math
from collections.abc import Iterable
from itertools import pairwise
from operator import mul
from statistics import median
from typing import Any

#: Bits along each side of a hash.
_SIDE = 8
#: Side of the square that the cosine transform sees; of its frequencies the lowest are kept, as many as there are bits.
_SEEN = 32
_COSINES = [[math.cos(math.pi * k * (2 * n + 1) / (2 * _SEEN)) for n in range(_SEEN)] for k in range(_SIDE)]


def perceptual_hashes(picture: Any) -> dict[str, str]:
    """Hash an upright libvips image in sRGB, of some hundred pixels: 64 bits each, as 16 hexadecimal digits.

    ``dhash`` compares neighbours, ``phash`` low frequencies with their median. What is transparent counts as white.
    """
    from PIL import Image  # noqa: PLC0415 - whoever only asks which pipelines exist has no Pillow

    if picture.hasalpha():
        picture = picture.flatten(background=255)
    colours = Image.frombytes("RGB", (picture.width, picture.height), picture.write_to_memory())
    grey = colours.convert("L")
    return {
        "dhash": _differences(grey.resize((_SIDE + 1, _SIDE), Image.Resampling.LANCZOS).tobytes()),
        "phash": _frequencies(grey.resize((_SEEN, _SEEN), Image.Resampling.LANCZOS).tobytes()),
    }


def _differences(pixels: bytes) -> str:
    """Ask of each pixel whether it is brighter than its left neighbour."""
    rows = (pixels[at : at + _SIDE + 1] for at in range(0, len(pixels), _SIDE + 1))
    return _digits(right > left for row in rows for left, right in pairwise(row))


def _frequencies(pixels: bytes) -> str:
    """Ask of each of the lowest frequencies (DCT-II in both directions) whether it is above their median."""
    columns = [pixels[at::_SEEN] for at in range(_SEEN)]
    vertical = [[sum(map(mul, cosines, column)) for column in columns] for cosines in _COSINES]
    # Rounded, because of a flat or symmetric picture the last bits of a double would decide.
    low = [round(sum(map(mul, row, cosines)), 6) for row in vertical for cosines in _COSINES]
    middle = median(low)
    return _digits(value > middle for value in low)


def _digits(bits: Iterable[bool]) -> str:
    return f"{int(''.join('1' if bit else '0' for bit in bits), 2):0{_SIDE * _SIDE // 4}x}"
