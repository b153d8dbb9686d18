"""What contract tests share: a notifier and a door of intake, each on a database of its own, a mail server, a folder for own servers."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from referral.runtime.settings import Settings
from tests.harness import smtp
from tests.harness.line import intake_stack
from tests.harness.line import phones as telephones
from tests.harness.line.notifier_stack import Stack, stack
from tests.harness.line.phones import Phones


@pytest.fixture
async def notifier(database: str, key_files: tuple[Path, Path]) -> AsyncIterator[Stack]:
    async with stack(database, key_files[0]) as made:
        await made.by_day()
        yield made


@pytest.fixture
async def phones(notifier: Stack) -> AsyncIterator[Phones]:
    async with telephones.phones(notifier) as made:
        yield made


@pytest.fixture
async def folder() -> AsyncIterator[Path]:
    """Of a server that a test starts for itself. Short: a socket's path has 107 bytes."""
    made = Path(tempfile.mkdtemp(prefix="away-"))
    yield made
    shutil.rmtree(made, ignore_errors=True)


@pytest.fixture
async def relay() -> AsyncIterator[smtp.Relay]:
    async with smtp.relay() as made:
        yield made


@pytest.fixture
async def intake(bare: Settings) -> AsyncIterator[intake_stack.Stack]:
    async with intake_stack.stack(bare) as made:
        yield made
