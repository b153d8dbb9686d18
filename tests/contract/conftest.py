"""What the notifier's contract tests share: a notifier on a database of its own, and a mail server."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests import smtp
from tests.contract.notifier_stack import Stack, stack


@pytest.fixture
async def notifier(database: str, key_files: tuple[Path, Path]) -> AsyncIterator[Stack]:
    async with stack(database, key_files[0]) as made:
        yield made


@pytest.fixture
async def relay() -> AsyncIterator[smtp.Relay]:
    async with smtp.relay() as made:
        yield made
