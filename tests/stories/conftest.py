"""`pytest tests/stories --update` (`make stories`) rewrites what follows in every story; review the difference."""

from __future__ import annotations

import pytest


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--update", action="store_true", help="rewrite the stories' `then` with what the program decides now")
