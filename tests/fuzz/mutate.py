"""Mutate: a file with something in it that is another, by a seeded generator; half of the checksums are made right.

A mutator of our own of these lines, not atheris: what is read is read by C libraries that come without its
instrumentation, so that it would search as blindly, and it has no wheel for each Python that lpienas runs on.
"""

import random
import struct
import zlib

_LARGE = (0, 1, 2, 0x7F, 0xFF, 0x7FFF, 0xFFFF, 30000, 65500, 0x7FFFFFFF, 0xFFFFFFFF, 20000, 16384)
_PNG = b"\x89PNG\r\n\x1a\n"
_SIZES = (  # what stands before two sides, how far behind its beginning, and their kind
    (b"IHDR", 4, ">I"), (b"\xff\xc0", 5, ">H"), (b"\xff\xc2", 5, ">H"), (b"VP8 ", 14, "<H"), (b"ispe", 8, ">I"),
    (b"BM", 18, "<I"), (b"\x00\x01\x04\x00\x01\x00\x00\x00", 8, "<I"), (b"\x01\x01\x04\x00\x01\x00\x00\x00", 8, "<I"),
)  # fmt: skip


def mutated(content: bytes, others: list[bytes], drawn: random.Random) -> bytes:
    """`content` after one to eight mutations; parts of `others` may come into it."""
    data = bytearray(content)
    for _ in range(drawn.choice((1, 1, 1, 2, 3, 8))):
        if data:
            drawn.choice(MUTATIONS)(data, others, drawn)
    if data.startswith(_PNG) and drawn.random() < 0.5:
        _with_checksums(data)
    return bytes(data)


def _flip(data: bytearray, others: list[bytes], drawn: random.Random) -> None:
    for _ in range(drawn.choice((1, 1, 4, 30))):
        data[_place(data, drawn)] ^= 1 << drawn.randrange(8)


def _byte(data: bytearray, others: list[bytes], drawn: random.Random) -> None:
    data[_place(data, drawn)] = drawn.choice((0, 1, 0x7F, 0x80, 0xFF, drawn.randrange(256)))


def _number(data: bytearray, others: list[bytes], drawn: random.Random) -> None:
    """A size, a count or a place that a header may hold, and that may be a bomb."""
    kind = drawn.choice((">I", "<I", ">H", "<H", "<Q"))
    value = drawn.choice(_LARGE) & (0xFFFF if kind[1] == "H" else 0xFFFFFFFF)
    number = struct.pack(kind, value)
    at = _place(data, drawn)
    data[at : at + len(number)] = number[: len(data) - at]


def _cut(data: bytearray, others: list[bytes], drawn: random.Random) -> None:
    del data[_place(data, drawn) :]


def _lose(data: bytearray, others: list[bytes], drawn: random.Random) -> None:
    at = _place(data, drawn)
    del data[at : at + drawn.choice((1, 2, 4, 64, 1024))]


def _double(data: bytearray, others: list[bytes], drawn: random.Random) -> None:
    at = _place(data, drawn)
    data[at:at] = data[at : at + drawn.choice((1, 4, 64, 1024))] * drawn.choice((1, 1, 2, 50))


def _splice(data: bytearray, others: list[bytes], drawn: random.Random) -> None:
    other = drawn.choice(others)
    begin = drawn.randrange(len(other))
    at = _place(data, drawn)
    data[at : at + drawn.choice((0, 64, len(data)))] = other[begin : begin + drawn.choice((8, 64, 4096))]


def _zeros(data: bytearray, others: list[bytes], drawn: random.Random) -> None:
    at = _place(data, drawn)
    data[at : at + 512] = bytes(len(data[at : at + 512]))


def _claim(data: bytearray, others: list[bytes], drawn: random.Random) -> None:
    """Another height or width, where the file says it: what may be a bomb."""
    for mark, offset, kind in _SIZES:
        if (at := data.find(mark)) >= 0:
            at += offset + drawn.choice((0, struct.calcsize(kind)))
            number = struct.pack(kind, drawn.choice(_LARGE) & (0xFFFF if kind[1] == "H" else 0xFFFFFFFF))
            data[at : at + len(number)] = number[: max(0, len(data) - at)]


MUTATIONS = (_claim, _claim, _flip, _byte, _number, _number, _cut, _lose, _double, _splice, _zeros)


def _place(data: bytearray, drawn: random.Random) -> int:
    """Anywhere, and as often in the first bytes, where headers are."""
    return drawn.randrange(min(len(data), 200) if drawn.random() < 0.5 else len(data))


def _with_checksums(data: bytearray) -> None:
    """The chunks of a PNG with their own checksums, without which nothing behind them is looked at."""
    at = len(_PNG)
    while at + 12 <= len(data):
        (length,) = struct.unpack_from(">I", data, at)
        end = at + 8 + length
        if end + 4 > len(data):
            return
        struct.pack_into(">I", data, end, zlib.crc32(data[at + 4 : end]))
        at = end + 4
