"""Which renditions a film gets, and how large they are."""

from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from worker.pipelines.video.sizes import renditions, shown

ALL = (1080, 720, 480)


@pytest.mark.parametrize(
    ("film", "wanted"),
    [
        ((1920, 1080), [(1080, 1920, 1080), (720, 1280, 720), (480, 854, 480)]),
        ((3840, 2160), [(1080, 1920, 1080), (720, 1280, 720), (480, 854, 480)]),
        ((1080, 1920), [(1080, 1080, 1920), (720, 720, 1280), (480, 480, 854)]),
        ((3840, 1600), [(1080, 1920, 800), (720, 1280, 534), (480, 854, 356)]),
        ((1280, 720), [(720, 1280, 720), (480, 854, 480)]),
        ((1000, 562), [(720, 1000, 562), (480, 854, 480)]),
        ((640, 480), [(480, 640, 480)]),
        ((320, 240), [(480, 320, 240)]),
        ((641, 361), [(480, 640, 360)]),
        ((1, 1), [(480, 2, 2)]),
        ((4000, 2), [(1080, 1920, 2), (720, 1280, 2), (480, 854, 2)]),
    ],
)
def test_renditions(film: tuple[int, int], wanted: list[tuple[int, int, int]]) -> None:
    assert [(size.name, size.width, size.height) for size in renditions(*film, ALL)] == wanted


@given(st.integers(16, 8192), st.integers(16, 8192))
def test_nothing_is_enlarged_or_odd(width: int, height: int) -> None:
    made = renditions(width, height, ALL)
    assert made
    for size in made:
        assert size.width <= width + 1  # 17 becomes 16; only what is below 2 grows
        assert size.height <= height + 1
        assert size.width % 2 == size.height % 2 == 0
    assert [size.name for size in made] == sorted((size.name for size in made), reverse=True)


def test_pixels_become_square() -> None:
    assert shown(720, 576, Fraction(64, 45)) == (1024, 576)
    assert shown(1440, 1080, Fraction(4, 3)) == (1920, 1080)
    assert shown(640, 480, Fraction(0)) == (640, 480)
