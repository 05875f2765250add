"""Signed URLs of artifacts, used again while they have half their life before them."""

import threading
import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass

from shared.signing import UrlSigner

_KEPT = 4096


@dataclass(frozen=True, slots=True)
class Target:
    """One generation of an object, and how a browser is to receive it."""

    bucket: str
    object: str
    generation: int
    content_type: str
    filename: str
    attachment: bool = False


class Links:
    """Makes URLs that live at least ``fresh_seconds`` more.

    Signing may cost a call to IAM, and a URL that stays the same lets browsers use what they have already fetched.
    """

    def __init__(self, signer: UrlSigner, clock: Callable[[], float] = time.monotonic) -> None:
        self.signer = signer
        self.fresh_seconds = signer.life_seconds // 2
        self._clock = clock
        self._lock = threading.Lock()
        self._made: OrderedDict[Target, tuple[float, str]] = OrderedDict()

    def to(self, target: Target) -> str:
        """Return a signed URL of an object."""
        now = self._clock()
        with self._lock:
            made, url = self._made.get(target, (float("-inf"), ""))
        if now - made < self.fresh_seconds:
            return url
        url = self.signer.download(
            target.bucket,
            target.object,
            target.generation,
            content_type=target.content_type,
            filename=target.filename,
            attachment=target.attachment,
        )
        with self._lock:
            self._made[target] = (now, url)
            self._made.move_to_end(target)
            while len(self._made) > _KEPT:
                self._made.popitem(last=False)
        return url
