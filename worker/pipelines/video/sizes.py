"""How large each rendition is: upright, with square pixels, even sides, and never larger than the film."""

from dataclasses import dataclass
from fractions import Fraction


@dataclass(frozen=True, slots=True)
class Size:
    """A rendition named ``name`` (1080, 720, …) of ``width`` by ``height`` pixels."""

    name: int
    width: int
    height: int


def shown(width: int, height: int, sample_aspect: Fraction) -> tuple[int, int]:
    """Return the size that an upright picture has with square pixels; its lines stay as they are."""
    return max(1, round(width * sample_aspect)) if sample_aspect > 0 else width, height


def renditions(width: int, height: int, names: tuple[int, ...]) -> list[Size]:
    """Choose the renditions of a film of ``width`` by ``height`` square pixels, the largest first.

    Rendition N fits into a box of 16:9 whose shorter side is N, lying or standing as the film does: 1920 x 800 is a
    1080. Of the sizes asked for, those are made that are smaller than the film, and one that holds it whole.
    """
    chosen: list[Size] = []
    for name in sorted(names):
        size = _fit(width, height, name)
        chosen.append(size)
        if (size.width, size.height) == (_even(width), _even(height)):
            break
    return chosen[::-1]


def _fit(width: int, height: int, name: int) -> Size:
    long_side, short_side = Fraction(name * 16, 9), name
    across, up = (long_side, short_side) if width >= height else (short_side, long_side)
    scale = min(Fraction(1), Fraction(across) / width, Fraction(up) / height)
    return Size(name, _even(width * scale), _even(height * scale))


def _even(side: Fraction | int) -> int:
    """Round to an even number, as 4:2:0 wants it; what is exactly odd loses a line rather than gaining one."""
    return max(2, 2 * int(Fraction(side) / 2 + Fraction(49, 100)))
