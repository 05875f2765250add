"""Which format a file has, told by its bytes; never by its name or by what the uploader claimed."""

from dataclasses import dataclass, replace
from pathlib import Path, PurePosixPath

from spotmill import PermanentError
from worker.pipelines.images.camera_files import raw_format

#: Enough for every signature below, and for the ``<svg`` that follows a long XML preamble.
HEAD_BYTES = 4096


@dataclass(frozen=True, slots=True)
class Format:
    """A format the pipeline reads. ``thumbnail`` is the format its thumbnail is written in.

    Of camera raw files, all ``raw``, ``label`` and ``extension`` tell the camera's own: ``NEF``, ``nef``.
    """

    name: str
    label: str
    extension: str
    content_type: str
    suffixes: tuple[str, ...]
    thumbnail: str


_RAW_SUFFIXES = (
    *(".3fr", ".arw", ".cr2", ".cr3", ".crw", ".dcr", ".dng", ".erf", ".iiq", ".mef", ".mos", ".mrw", ".nef"),
    *(".nrw", ".orf", ".pef", ".raf", ".raw", ".rw2", ".rwl", ".sr2", ".srw", ".x3f"),
)

FORMATS = {
    known.name: known
    for known in (
        Format("jpeg", "JPEG", "jpg", "image/jpeg", (".jpg", ".jpeg", ".jpe", ".jfif"), "jpeg"),
        Format("png", "PNG", "png", "image/png", (".png", ".apng"), "png"),
        Format("webp", "WebP", "webp", "image/webp", (".webp",), "webp"),
        Format("avif", "AVIF", "avif", "image/avif", (".avif", ".avifs"), "avif"),
        Format("tiff", "TIFF", "tif", "image/tiff", (".tif", ".tiff"), "tiff"),
        Format("gif", "GIF", "gif", "image/gif", (".gif",), "gif"),
        # No patent-free encoder makes HEIC, and hardly a browser shows it.
        Format("heic", "HEIC", "heic", "image/heic", (".heic", ".heif", ".hif"), "png"),
        # What comes out of a raw file is a photograph; nobody else reads the original's format.
        Format("raw", "camera raw", "raw", "image/x-dcraw", _RAW_SUFFIXES, "jpeg"),
    )
}

#: Suffixes that promise an image; only these are repeated in a refusal, so that it never echoes hostile text.
IMAGE_SUFFIXES = frozenset(
    [suffix for known in FORMATS.values() for suffix in known.suffixes]
    + [".bmp", ".svg", ".psd", ".jxl", ".jp2", ".ico"]
)

_OTHER_IMAGES = (
    (b"BM", "a BMP image"),
    (b"8BPS", "a Photoshop document"),
    (b"\xff\x0a", "a JPEG XL image"),
    (b"\0\0\0\x0cJXL ", "a JPEG XL image"),
    (b"\0\0\0\x0cjP  ", "a JPEG 2000 image"),
    (b"\0\0\x01\0", "a Windows icon"),
)
_NO_IMAGES = (
    (b"%PDF", "a PDF document"),
    (b"%!PS", "a PostScript document"),
    (b"PK\x03\x04", "a ZIP archive or an office document"),
    (b"\x1f\x8b", "a gzip archive"),
    (b"7z\xbc\xaf\x27\x1c", "a 7z archive"),
    (b"Rar!", "a RAR archive"),
    (b"\x7fELF", "a program"),
    (b"MZ", "a program"),
    (b"\x1aE\xdf\xa3", "a video"),
    (b"OggS", "audio or video"),
    (b"ID3", "audio"),
    (b"fLaC", "audio"),
)


