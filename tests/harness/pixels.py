"""The pixels of a PNG as browsers write it (8 bits, RGB or RGBA, not interlaced), without a library for pictures."""

import struct
import zlib


def rows(png: bytes) -> list[bytes]:
    """Each line as its raw bytes, unfiltered (PNG specification, section 9)."""
    width, height, depth, colour, _, _, interlaced = struct.unpack(">IIBBBBB", png[16:29])
    assert (depth, interlaced) == (8, 0)
    size = {2: 3, 6: 4}[colour]
    data = zlib.decompress(b"".join(_chunks(png)))
    stride, before, found = width * size, bytes(width * size), []
    for number in range(height):
        start = number * (stride + 1)
        before = _unfiltered(data[start], data[start + 1 : start + 1 + stride], before, size)
        found.append(before)
    return found


def right_edge(png: bytes) -> list[bytes]:
    """The last pixel of every line."""
    return [row[-4:][:3] if len(row) % 4 == 0 and png[25] == 6 else row[-3:] for row in rows(png)]


def _chunks(png: bytes) -> list[bytes]:
    found, at = [], 8
    while at < len(png):
        (length,) = struct.unpack(">I", png[at : at + 4])
        if png[at + 4 : at + 8] == b"IDAT":
            found.append(png[at + 8 : at + 8 + length])
        at += length + 12
    return found


def _unfiltered(kind: int, line: bytes, before: bytes, size: int) -> bytes:
    out = bytearray(line)
    for at in range(len(out)):
        left = out[at - size] if at >= size else 0
        above = before[at]
        corner = before[at - size] if at >= size else 0
        match kind:
            case 1:
                out[at] = (out[at] + left) & 255
            case 2:
                out[at] = (out[at] + above) & 255
            case 3:
                out[at] = (out[at] + (left + above) // 2) & 255
            case 4:
                out[at] = (out[at] + _paeth(left, above, corner)) & 255
    return bytes(out)


def _paeth(left: int, above: int, corner: int) -> int:
    estimate = left + above - corner
    return min((left, above, corner), key=lambda value: abs(estimate - value))
