"""How a film is cut, and that a plan survives being stored."""

import json
from fractions import Fraction
from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from worker.pipelines.media import aac
from worker.pipelines.video.plan import Chunk, Plan, chunk_seconds, cut, seeks
from worker.pipelines.video.sizes import Size

FULL = [Size(1080, 1920, 1080), Size(720, 1280, 720), Size(480, 854, 480)]


@given(st.integers(1, 20_000), st.lists(st.integers(0, 20_000)), st.integers(1, 600))
def test_each_frame_is_in_one_chunk(frames: int, keys: list[int], target: int) -> None:
    ranges = cut(frames, sorted(keys), target)
    assert ranges[0][0] == 0
    assert ranges[-1][1] == frames
    assert all(before[1] == after[0] for before, after in pairwise(ranges))
    assert all(0 < end - first <= 1.6 * target + 1 for first, end in ranges)


def test_chunks_begin_at_keyframes_that_are_near() -> None:
    assert cut(1000, [0, 250, 500, 750], 240) == [(0, 250), (250, 500), (500, 750), (750, 1000)]


def test_decoding_begins_at_the_last_keyframe_and_further_back_if_that_fails() -> None:
    tried = seeks(500, [0, 250, 500, 750], [0.0, 10.0, 20.0, 30.0], margin=0, exact=True)
    assert tried == (20.14, 10.0, 5.0, None)
    assert seeks(500, [0, 250, 500, 750], [0.0, 10.0, 20.0, 30.0], margin=2, exact=True)[0] == 10.14
    assert seeks(5, [], [], margin=0, exact=True) == (None,)


def test_a_chunk_takes_seconds_whatever_the_film() -> None:
    usual = chunk_seconds(FULL, Fraction(30), 1920 * 1080, "veryfast", None, hdr=False)
    assert 5 < usual < 12
    slow = chunk_seconds(FULL, Fraction(60), 3840 * 2160, "slow", 8, hdr=True)
    assert slow == 2.0
    assert chunk_seconds(FULL[2:], Fraction(25), 400_000, "veryfast", None, hdr=False) == 30.0


def test_a_plan_survives_being_stored() -> None:
    plan = Plan(
        rate=Fraction(30000, 1001), base=Fraction(1, 90000), origin=132006, frames=599, lead=3, gop=60,
        sizes=tuple(FULL), chunks=(Chunk(0, 0, 300, (None,)), Chunk(1, 300, 599, (11.25, None))), encoder="x264",
        samples=960_000, constant=True, source_frames=596, repeated=3, dropped=0, rewrapped=False,
    )  # fmt: skip
    assert Plan.from_json(json.loads(json.dumps(plan.to_json()))) == plan


@given(st.integers(1, 10**10))
def test_each_coded_frame_of_sound_is_in_one_piece(samples: int) -> None:
    pieces = aac.pieces(samples)
    assert pieces[0].first == 0
    assert pieces[-1].end is None
    assert all(before.end == after.first for before, after in pairwise(pieces))
