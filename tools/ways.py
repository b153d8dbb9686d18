"""Show the files that one run passes: `python -m tools.ways TEST…` runs these tests in this process and lists the product's files.

A file counts when a function of it was called while a test ran, fixtures and imports left out, in the order of first calls. What a child
process runs is not seen, so choose tests that have the services in their own process. A reader opens fewer files than run: compare two
commits by it, and count the files of a way (issue 37, "Must show" 2) by hand.
"""

from __future__ import annotations

import argparse
import sys
import threading
from collections.abc import Generator
from types import FrameType
from typing import Any

import pytest

from tools.source import PRODUCT, ROOT

INSIDE = tuple(f"{ROOT}/{folder}" for folder in PRODUCT)
NO_WAY = ("<module>", "<lambda>", "<listcomp>", "<genexpr>", "<dictcomp>", "<setcomp>")
"""Code that runs with an import, or within a function that counts already."""


class Way:
    """A plugin of pytest that collects the product's files of the calls in a test's body."""

    def __init__(self) -> None:
        self.files: dict[str, int] = {}

    def _called(self, frame: FrameType, event: str, _: Any) -> None:
        code = frame.f_code
        if event == "call" and code.co_filename.startswith(INSIDE) and code.co_name not in NO_WAY:
            self.files[code.co_filename] = self.files.get(code.co_filename, 0) + 1

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_call(self) -> Generator[None, Any, Any]:
        """Collect while the test runs."""
        sys.setprofile(self._called)
        threading.setprofile(self._called)
        try:
            return (yield)
        finally:
            sys.setprofile(None)
            threading.setprofile(None)


def main() -> int:
    """Run the tests and print the way."""
    parser = argparse.ArgumentParser(prog="python -m tools.ways", description="Show the files that a run passes.")
    parser.add_argument("words", nargs="+", help="for pytest")
    way = Way()
    failed = pytest.main(["-q", "-p", "no:cacheprovider", *parser.parse_args().words], plugins=[way])
    for number, (file, calls) in enumerate(way.files.items(), 1):
        print(f"{number:4} {file.removeprefix(f'{ROOT}/')} ({calls} calls)")
    print(f"{len(way.files)} files")
    return int(failed)


if __name__ == "__main__":
    sys.exit(main())
