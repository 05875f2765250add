"""What is wrong with a file that a decoder gave up on, in a sentence for the person who uploaded it."""

import errno
import os
from pathlib import Path

from spotmill import PermanentError, RetryableError
from worker.pipelines.images import png
from worker.pipelines.images.camera_files import seems_complete
from worker.pipelines.images.formats import Format
from worker.pipelines.media.boxes import walk_boxes

_CUT_OFF = (
    "premature end of JPEG image",
    "Unexpected end of GIF",
    "Read error at scanline",
    "Read error on strip",
    "Read error at row",
    "Seek error at",
    "data outside of file bounds",
)


def explain(path: Path, kind: Format, error: Exception) -> PermanentError | RetryableError:
    """Turn a decoder's error into the one that ends the job, or has it tried again where memory or disk ran out."""
    message = str(error)
    if os.strerror(errno.ENOSPC) in message:
        return RetryableError("The worker's disk is full.")
    if "Security limit" in message:
        return PermanentError(f"This {kind.label} file is refused: decoding it would take too much memory.")
    if isinstance(error, MemoryError) or "out of memory" in message.lower():
        return RetryableError(f"memory ran out while decoding a {kind.label} file: {message}")
    if any(sign in message for sign in _CUT_OFF) or _is_cut_off(path, kind):
        return PermanentError(
            f"This {kind.label} file is cut off: it ends before the picture is complete. Upload the original again."
        )
    return PermanentError(f"This {kind.label} file is damaged and cannot be read.")


def _is_cut_off(path: Path, kind: Format) -> bool:
    """Ask the container where it should end; the decoders say only that they could not read on."""
    size = path.stat().st_size
    with path.open("rb") as file:
        head = file.read(12)
    if kind.name == "png":
        return not png.is_complete(path)
    if kind.name == "webp":
        return int.from_bytes(head[4:8], "little") + 8 > size
    if kind.name in ("avif", "heic"):
        with path.open("rb") as file:
            return any(box.end > size for box in walk_boxes(file, 0, size))
    if kind.name == "raw":
        return not seems_complete(path)
    if kind.name == "tiff" and head[2:4] in (b"*\0", b"\0*"):
        # Many writers put the directory last: without it nothing else can be told.
        return int.from_bytes(head[4:8], "little" if head.startswith(b"II") else "big") + 2 > size
    return kind.name == "jpeg" and size < 128
