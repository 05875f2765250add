"""An HTTP client that ends in time, whatever the server does; all three SDKs take it.

A client's timeout counts from byte to byte, so a server that sends one now and then holds it for ever; and Anthropic's
SDK sleeps for as long as Retry-After says. Redirects are not followed and proxies of the environment not used: what is
said in a recording goes to the configured address or nowhere.
"""

import time
from collections.abc import Iterator

import httpx2

#: Longest answer that is read, in bytes; an analysis takes some ten thousand.
ANSWER_BYTES = 8 * 1024**2
#: Longest wait that a server may ask for between two tries, in seconds.
WAIT_SECONDS = 30.0


def bounded_client(try_seconds: float, total_seconds: float) -> httpx2.Client:
    """Make a client for one question: ``try_seconds`` for each try, ``total_seconds`` for all of them from now on."""
    transport = _BoundedTransport(try_seconds, time.monotonic() + total_seconds)
    return httpx2.Client(transport=transport, timeout=try_seconds, trust_env=False, follow_redirects=False)


class _BoundedTransport(httpx2.BaseTransport):
    def __init__(self, try_seconds: float, ends: float) -> None:
        self._inner = httpx2.HTTPTransport()
        self._try_seconds = try_seconds
        self._ends = ends  #: by the monotonic clock

    def handle_request(self, request: httpx2.Request) -> httpx2.Response:
        ends = min(self._ends, time.monotonic() + self._try_seconds)
        left = ends - time.monotonic()
        if left <= 0:
            raise httpx2.ReadTimeout("no time is left for another try", request=request)
        request.extensions["timeout"] = dict.fromkeys(("connect", "read", "write", "pool"), left)
        try:
            response = self._inner.handle_request(request)
        except (httpx2.ReadError, httpx2.WriteError, httpx2.RemoteProtocolError) as error:
            raise _cut(error, request) from error
        if not isinstance(response.stream, httpx2.SyncByteStream):
            raise TypeError("a transport for threads answered with a stream for coroutines")
        headers = response.headers
        if _wait(headers) > min(WAIT_SECONDS, self._ends - time.monotonic()):
            headers["x-should-retry"] = "false"  # OpenAI's and Anthropic's SDK go by it; Google's reads no Retry-After
        return httpx2.Response(
            response.status_code,
            headers=headers,
            stream=_BoundedStream(response.stream, ends, request),
            extensions=response.extensions,
        )

    def close(self) -> None:
        self._inner.close()


class _BoundedStream(httpx2.SyncByteStream):
    def __init__(self, stream: httpx2.SyncByteStream, ends: float, request: httpx2.Request) -> None:
        self._stream, self._ends, self._request = stream, ends, request

    def __iter__(self) -> Iterator[bytes]:
        size = 0
        try:
            for piece in self._stream:
                size += len(piece)
                if size > ANSWER_BYTES:
                    raise httpx2.DecodingError(f"the answer is longer than {ANSWER_BYTES} bytes", request=self._request)
                if time.monotonic() > self._ends:
                    raise httpx2.ReadTimeout("the answer did not end in time", request=self._request)
                yield piece
        except (httpx2.ReadError, httpx2.RemoteProtocolError) as error:
            raise _cut(error, self._request) from error

    def close(self) -> None:
        self._stream.close()


def _cut(error: Exception, request: httpx2.Request) -> httpx2.ConnectError:
    """Say that a connection broke in words that Google's SDK tries again after, as the two others do anyway."""
    return httpx2.ConnectError(str(error) or "the connection broke", request=request)


def _wait(headers: httpx2.Headers) -> float:
    """Seconds that the server asks to wait; 0 if it does not say, or says it as a date."""
    try:
        if "retry-after-ms" in headers:
            return float(headers["retry-after-ms"]) / 1000
        return float(headers.get("retry-after", 0))
    except ValueError:
        return 0.0
