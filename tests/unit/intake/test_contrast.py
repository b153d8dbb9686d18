"""Contrast of the inbox's colours (WCAG 2.2, 1.4.3 and 1.4.11), from the custom properties of its style sheet, light and dark."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

import services.intake

CSS = (Path(services.intake.__file__).parent / "pages" / "static" / "inbox.css").read_text("utf-8")
TEXT = [
    ("ink", "page"),
    ("ink", "card"),
    ("quiet", "page"),
    ("quiet", "card"),
    ("link", "page"),
    ("link", "card"),
    ("stop", "page"),
    ("stop", "card"),
]
TEXT += [(f"on-{kind}", kind) for kind in ("act", "stop", "late", "soon", "calm", "good")]
EDGES = [("line", "page"), ("line", "card"), ("focus", "page"), ("focus", "card"), ("act", "page"), ("stop", "card")]


def palettes() -> dict[str, dict[str, str]]:
    light, dark = (dict(re.findall(r"--([\w-]+): (#[0-9a-f]{6});", block)) for block in re.findall(r":root \{(.*?)\}", CSS, re.DOTALL))
    assert set(light) == set(dark)
    return {"light": light, "dark": dark}


def luminance(colour: str) -> float:
    parts = (int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5))
    red, green, blue = (part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def contrast(one: str, other: str) -> float:
    dark, light = sorted((luminance(one), luminance(other)))
    return (light + 0.05) / (dark + 0.05)


@pytest.mark.parametrize("mode", ["light", "dark"])
def test_colours_can_be_read(mode: str) -> None:
    palette = palettes()[mode]
    assert contrast("#ffffff", "#000000") == pytest.approx(21)
    low = {pair: contrast(palette[pair[0]], palette[pair[1]]) for pair in TEXT}
    assert {pair: value for pair, value in low.items() if value < 4.5} == {}
    edges = {pair: contrast(palette[pair[0]], palette[pair[1]]) for pair in EDGES}
    assert {pair: value for pair, value in edges.items() if value < 3} == {}


def test_no_colour_stands_outside_the_palettes() -> None:
    rest = re.sub(r":root \{.*?\}", "", CSS, flags=re.DOTALL)
    assert re.findall(r"#[0-9a-fA-F]{3,8}\b|rgba?\(", rest) == []
    used = set(re.findall(r"var\(--([\w-]+)\)", rest))
    assert used == set(palettes()["light"])
