"""Writing an MP4 that is two files in one: a plain one with its index in front, and the fragments of HLS.

To a player it is ``ftyp``, ``moov`` with every sample, ``mdat``: nothing that a browser, a phone or an editor could
stumble over. Within that ``mdat`` lie an initialisation segment and ``moof`` boxes, each followed by its samples, so
that byte ranges of the same file are the segments of an fMP4 HLS playlist (RFC 8216; ISO/IEC 14496-12, 8.8). No sample
is stored twice.
"""

import struct
from array import array
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Self

from worker.pipelines.media.boxes import MATRIX, box, full_box, language_code

#: Units a second of what concerns the movie as a whole; sound is cut to the sample.
_MOVIE_SCALE = 48_000
_KEY, _NOT_KEY = 0x02000000, 0x01010000


@dataclass(frozen=True, slots=True)
class Track:
    """A track of samples that all last ``duration`` units of 1 / ``scale`` seconds.

    ``description`` is its ``stsd`` box. Sound has a width of 0; its first ``priming`` units are not heard, and
    ``length`` units after them are (of pictures: all).
    """

    scale: int
    duration: int
    description: bytes
    width: int = 0
    height: int = 0
    language: str | None = None
    priming: int = 0
    length: int = 0


@dataclass(frozen=True, slots=True)
class Sample:
    """One coded picture or piece of sound; it is shown ``delay`` durations after its turn to be decoded."""

    data: bytes
    delay: int = 0
    key: bool = True


@dataclass(frozen=True, slots=True)
class Range:
    """Bytes of a file."""

    offset: int
    size: int


@dataclass
class _Index:
    """Where the samples of a track are."""

    sizes: "array[int]" = field(default_factory=lambda: array("I"))
    delays: "array[int]" = field(default_factory=lambda: array("i"))
    keys: "array[int]" = field(default_factory=lambda: array("I"))
    runs: list[tuple[int, int]] = field(default_factory=list)


class Movie:
    """An MP4 file in the making.

    ``most_samples`` and ``most_fragments`` bound what will be written: the index stands in front, and its place is kept
    free from the beginning. ``init`` is the range of the initialisation segment.
    """

    def __init__(self, path: Path, tracks: Sequence[Track], *, most_samples: int, most_fragments: int) -> None:
        self._tracks = tracks
        self._indexes = [_Index() for _ in tracks]
        self._file = path.open("wb+")
        self._fragments = 0
        described = sum(len(track.description) for track in tracks)
        self._room = 2048 + described + 16 * most_samples + 20 * len(tracks) * most_fragments
        head = _file_type()
        self._moov_at = len(head)
        self._mdat_at = self._moov_at + self._room
        self._file.seek(self._mdat_at + 16)
        init = self._init()
        self.init = Range(self._file.tell(), len(init))
        self._file.write(init)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._file.close()

    def fragment(self, samples: Sequence[Sequence[Sample]]) -> Range:
        """Append the next samples of each track; return where they are, with their ``moof``."""
        start = self._file.tell()
        self._fragments += 1
        moof_size = len(self._moof(samples, 0))
        moof = self._moof(samples, moof_size + 8)
        size = sum(len(sample.data) for track in samples for sample in track)
        self._file.write(moof + struct.pack(">I4s", 8 + size, b"mdat"))
        at = start + moof_size + 8
        for index, made in zip(self._indexes, samples, strict=True):
            if not made:
                continue
            index.runs.append((at, len(made)))
            for sample in made:
                if sample.key:
                    index.keys.append(len(index.sizes) + 1)
                index.sizes.append(len(sample.data))
                index.delays.append(sample.delay)
            data = b"".join(sample.data for sample in made)
            self._file.write(data)
            at += len(data)
        return Range(start, at - start)

    def finish(self) -> None:
        """Write the index in front of it all.

        Raises:
            ValueError: more was written than had been said.
        """
        end = self._file.tell()
        moov = self._moov()
        spare = self._room - len(moov)
        if spare < 8:
            raise ValueError("more samples were written than the movie has room to index")
        self._file.seek(0)
        self._file.write(_file_type() + moov + struct.pack(">I4s", spare, b"free") + bytes(spare - 8))
        self._file.write(struct.pack(">I4sQ", 1, b"mdat", end - self._mdat_at))
        self._file.flush()

    def _moof(self, samples: Sequence[Sequence[Sample]], data_at: int) -> bytes:
        parts = [full_box(b"mfhd", 0, 0, struct.pack(">I", self._fragments))]
        for number, (track, index, made) in enumerate(zip(self._tracks, self._indexes, samples, strict=True), 1):
            if not made:
                continue
            # default-base-is-moof, default duration, default flags
            header = full_box(b"tfhd", 0, 0x020028, struct.pack(">3I", number, track.duration, _KEY))
            begin = full_box(b"tfdt", 1, 0, struct.pack(">Q", len(index.sizes) * track.duration))
            parts.append(box(b"traf", header, begin, _trun(track, made, data_at)))
            data_at += sum(len(sample.data) for sample in made)
        return box(b"moof", *parts)

    def _init(self) -> bytes:
        traks = [_trak(n, track, _Index(), 0) for n, track in enumerate(self._tracks, 1)]
        extends = [full_box(b"trex", 0, 0, struct.pack(">5I", n, 1, 0, 0, 0)) for n in range(1, len(traks) + 1)]
        kind = box(b"ftyp", b"iso6", struct.pack(">I", 0), b"iso6", b"mp41", b"cmfc")
        return kind + box(b"moov", _mvhd(0, len(traks)), *traks, box(b"mvex", *extends))

    def _moov(self) -> bytes:
        pairs = list(zip(self._tracks, self._indexes, strict=True))
        longest = max(_movie_time(track, index) for track, index in pairs)
        traks = [_trak(n, track, index, _movie_time(track, index)) for n, (track, index) in enumerate(pairs, 1)]
        return box(b"moov", _mvhd(longest, len(traks)), *traks)


