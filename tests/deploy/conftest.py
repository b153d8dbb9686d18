"""Fixtures of what needs containers."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.deploy import engine as engines


@pytest.fixture(scope="session")
def engine() -> Iterator[engines.Engine]:
    """A Docker engine for the session; `load` gives it images."""
    with engines.running() as running:
        yield running
