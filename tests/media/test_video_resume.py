"""A film whose machine is taken away goes on from its last finished step, and comes out as if nothing had happened."""

import random
from itertools import pairwise
from pathlib import Path

from tests.films import film
from tests.media.job import CutJob, run_through
from tests.media.rendering import QUICK, render
from worker.pipelines.video.pipeline import video


def test_power_cuts_change_no_byte(tmp_path: Path) -> None:
    path = film(tmp_path / "film.mp4", seconds=8, size=(320, 180))
    undisturbed = render(path, tmp_path / "undisturbed")
    chance = random.Random(5)
    attempts: list[CutJob] = []

    def attempt(cut: int | None) -> CutJob:
        attempts.append(CutJob(path, tmp_path / "disturbed", settings=QUICK, cut_at=cut))
        return attempts[-1]

    disturbed = run_through(video, attempt, [chance.randrange(2, 9) for _ in range(10)])
    assert len(attempts) > 4
    assert disturbed.results == undisturbed.results
    assert set(disturbed.artifacts) == set(undisturbed.artifacts)
    for kind, published in undisturbed.artifacts.items():
        assert disturbed.artifacts[kind].path.read_bytes() == published.path.read_bytes(), kind
        assert disturbed.artifacts[kind].metadata == published.metadata
    # What an attempt has stored, none after it does again.
    for earlier, later in pairwise(attempts):
        assert set(later.recalled) >= set(earlier.recalled)
        assert not set(later.ran) & set(earlier.recalled)
