"""Who encodes, and how: x264, NVENC, SVT-AV1, all with keyframes where the plan has them."""

import functools
from dataclasses import dataclass

from spotmill import PermanentError, RetryableError
from worker.pipelines.media import ffmpeg
from worker.pipelines.video.plan import Plan
from worker.pipelines.video.settings import Settings
from worker.pipelines.video.sizes import Size

#: Threads of one x264. Where the cap on the bitrate is felt, several of them look at how far the others are just then,
#: and no two runs write the same. Renditions and chunks run side by side, so that processors have enough to do.
_THREADS = 1
#: Most kilobits a second of a rendition of so many pixels at 30 frames a second; what crf asks beyond that is noise.
_MOST_KBPS = ((3840 * 2160, 24_000), (2560 * 1440, 14_000), (1920 * 1080, 8_000), (1280 * 720, 4_500), (0, 2_200))


@dataclass(frozen=True, slots=True)
class Output:
    """One file that is made: the artifact's kind, its size, and the encoder."""

    kind: str
    size: Size
    codec: str

    @property
    def label(self) -> str:
        """What people call it: 720p."""
        return f"{self.size.name}p"


def outputs(plan: Plan, settings: Settings) -> list[Output]:
    """Return every file of the film, the largest H.264 first, then the AV1 of each size."""
    made = []
    for size in plan.sizes:
        made.append(Output(f"mp4-{size.name}", size, plan.encoder))
        if settings.av1:
            made.append(Output(f"av1-{size.name}", size, "av1"))
    return made


def choose(wanted: str) -> str:
    """Turn the setting into the encoder that this machine has.

    Raises:
        RetryableError: NVENC was asked for, and is not here.
    """
    if wanted == "x264" or (wanted == "auto" and not has_nvenc()):
        return "x264"
    if not has_nvenc():
        raise RetryableError("This worker has no NVENC; set the encoder to auto or x264, or run it on a VM with one.")
    return "nvenc"


@functools.cache
def has_nvenc() -> bool:
    """Tell whether a frame can be encoded by NVENC here: the only question that drivers answer truly."""
    try:
        ffmpeg.run(
            ["-f", "lavfi", "-i", "color=s=256x256:d=0.2", "-c:v", "h264_nvenc", "-f", "null", "-"],
            trouble="NVENC",
            stall_seconds=30,
        )
    except (PermanentError, RetryableError):
        return False
    return True


def arguments(number: int, output: Output, plan: Plan, settings: Settings) -> list[str]:
    """Return ffmpeg's options for output stream ``number``."""
    options = {"force_key_frames": f"expr:eq(mod(n,{plan.gop}),0)", "g": str(plan.gop)}
    options |= {"av1": _av1, "nvenc": _nvenc, "x264": _x264}[output.codec](output.size, plan, settings)
    return [part for name, value in options.items() for part in (f"-{name}:v:{number}", value)]


def _x264(size: Size, plan: Plan, settings: Settings) -> dict[str, str]:
    most = most_kbps(size, plan)
    return {
        "c": "libx264",
        "preset": settings.preset,
        "crf": str(settings.crf),
        "profile": "high",
        "threads": str(_THREADS),
        "maxrate": f"{most}k",
        "bufsize": f"{2 * most}k",
        "x264-params": "open-gop=0:lookahead-threads=1",
    }


def _nvenc(size: Size, plan: Plan, settings: Settings) -> dict[str, str]:
    most = most_kbps(size, plan)
    return {
        "c": "h264_nvenc",
        "preset": "p5",
        "profile": "high",
        "rc": "vbr",
        "cq": str(settings.crf),
        "b": "0",
        "maxrate": f"{most}k",
        "bufsize": f"{2 * most}k",
        "bf": "2",
        "forced-idr": "1",
        "no-scenecut": "1",
        "strict_gop": "1",
    }


def _av1(_size: Size, plan: Plan, settings: Settings) -> dict[str, str]:
    # lp fixes the number of threads, keyint the closed groups (irefresh-type 2); scene cuts add no keyframes.
    return {
        "c": "libsvtav1",
        "preset": str(settings.av1_preset),
        "crf": str(settings.av1_crf),
        "svtav1-params": f"lp=2:irefresh-type=2:scd=0:keyint={plan.gop}",
    }


def most_kbps(size: Size, plan: Plan) -> int:
    """Return the highest bitrate of a rendition: a half more above 40 frames a second."""
    kbps = next(kbps for pixels, kbps in _MOST_KBPS if size.width * size.height >= pixels * 0.8)
    return kbps * 3 // 2 if plan.rate > 40 else kbps
