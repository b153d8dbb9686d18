"""Fixtures of the loop's tests: a fresh stack for the tiny service."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from referral.runtime.settings import Settings
from tests.harness.line.runtime_stack import Stack, stack


@pytest.fixture
def settings(either: Settings) -> Settings:
    """With a broker in memory where no test says otherwise."""
    return either


@pytest.fixture
async def line(settings: Settings) -> AsyncIterator[Stack]:
    async with stack(settings) as made:
        yield made
