"""The body of an answer, bounded as it is sent and as it unpacks."""

from __future__ import annotations

import zlib
from collections.abc import AsyncIterable, Iterator

from engine.adapters.sources.fetch_failed import FetchFailed

ACCEPT_ENCODING = "gzip, deflate"
_PIECE_BYTES = 64 * 1024
# Of gzip, zlib and headerless deflate, in zlib's numbers.
_GZIP, _ZLIB, _RAW = 16 + zlib.MAX_WBITS, zlib.MAX_WBITS, -zlib.MAX_WBITS


async def read_body(
    pieces: AsyncIterable[bytes], url: str, encoding: str, bytes_max: int, *, cut: bool = False
) -> bytes:
    """The unpacked body, of at most `bytes_max` bytes sent and unpacked.

    A longer one is `too-large`, or with `cut` ends there. Not more than that and a piece is
    ever held, whatever a piece unpacks to. Raises FetchFailed.
    """
    unpacker = _unpacker(url, encoding)
    content, sent = bytearray(), 0
    async for piece in pieces:
        sent += len(piece)
        for part in unpacker.unpack(piece) if unpacker else (piece,):
            content += part
            if len(content) > bytes_max:
                break
        if max(sent, len(content)) > bytes_max:
            if cut:
                return bytes(content[:bytes_max])
            raise FetchFailed(url, "too-large", f"more than {bytes_max} bytes")
    if unpacker is not None and sent and not unpacker.ended:
        raise FetchFailed(url, "undecodable", f"its {encoding} ends too early")
    return bytes(content)


def _unpacker(url: str, encoding: str) -> _Unpacker | None:
    name = encoding.strip().lower()
    if name in {"", "identity"}:
        return None
    if name not in {"gzip", "x-gzip", "deflate"}:
        raise FetchFailed(
            url, "undecodable", f"Content-Encoding {encoding[:80]!r} was not asked for"
        )
    return _Unpacker(url, _GZIP if name.endswith("gzip") else _ZLIB)


class _Unpacker:
    """Unpacks in pieces of `_PIECE_BYTES` at most: the reader stops when it has enough."""

    def __init__(self, url: str, window: int) -> None:
        self._url = url
        self._window = window
        self._inflate = zlib.decompressobj(window)
        self._head = b""

    @property
    def ended(self) -> bool:
        return self._inflate.eof

    def unpack(self, piece: bytes) -> Iterator[bytes]:
        """Raises FetchFailed `undecodable`."""
        full = False
        while piece or full:
            if self._inflate.eof:
                if self._window != _GZIP or not piece.strip(b"\0"):
                    return  # Padding behind the end; a further gzip member is read.
                self._inflate = zlib.decompressobj(self._window)
            part = self._step(piece)
            yield part
            piece = self._inflate.unconsumed_tail or self._inflate.unused_data
            # All may be read and not all of it told yet.
            full = len(part) == _PIECE_BYTES and not self._inflate.eof

    def _step(self, piece: bytes) -> bytes:
        try:
            part = self._inflate.decompress(piece, _PIECE_BYTES)
        except zlib.error as error:
            if self._window != _ZLIB or len(self._head) == 2:
                raise FetchFailed(self._url, "undecodable", str(error)) from error
            # Some servers send `deflate` without zlib's header of two bytes.
            self._window, self._inflate = _RAW, zlib.decompressobj(_RAW)
            return self._step(self._head + piece)
        self._head = (self._head + piece)[:2]
        return part
