"""A film whose machine is taken away goes on from its last finished step, and comes out as if nothing had happened."""

import random
import subprocess
from itertools import pairwise
from pathlib import Path

from imageio_ffmpeg import get_ffmpeg_exe

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


def test_what_the_cap_on_the_bitrate_does_depends_on_no_timing(tmp_path: Path) -> None:
    """Noise asks for more than the cap allows; with several threads of x264 no two runs were alike."""
    noise = ["-f", "lavfi", "-i", "testsrc2=s=854x480:r=30:d=4,noise=alls=40:allf=t:all_seed=1"]
    made = ["-c:v", "libx264", "-preset", "ultrafast", "-crf", "12", str(tmp_path / "noise.mp4")]
    subprocess.run([get_ffmpeg_exe(), "-nostdin", "-v", "error", *noise, *made], check=True)
    jobs = [render(tmp_path / "noise.mp4", tmp_path / name, preset="veryfast") for name in ("one", "other")]
    one, other = (job.artifacts["mp4-480"] for job in jobs)
    assert one.path.stat().st_size < 4 * 2_200_000 / 8 * 1.6  # the cap, and what its buffer lets through
    assert one == other
