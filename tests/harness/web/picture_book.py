"""The story in pictures and the table of taps: docs/story.md, docs/pictures/story-*.png and docs/reference/taps.md.

`make pictures` writes them. The test walks the same way, writes nothing, and compares words and counts.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

from referral.runtime.settings import CHECKOUT
from tests.harness.web.thumb import MOST, Act, Phone

DOCS = CHECKOUT / "docs"
STORY, TAPS, PICTURES = DOCS / "story.md", DOCS / "reference" / "taps.md", DOCS / "pictures"
AGAIN = "run `make pictures`, look at each picture, and commit what it wrote"
INTRODUCTION = """# A story in pictures

A teacher is worried about a girl of her class. These pictures show what every person after her sees, until the auditor proves what
happened. A test (`tests/web/test_story.py`) walks the whole way on real servers: on a phone 375 pixels wide, in a browser without
JavaScript. It lets axe judge each page. `make pictures` takes the pictures again. Everybody and everything in them is made up: pages and
messages say that it is an exercise. What each act costs stands in [taps and typed characters](reference/taps.md).
"""
TABLE = """# Taps and typed characters

A test counts them while it walks the [story](../story.md), and compares them with this table; `make pictures` writes the table anew.
A link in a message, a button, an entry that is touched and a choice are one tap each; a list is two. A password has 17 characters here.
A device is *remembered* for a shift: its owner signed in on it within 13 hours, and has not signed out.

| act | taps | typed characters |
| --- | ---: | ---: |
"""


@dataclass
class Book:
    """What the walk tells. write: take pictures and write the files; otherwise compare them."""

    phone: Phone
    write: bool
    _text: list[str] = field(default_factory=lambda: [INTRODUCTION])
    _files: list[Path] = field(default_factory=list)

    def chapter(self, title: str) -> None:
        self._text.append(f"## {title}\n")

    def words(self, text: str) -> None:
        """Add a paragraph."""
        self._text.append(f"{text}\n")

    def picture(self, name: str, sentence: str, *, begin: str = "", end: str = "") -> None:
        """Add the page as it is now. begin, end: elements (CSS) between which it is shown; empty: the whole page."""
        file = PICTURES / f"story-{len(self._files) + 1:02}-{name}.png"
        self._files.append(file)
        self._text.append(f'{sentence}\n\n<img src="pictures/{file.name}" width="300" alt="{sentence}">\n')
        if self.write:
            file.write_bytes(self.phone.shot(begin, end))

    def end(self) -> None:
        """Write the pages, or compare them. AssertionError: they tell something else, or a picture is missing or too large."""
        written = {STORY: "\n".join(self._text), TAPS: TABLE + "".join(map(_row, self.phone.acts))}
        if self.write:
            for path, text in written.items():
                path.write_text(text, "utf-8")
            _drop(set(PICTURES.glob("story-*.png")) - set(self._files))
        for path, text in written.items():
            assert path.exists() and path.read_text("utf-8") == text, f"{path.name} tells something else: {AGAIN}"
        assert set(PICTURES.glob("story-*.png")) == set(self._files), f"docs/pictures has others: {AGAIN}"
        large = [file.name for file in self._files if file.stat().st_size > MOST]
        assert not large, f"larger than {MOST} bytes: {large}"


def _row(act: Act) -> str:
    return f"| {act.name} | {act.taps} | {act.typed} |\n"


def _drop(files: Iterable[Path]) -> None:
    for file in files:
        file.unlink()
