"""Playlists of HLS (RFC 8216, version 7: fragmented MP4) over byte ranges of the very files that play as MP4.

Links are relative, ``<artifact's kind>.<ending>``: who serves the multivariant playlist serves the others beside it.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from math import ceil

from worker.pipelines.media.movie import Range

#: Seconds of a segment at least; Apple's authoring guide wants about six (HLS authoring specification, 7.5).
SEGMENT_SECONDS = Fraction(6)
CONTENT_TYPE = "application/vnd.apple.mpegurl"
_NEARLY = Fraction(99, 100)


@dataclass(frozen=True, slots=True)
class Fragment:
    """A fragment of a file and how long it plays."""

    where: Range
    seconds: Fraction


@dataclass(frozen=True, slots=True)
class Variant:
    """A rendition as HLS sees it; ``kind`` is the artifact's. ``codecs`` is an RFC 6381 list."""

    kind: str
    width: int
    height: int
    rate: Fraction
    codecs: str
    init: Range
    fragments: Sequence[Fragment]

    @property
    def playlist(self) -> str:
        """The kind of the artifact that is its media playlist."""
        return f"hls-{self.kind}"


def segments(fragments: Sequence[Fragment]) -> list[Fragment]:
    """Join fragments, which follow each other in the file, to segments of about six seconds."""
    joined: list[Fragment] = []
    for fragment in fragments:
        last = joined[-1] if joined else None
        if last is not None and last.seconds < SEGMENT_SECONDS * _NEARLY:
            size = fragment.where.offset + fragment.where.size - last.where.offset
            joined[-1] = Fragment(Range(last.where.offset, size), last.seconds + fragment.seconds)
        else:
            joined.append(fragment)
    return joined


def media_playlist(variant: Variant) -> str:
    """Return the playlist of one rendition."""
    parts = segments(variant.fragments)
    file = f"{variant.kind}.mp4"
    lines = [
        "#EXTM3U",
        "#EXT-X-VERSION:7",
        f"#EXT-X-TARGETDURATION:{max(1, *(round(part.seconds) for part in parts))}",
        "#EXT-X-MEDIA-SEQUENCE:0",
        "#EXT-X-PLAYLIST-TYPE:VOD",
        f'#EXT-X-MAP:URI="{file}",BYTERANGE="{_bytes(variant.init)}"',
    ]
    for part in parts:
        lines += [f"#EXTINF:{float(part.seconds):.6f},", f"#EXT-X-BYTERANGE:{_bytes(part.where)}", file]
    return "\n".join([*lines, "#EXT-X-ENDLIST", ""])


def multivariant_playlist(variants: Sequence[Variant]) -> str:
    """Return the playlist that a player opens first: all renditions, the best one first."""
    lines = ["#EXTM3U", "#EXT-X-VERSION:7", "#EXT-X-INDEPENDENT-SEGMENTS"]
    for variant in variants:
        rates = [part.where.size * 8 / part.seconds for part in segments(variant.fragments) if part.seconds >= 1]
        seconds = sum((fragment.seconds for fragment in variant.fragments), Fraction(0))
        average = sum(fragment.where.size for fragment in variant.fragments) * 8 / max(seconds, Fraction(1, 1000))
        attributes = [
            f"BANDWIDTH={ceil(max([*rates, average]))}",
            f"AVERAGE-BANDWIDTH={ceil(average)}",
            f"RESOLUTION={variant.width}x{variant.height}",
            f"FRAME-RATE={float(variant.rate):.3f}",
            f'CODECS="{variant.codecs}"',
        ]
        lines += ["#EXT-X-STREAM-INF:" + ",".join(attributes), f"{variant.playlist}.m3u8"]
    return "\n".join([*lines, ""])


def _bytes(where: Range) -> str:
    return f"{where.size}@{where.offset}"
