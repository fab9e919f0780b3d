"""Bodies as sent: unpacked in any pieces, bounded before they are held."""

from __future__ import annotations

import gzip
import zlib
from collections.abc import AsyncIterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.adapters.sources.fetch_failed import FetchFailed
from engine.adapters.sources.response_body import read_body

URL = "http://a.example/"
CONTENT = b"".join(b"%d homes " % number for number in range(30_000)) + bytes(300_000)


async def pieces(sent: bytes, size: int) -> AsyncIterator[bytes]:
    for start in range(0, len(sent), size):
        yield sent[start : start + size]


def raw_deflate(content: bytes) -> bytes:
    pack = zlib.compressobj(wbits=-zlib.MAX_WBITS)
    return pack.compress(content) + pack.flush()


PACKED = {
    "": CONTENT,
    "identity": CONTENT,
    "gzip": gzip.compress(CONTENT),
    "x-gzip": gzip.compress(CONTENT[:1_000]) + gzip.compress(CONTENT[1_000:]),
    "GZIP ": gzip.compress(CONTENT) + bytes(512),
    "deflate": zlib.compress(CONTENT),
    " deflate": raw_deflate(CONTENT),
}


@pytest.mark.parametrize("encoding", list(PACKED))
@pytest.mark.parametrize("size", [1, 7, 4_096, 1 << 20])
async def test_every_encoding_unpacks_in_any_pieces(encoding: str, size: int) -> None:
    sent = PACKED[encoding]
    if size == 1 and len(sent) > 200_000:
        size = 1_000
    assert await read_body(pieces(sent, size), URL, encoding, 1 << 20) == CONTENT


@given(content=st.binary(max_size=5_000), times=st.integers(1, 200), size=st.integers(1, 3_000))
async def test_what_was_packed_is_unpacked(content: bytes, times: int, size: int) -> None:
    packed = zlib.compress(content * times, 9)
    read = await read_body(pieces(packed, size), URL, "deflate", 1 << 20)
    assert read == content * times


@pytest.mark.parametrize("encoding", list(PACKED))
async def test_a_body_of_the_bound_is_read_and_one_more_is_not(encoding: str) -> None:
    sent = PACKED[encoding]
    assert len(await read_body(pieces(sent, 5_000), URL, encoding, len(CONTENT))) == len(CONTENT)
    with pytest.raises(FetchFailed) as failure:
        await read_body(pieces(sent, 5_000), URL, encoding, len(CONTENT) - 1)
    assert failure.value.reason == "too-large"
    cut = await read_body(pieces(sent, 5_000), URL, encoding, 1_000, cut=True)
    assert cut == CONTENT[:1_000]


@pytest.mark.parametrize(
    ("encoding", "sent"),
    [("gzip", b"plain"), ("gzip", gzip.compress(CONTENT)[:-9]), ("deflate", b"\xff\xff plain"),
     ("br", b"x"), ("gzip, gzip", gzip.compress(b"x")), ("zstd", b"x"),
     ("gzip", gzip.compress(b"x") + b"and more")],
)  # fmt: skip
async def test_what_can_not_be_unpacked_is_refused(encoding: str, sent: bytes) -> None:
    with pytest.raises(FetchFailed) as failure:
        await read_body(pieces(sent, 5_000), URL, encoding, 1 << 20)
    assert failure.value.reason == "undecodable"


async def test_an_empty_body_is_empty_whatever_it_claims() -> None:
    for encoding in ("", "gzip", "deflate"):
        assert await read_body(pieces(b"", 1), URL, encoding, 10) == b""
