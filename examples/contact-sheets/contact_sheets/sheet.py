"""One contact sheet: pictures in rows, each with its name below."""

from collections.abc import Iterable
from pathlib import Path

from PIL import Image, ImageDraw, ImageFont, ImageOps

GAP = 12
LABEL = 22
PAPER, INK, MISSING = "white", "#333333", "#dddddd"


def draw(tiles: Iterable[tuple[str, Image.Image | None]], columns: int, side: int, font: Path | None) -> Image.Image:
    """Draw tiles of ``side`` pixels, as many to a row as there are columns; None is a picture that is damaged."""
    letters = _font(font)
    cells = [_cell(name, picture, side, letters) for name, picture in tiles]
    rows = -(-len(cells) // columns)
    wide, high = side + GAP, side + LABEL + GAP
    paper = Image.new("RGB", (GAP + min(columns, len(cells)) * wide, GAP + rows * high), PAPER)
    for number, cell in enumerate(cells):
        paper.paste(cell, (GAP + number % columns * wide, GAP + number // columns * high))
    return paper


def is_font(path: Path) -> bool:
    """Tell whether a file is a font."""
    try:
        _font(path)
    except OSError:
        return False
    return True


def _cell(name: str, picture: Image.Image | None, side: int, letters: ImageFont.FreeTypeFont) -> Image.Image:
    cell = Image.new("RGB", (side, side + LABEL), PAPER)
    if picture is None:
        cell.paste(Image.new("RGB", (side, side), MISSING))
    else:
        shown = ImageOps.contain(picture, (side, side))
        cell.paste(shown, ((side - shown.width) // 2, (side - shown.height) // 2))
    pen = ImageDraw.Draw(cell)
    while name and pen.textlength(name, letters) > side:
        name = name[:-2] + "…" if len(name) > 2 else ""
    pen.text((side // 2, side + LABEL // 2), name, INK, letters, anchor="mm")
    return cell


def _font(path: Path | None) -> ImageFont.FreeTypeFont:
    if path is None:
        font = ImageFont.load_default(14)
        assert isinstance(font, ImageFont.FreeTypeFont)  # noqa: S101 - it is one whenever a size is asked for
        return font
    return ImageFont.truetype(str(path), 14)