def _file_type() -> bytes:
    return box(b"ftyp", b"isom", struct.pack(">I", 512), b"isom", b"iso4", b"iso6", b"mp41")


def _movie_time(track: Track, index: _Index) -> int:
    heard = track.length or len(index.sizes) * track.duration
    return round(heard * _MOVIE_SCALE / track.scale)


def _trun(track: Track, samples: Sequence[Sample], data_at: int) -> bytes:
    if not track.width:
        sizes = struct.pack(f">{len(samples)}I", *(len(sample.data) for sample in samples))
        return full_box(b"trun", 0, 0x201, struct.pack(">Ii", len(samples), data_at), sizes)
    rows = b"".join(
        struct.pack(">IIi", len(s.data), _KEY if s.key else _NOT_KEY, s.delay * track.duration) for s in samples
    )
    # Version 1 has signed delays, so that pictures need no edit list (CMAF, ISO/IEC 23000-19, 7.5.13).
    return full_box(b"trun", 1, 0xE01, struct.pack(">Ii", len(samples), data_at), rows)


def _mvhd(duration: int, tracks: int) -> bytes:
    times = struct.pack(">QQIQ", 0, 0, _MOVIE_SCALE, duration)
    rest = struct.pack(">IH10x", 0x10000, 0x100) + MATRIX + bytes(24) + struct.pack(">I", tracks + 1)
    return full_box(b"mvhd", 1, 0, times, rest)


def _trak(number: int, track: Track, index: _Index, movie_time: int) -> bytes:
    pictures = track.width > 0
    times = struct.pack(">QQIIQ", 0, 0, number, 0, movie_time)
    volume = 0 if pictures else 0x100
    shape = struct.pack(">8xHHHH", 0, 0 if pictures else 1, volume, 0) + MATRIX
    header = full_box(b"tkhd", 1, 3, times, shape, struct.pack(">II", track.width << 16, track.height << 16))
    edits = b""
    if track.priming:
        edit = struct.pack(">IQqhh", 1, movie_time, track.priming, 1, 0)
        edits = box(b"edts", full_box(b"elst", 1, 0, edit))
    duration = len(index.sizes) * track.duration
    media = full_box(
        b"mdhd", 1, 0, struct.pack(">QQIQ", 0, 0, track.scale, duration), language_code(track.language), bytes(2)
    )
    name, handler = (b"VideoHandler\0", b"vide") if pictures else (b"SoundHandler\0", b"soun")
    kind = full_box(b"hdlr", 0, 0, bytes(4), handler, bytes(12), name)
    what = full_box(b"vmhd", 0, 1, bytes(8)) if pictures else full_box(b"smhd", 0, 0, bytes(4))
    here = box(b"dinf", full_box(b"dref", 0, 0, struct.pack(">I", 1), full_box(b"url ", 0, 1)))
    return box(b"trak", header, edits, box(b"mdia", media, kind, box(b"minf", what, here, _stbl(track, index))))


def _stbl(track: Track, index: _Index) -> bytes:
    count = len(index.sizes)
    durations = struct.pack(">III", 1, count, track.duration) if count else struct.pack(">I", 0)
    parts = [track.description, full_box(b"stts", 0, 0, durations)]
    if track.width and count:
        delays = _run_lengths(index.delays)
        rows = b"".join(struct.pack(">Ii", n, delay * track.duration) for n, delay in delays)
        parts.append(full_box(b"ctts", 1, 0, struct.pack(">I", len(delays)), rows))
        parts.append(full_box(b"stss", 0, 0, struct.pack(">I", len(index.keys)), _words(index.keys)))
    runs = [(1, n) for _, n in index.runs]
    first_of = [i for i, run in enumerate(runs) if i == 0 or run != runs[i - 1]]
    rows = b"".join(struct.pack(">III", i + 1, runs[i][1], 1) for i in first_of)
    parts.append(full_box(b"stsc", 0, 0, struct.pack(">I", len(first_of)), rows))
    parts.append(full_box(b"stsz", 0, 0, struct.pack(">II", 0, count), _words(index.sizes)))
    offsets = struct.pack(f">{len(runs)}Q", *(at for at, _ in index.runs))
    parts.append(full_box(b"co64", 0, 0, struct.pack(">I", len(runs)), offsets))
    return box(b"stbl", *parts)


def _run_lengths(values: "array[int]") -> list[tuple[int, int]]:
    runs: list[tuple[int, int]] = []
    for value in values:
        if runs and runs[-1][1] == value:
            runs[-1] = (runs[-1][0] + 1, value)
        else:
            runs.append((1, value))
    return runs


def _words(values: "array[int]") -> bytes:
    return struct.pack(f">{len(values)}I", *values)