def sniff(path: Path, filename: str) -> Format:
    """Tell the format of the file at ``path``; ``filename`` only words the refusal.

    Raises:
        PermanentError: the file is empty, or nothing the pipeline reads.
    """
    with path.open("rb") as file:
        head = file.read(HEAD_BYTES)
    if not head:
        raise PermanentError("This file is empty.")
    camera = raw_format(path)
    if camera is not None:
        return replace(
            FORMATS["raw"], extension=camera, label=FORMATS["raw"].label if camera == "raw" else camera.upper()
        )
    name = _recognise(head)
    if name is None:
        raise PermanentError(_refusal(head, filename))
    suffix = PurePosixPath(filename).suffix.lower()
    if name == "tiff" and suffix in _RAW_SUFFIXES:  # cut off before the tags that would tell, perhaps
        return replace(FORMATS["tiff"], label=suffix[1:].upper())
    return FORMATS[name]


def _recognise(head: bytes) -> str | None:
    if head.startswith(b"\xff\xd8\xff"):
        return "jpeg"
    if head.startswith(b"\x89PNG\r\n\x1a\n"):
        return "png"
    if head.startswith((b"GIF87a", b"GIF89a")):
        return "gif"
    if _riff(head) == b"WEBP":
        return "webp"
    if head.startswith((b"II*\0", b"MM\0*", b"II+\0", b"MM\0+")):
        return "tiff"
    return _recognise_heif(_brands(head))


def _recognise_heif(brands: tuple[bytes, ...]) -> str | None:
    """ISO/IEC 23008-12 names the codec in the brands; ``mif1`` alone leaves it open, so AVIF is asked for first."""
    if any(brand in brands for brand in (b"avif", b"avis")):
        return "avif"
    if any(brand in brands for brand in (b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"mif1", b"msf1")):
        return "heic"
    return None


def _riff(head: bytes) -> bytes:
    return head[8:12] if head.startswith(b"RIFF") else b""


def _brands(head: bytes) -> tuple[bytes, ...]:
    if head[4:8] != b"ftyp":
        return ()
    box = head[: int.from_bytes(head[:4], "big")]
    return (box[8:12], *(box[at : at + 4] for at in range(16, len(box), 4)))


def _refusal(head: bytes, filename: str) -> str:
    text = _as_text(head)
    other = _other_image(head, text)
    if other is not None:
        return _unreadable_image(filename, other)
    return f"{_contains(filename)} {_describe(head, text)}, not an image."


def _other_image(head: bytes, text: str | None) -> str | None:
    if text is not None and "<svg" in text.lower():
        return "an SVG drawing"
    return _match(head, text, _OTHER_IMAGES)


def _match(head: bytes, text: str | None, signatures: tuple[tuple[bytes, str], ...]) -> str | None:
    """Find the label of a signature; two or three letters prove nothing in a text ("BMW", "MZ-80")."""
    return next(
        (label for sign, label in signatures if head.startswith(sign) and (text is None or len(sign) > 3)),
        None,
    )


def _describe(head: bytes, text: str | None) -> str:
    stranger = _match(head, text, _NO_IMAGES)
    if stranger is not None:
        return stranger
    if _brands(head) or _riff(head) == b"AVI ":
        return "a video"
    if _riff(head) == b"WAVE":
        return "audio"
    if text is None:
        return "data of an unknown kind"
    if text.lstrip().lower().startswith(("<!doctype html", "<html")):
        return "a web page"
    return "text"


def _unreadable_image(filename: str, label: str) -> str:
    return f"{_contains(filename)} {label}, which cannot be processed. Save it as JPEG or PNG and upload that."


def _contains(filename: str) -> str:
    suffix = PurePosixPath(filename).suffix.lower()
    return f"This file is named {suffix} but contains" if suffix in IMAGE_SUFFIXES else "This file contains"


def _as_text(head: bytes) -> str | None:
    """Decode the head as text, or None where it is no text."""
    if head.startswith((b"\xff\xfe", b"\xfe\xff")):
        return head[: len(head) // 2 * 2].decode("utf-16", errors="replace")
    if any(byte < 32 and byte not in b"\t\n\r\f\x1b" for byte in head):
        return None
    try:
        # The head may end in the middle of a character.
        return head.decode("utf-8", errors="strict" if len(head) < HEAD_BYTES else "ignore").lstrip("\ufeff")
    except UnicodeDecodeError:
        return head.decode("cp1252", errors="replace")
