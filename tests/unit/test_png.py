"""Small pictures: every filter of PNG is undone, and a picture of few colours stays what it was."""

from __future__ import annotations

import struct
import zlib

import numpy as np
import pytest

from tests.harness.web import png

RANDOM = np.random.default_rng(1).integers(0, 256, (6, 5, 3), np.uint8)


def filtered(pixels: png.Pixels, kind: int) -> bytes:
    """The picture as a program writes it that uses this filter for every row."""
    rows = b""
    for y, row in enumerate(pixels.astype(int)):
        above = pixels[y - 1].astype(int) if y else np.zeros_like(row)
        left, corner = np.vstack([np.zeros((1, 3), int), row[:-1]]), np.vstack([np.zeros((1, 3), int), above[:-1]])
        near = left + above - corner
        options = [abs(near - left), abs(near - above), abs(near - corner)]
        paeth = np.choose(np.argmin(options, axis=0), [left, above, corner])
        guess = (np.zeros_like(row), left, above, (left + above) // 2, paeth)[kind]
        rows += bytes([kind]) + ((row - guess) & 255).astype(np.uint8).tobytes()
    height, width, _ = pixels.shape
    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    parts = ((b"IHDR", header), (b"IDAT", zlib.compress(rows)))
    return png.SIGNATURE + b"".join(struct.pack(">I", len(body)) + name + body + b"\0\0\0\0" for name, body in parts)


@pytest.mark.parametrize("kind", range(5))
def test_every_filter_is_undone(kind: int) -> None:
    assert np.array_equal(png.decoded(filtered(RANDOM, kind)), RANDOM)


def test_few_colours_stay_what_they_were_and_many_become_few() -> None:
    few = RANDOM[:2, :4].repeat(3, axis=0)
    palette, numbers = png.reduced(few)
    assert len(palette) == 8 and np.array_equal(palette[numbers], few)
    palette, numbers = png.reduced(RANDOM)
    assert len(palette) == png.COLOURS and numbers.max() < png.COLOURS
    assert png.encoded(palette, numbers) == png.encoded(*png.reduced(RANDOM)), "the same picture, the same bytes"


def test_another_format_is_refused() -> None:
    with pytest.raises(ValueError, match="not a PNG"):
        png.decoded(b"GIF89a")
