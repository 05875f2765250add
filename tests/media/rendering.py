"""Running the video pipeline over a small film."""

from pathlib import Path
from typing import Any

from spotmill.testing import DirectoryJob
from worker.pipelines.video.pipeline import video

#: Quick, and with more than one chunk in a film of a few seconds.
QUICK = {"preset": "ultrafast", "chunk_seconds": 2, "captions": False}


def render(path: Path, home: Path, **settings: Any) -> DirectoryJob:
    """Run the pipeline undisturbed; return the job with what it published."""
    job = DirectoryJob(path, home, settings=QUICK | settings)
    job.run(video)
    return job
