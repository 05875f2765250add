"""The film that is measured, made once and kept below ``.bench/media``."""

import os
from pathlib import Path

from tests.films import film as make

_KEPT = Path(__file__).parent.parent.parent / ".bench" / "media"
#: As a camera would write it: some grain, 1080p at 30 frames a second, a keyframe every four seconds at most.
_GRAIN = ("-vf", "noise=alls=4:allf=t,format=yuv420p")
_CAMERA = ("-preset", "superfast", "-crf", "22", "-g", "120", "-b:a", "192k")


def film(minutes: int) -> Path:
    """Return a film of so many minutes; making ten takes about ten minutes on two processors, once."""
    path = _KEPT / f"film-{minutes}.mp4"
    if not path.exists():
        _KEPT.mkdir(parents=True, exist_ok=True)
        unfinished = _KEPT / f"unfinished-{os.getpid()}.mp4"
        make(unfinished, seconds=minutes * 60, size=(1920, 1080), options=(*_CAMERA, *_GRAIN))
        unfinished.rename(path)
    return path
