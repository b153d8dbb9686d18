"""Digests of the source page, for the marks S of the policy: `python -m tests.harness.source_page PAGE` writes them anew.

The page itself is not ours to copy. For each three consecutive words of it, in its order, the file holds the beginning of a SHA-256, so
that a test can tell whether a quote is on the page. A word is letters and digits in a row, in lower case; an apostrophe divides none.
"""

from __future__ import annotations

import hashlib
import re
import sys
from collections.abc import Sequence
from pathlib import Path

FILE = Path(__file__).parents[1] / "unit" / "docs" / "source_page.sha256"
TOGETHER = 3
"""Words of one digest, and so of the shortest quote."""
LONGEST = 12
"""Words of the longest quote: no more of the page than names the fact."""
HEX = 16


def words(text: str) -> list[str]:
    """Return the words of a text as they are compared."""
    return re.findall(r"[^\W_]+", re.sub("[’']", "", text.lower()))


def digests(text: str) -> list[str]:
    """Return a digest for each three consecutive words, in their order; none for a text of fewer."""
    said = words(text)
    sequences = (" ".join(said[at : at + TOGETHER]) for at in range(len(said) - TOGETHER + 1))
    return [hashlib.sha256(sequence.encode()).hexdigest()[:HEX] for sequence in sequences]


def is_on_page(quote: str, page: Sequence[str]) -> bool:
    """Return whether the digests of a quote of at least three words stand on the page one after another. page: as FILE has it."""
    wanted = digests(quote)
    return bool(wanted) and any(list(page[at : at + len(wanted)]) == wanted for at in range(len(page) - len(wanted) + 1))


def main(path: str) -> None:
    """Write the digests of the page at a path."""
    page = digests(Path(path).read_text("utf-8"))
    FILE.write_text("".join(f"{digest}\n" for digest in page), "utf-8")
    sys.stdout.write(f"{len(page)} digests of {len(page) + TOGETHER - 1} words\n")


if __name__ == "__main__":
    main(*sys.argv[1:])
