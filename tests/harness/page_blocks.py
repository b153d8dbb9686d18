"""Read the blocks of a page that a test runs as they stand there."""

from __future__ import annotations

import re
from pathlib import Path


def blocks(page: Path, *words: str) -> list[tuple[str, str]]:
    """Return (word, block) of each fenced block whose first line is one of these words, such as `sh server`, in the page's order."""
    fence = rf"^```({'|'.join(map(re.escape, words))})\n(.*?)^```"
    return [(word, block) for word, block in re.findall(fence, page.read_text("utf-8"), re.M | re.S)]
