"""Make a screenshot small: few colours, packed. Only `make pictures` needs it, and numpy is enough. Format: PNG (ISO/IEC 15948)."""

from __future__ import annotations

import struct
import zlib

import numpy as np
import numpy.typing as npt

SIGNATURE = b"\x89PNG\r\n\x1a\n"
COLOURS = 16
"""Colours of a picture (ours): our pages have about ten, and the edges of letters need some between them. Two pixels fill one byte."""
ROUNDS = 4
Pixels = npt.NDArray[np.uint8]


def small(png: bytes) -> bytes:
    """Return the same picture with at most COLOURS colours. png: 8 bits a channel, RGB or RGBA, not interlaced, as Chromium writes it."""
    return encoded(*reduced(decoded(png)))


def decoded(png: bytes) -> Pixels:
    """Return height × width × 3 values; what is transparent is dropped, for a page has nothing behind it. ValueError: another PNG."""
    if not png.startswith(SIGNATURE):
        raise ValueError("not a PNG")
    parts: dict[bytes, bytes] = {}
    at = len(SIGNATURE)
    while at < len(png):
        size, kind = struct.unpack_from(">I4s", png, at)
        parts[kind] = parts.get(kind, b"") + png[at + 8 : at + 8 + size]
        at += size + 12
    width, height, depth, colour, _, _, interlaced = struct.unpack(">IIBBBBB", parts[b"IHDR"])
    step = {2: 3, 6: 4}.get(colour)
    if depth != 8 or step is None or interlaced:
        raise ValueError("8 bits a channel, RGB or RGBA, not interlaced")
    rows = np.frombuffer(zlib.decompress(parts[b"IDAT"]), np.uint8).reshape(height, 1 + width * step)
    found = np.zeros((height, width, step), np.uint8)
    above = np.zeros((width, step), np.uint8)
    for n, row in enumerate(rows):
        above = found[n] = _unfiltered(int(row[0]), row[1:].reshape(width, step), above)
    return found[:, :, :3]


def _unfiltered(kind: int, row: Pixels, above: Pixels) -> Pixels:
    """Return a row without its filter: none, sub, up, average, or Paeth."""
    if kind == 0:
        return row
    if kind == 1:
        return np.cumsum(row, axis=0, dtype=np.uint8)
    if kind == 2:
        return row + above
    done = np.zeros_like(row)
    left, corner = [0] * row.shape[1], [0] * row.shape[1]
    for n, (given, up) in enumerate(zip(row.tolist(), above.tolist(), strict=True)):
        guess = [(a + b) // 2 for a, b in zip(left, up, strict=True)] if kind == 3 else list(map(_paeth, left, up, corner))
        left, corner = [(a + b) & 255 for a, b in zip(given, guess, strict=True)], up
        done[n] = left
    return done


def _paeth(left: int, up: int, corner: int) -> int:
    near = left + up - corner
    return min((abs(near - left), 0, left), (abs(near - up), 1, up), (abs(near - corner), 2, corner))[2]


def reduced(pixels: Pixels) -> tuple[Pixels, Pixels]:
    """Return a palette of at most COLOURS colours, and for each pixel its number in it. The same picture has always the same palette."""
    height, width, _ = pixels.shape
    packed = pixels.astype(np.uint32) @ np.array([65536, 256, 1], np.uint32)
    values, inverse, counts = np.unique(packed.ravel(), return_inverse=True, return_counts=True)
    colours = np.stack([values >> 16 & 255, values >> 8 & 255, values & 255], axis=1).astype(np.float64)
    chosen = colours[[int(np.argmax(counts))]]
    while len(chosen) < min(COLOURS, len(colours)):  # each next colour is the one that is missed most
        chosen = np.vstack([chosen, colours[int(np.argmax(counts * _distances(colours, chosen).min(axis=1)))]])
    for _ in range(ROUNDS):
        nearest = _distances(colours, chosen).argmin(axis=1)
        weights = np.bincount(nearest, counts, len(chosen))
        sums = [np.bincount(nearest, counts * colours[:, channel], len(chosen)) for channel in range(3)]
        chosen = np.where(weights[:, None] > 0, np.stack(sums, axis=1) / np.maximum(weights, 1)[:, None], chosen)
    palette = np.rint(chosen).astype(np.uint8)
    numbers = _distances(colours, palette.astype(np.float64)).argmin(axis=1).astype(np.uint8)
    return palette, numbers[inverse].reshape(height, width)


def _distances(colours: npt.NDArray[np.float64], chosen: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    apart = colours[:, None, :] - chosen[None, :, :]
    squares: npt.NDArray[np.float64] = np.einsum("abc,abc->ab", apart, apart)
    return squares


def encoded(palette: Pixels, numbers: Pixels) -> bytes:
    """Return a PNG of 4 bits a pixel. palette: at most 16 colours. numbers: height × width."""
    height, width = numbers.shape
    even = np.pad(numbers, ((0, 0), (0, width % 2)))
    packed = (even[:, 0::2] << 4 | even[:, 1::2]).astype(np.uint8)
    rows = np.concatenate([np.zeros((height, 1), np.uint8), packed], axis=1).tobytes()
    header = struct.pack(">IIBBBBB", width, height, 4, 3, 0, 0, 0)
    parts = ((b"IHDR", header), (b"PLTE", palette.tobytes()), (b"IDAT", zlib.compress(rows, 9)), (b"IEND", b""))
    return SIGNATURE + b"".join(
        struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body)) for kind, body in parts
    )
