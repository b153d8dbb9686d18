"""Files of pages: asked for once for each version, compressed for whoever takes it, and under no address but their own."""

from __future__ import annotations

import asyncio
import re
from pathlib import Path

import httpx
import pytest
from starlette.applications import Starlette

from referral.web import frame, static_file
from services import intake
from tests.harness.freeze import ROOT

CSS = b"a { color: black; }" * 100


def get(address: str, encoding: str = "identity") -> httpx.Response:
    async def asked() -> httpx.Response:
        app = Starlette(routes=[static_file.serve("/x.css", CSS)])
        async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://a") as client:
            return await client.get(address, headers={"Accept-Encoding": encoding})

    return asyncio.run(asked())


def test_the_address_of_a_version_is_stored_for_ever_and_any_other_for_minutes(tmp_path: Path) -> None:
    """It was asked for again every five minutes, though it never changes within a version."""
    file = tmp_path / "x.css"
    file.write_bytes(CSS)
    address = static_file.sheet("/x.css", file)
    assert get(address).headers["cache-control"] == "max-age=31536000, immutable"
    assert get("/x.css").headers["cache-control"] == get("/x.css?0").headers["cache-control"] == "max-age=300"
    file.write_bytes(CSS + b" ")
    assert static_file.sheet("/x.css", file) != address


@pytest.mark.parametrize(("takes", "packed"), [("gzip, br", True), ("identity", False)])
def test_it_is_compressed_for_whoever_takes_it(takes: str, packed: bool) -> None:
    answer = get("/x.css", takes)
    assert (answer.headers.get("content-encoding") == "gzip") is packed and answer.content == CSS
    assert answer.headers["vary"] == "Accept-Encoding" and answer.headers["content-type"] == "text/css; charset=utf-8"
    assert (int(answer.headers["content-length"]) < len(CSS)) is packed


@pytest.mark.parametrize("frame", [frame.HERE / "templates" / "page.html", Path(intake.__path__[0]) / "pages" / "templates" / "frame.html"])
def test_every_frame_has_a_mark_and_names_the_version_of_its_sheet(frame: Path) -> None:
    """Audit and oversight had none: the browser asked for /favicon.ico, and got 404."""
    page = frame.read_text("utf-8")
    assert 'rel="icon"' in page and 'rel="stylesheet" href="{{ sheet }}"' in page


SHEETS = [file for folder in (frame.HERE, ROOT / "services") for file in folder.rglob("*.css") if "intake" not in file.parts]


@pytest.mark.parametrize("file", SHEETS, ids=lambda file: file.name)
def test_a_sheet_has_no_left_and_no_right(file: Path) -> None:
    assert not re.search(r"\b(left|right)\b", file.read_text("utf-8")), "use the logical properties: inline-start, inline-end"
