"""The filter graph of a chunk, as text: from decoded frames to every rendition, with one decoding for all.

Scaling is bit-exact, so that a chunk has the same pixels on every kind of processor.
"""

from collections.abc import Sequence
from fractions import Fraction

from worker.pipelines.video.look import Look
from worker.pipelines.video.plan import Chunk, Plan
from worker.pipelines.video.sizes import Size

_SCALING = "bicubic+accurate_rnd+bitexact"
_HDR = {"smpte2084": "smpte2084", "arib-std-b67": "arib-std-b67"}
_TAGS = ("bt709", "bt470m", "bt470bg", "smpte170m", "smpte240m", "film")
_RGB = ("rgb", "bgr", "gbr", "argb", "abgr", "pal8", "0rgb", "0bgr")


def is_hdr(look: Look) -> bool:
    """Tell whether a film has more light in it than a usual screen can show (ITU-R BT.2100: PQ or HLG)."""
    return look.transfer in _HDR


def graph(
    index: int, plan: Plan, chunk: Chunk, look: Look, outputs: Sequence[tuple[Size, int]], *, patient: bool
) -> str:
    """Return the graph that makes the frames of a chunk out of stream ``index``.

    ``outputs`` are sizes and how many encoders want each: pads are named ``v0``, ``v1``, … in that order, all encoders
    of a size in a row. ``patient`` repeats the last frame where the film has none left to fill the chunk.
    """
    first = chunk.first <= plan.lead
    steps = []
    if look.interlaced:
        steps.append("bwdif=mode=send_frame:parity=auto:deint=interlaced")
    # To the first frame, which is the origin of the output's clock; exact, whatever the time base is by now.
    steps.append(f"setpts='round(PTS-{plan.origin}*{plan.base}/TB)'")
    steps.append(f"fps=fps={plan.rate}:round=near" + (":start_time=0" if first else ""))
    if plan.lead:
        steps.append(f"tpad=start={plan.lead}:start_mode=clone" if first else f"setpts=PTS+{plan.lead}")
    if patient:
        steps.append("tpad=stop=-1:stop_mode=clone")
    steps.append(f"trim=start_pts={chunk.first}:end_pts={chunk.end}")
    steps.append(f"setpts=PTS-{chunk.first}")
    steps += _to_sdr(look, outputs[0][0])
    text = f"[0:{index}]{','.join(steps)},split={len(outputs)}" + "".join(f"[s{i}]" for i in range(len(outputs)))
    pad = 0
    for number, (size, wanted) in enumerate(outputs):
        made = "".join(f"[v{pad + i}]" for i in range(wanted))
        text += f";[s{number}]{_scale(look, size)},setsar=1,format=yuv420p,{_tags(look)},split={wanted}{made}"
        pad += wanted
    return text


def _scale(look: Look, size: Size) -> str:
    matrix = ":out_color_matrix=bt709" if look.pixel_format.startswith(_RGB) else ""
    return f"scale={size.width}:{size.height}:flags={_SCALING}:out_range=tv{matrix}"


def _tags(look: Look) -> str:
    """Say outright what the colours are: the same of every chunk, whatever its own frames say of themselves."""
    told = [look.primaries, look.transfer, look.matrix]
    if is_hdr(look) or look.primaries == "bt2020" or look.pixel_format.startswith(_RGB):
        told = ["bt709"] * 3
    primaries, transfer, matrix = (name if name in _TAGS else "unknown" for name in told)
    colours = f"color_primaries={primaries}:color_trc={transfer}:colorspace={matrix}"
    return f"setparams=field_mode=prog:range=tv:{colours}"


def _to_sdr(look: Look, largest: Size) -> list[str]:
    """Return the filters that bring light and colours to BT.709.

    The order is that of ffmpeg's wiki and of BT.2408: linear light first, then primaries, then fewer nits.
    """
    matrix = look.matrix if look.matrix in ("bt2020nc", "bt2020c", "bt709") else "bt2020nc"
    known = f"min={_ZIMG[matrix]}:pin={'bt709' if look.primaries == 'bt709' else '2020'}:rin={_range(look)}"
    size = f"w={largest.width}:h={largest.height}"
    if is_hdr(look):
        return [
            f"zscale={size}:tin={_HDR[look.transfer]}:{known}:t=linear:npl=100",
            "format=gbrpf32le",
            "zscale=p=bt709",
            "tonemap=tonemap=hable:desat=0",
            "zscale=t=bt709:m=bt709:p=bt709:r=tv",
            "format=yuv420p",
        ]
    if look.primaries == "bt2020":
        return [f"zscale={size}:tin=bt709:{known}:t=bt709:m=bt709:p=bt709:r=tv", "format=yuv420p"]
    return []


def _range(look: Look) -> str:
    return "full" if look.full_range else "limited"


#: What zscale calls the matrices that showinfo names.
_ZIMG = {"bt2020nc": "2020_ncl", "bt2020c": "2020_cl", "bt709": "709"}


def even_rate(rate: Fraction) -> int:
    """Return a timescale in which a frame of ``rate`` lasts a whole number of ticks, of 10,000 a second or more."""
    return rate.numerator * max(1, -(-10_000 // rate.numerator))
