"""Fixtures of audit's tests: a database, and a broker in memory."""

from __future__ import annotations

import pytest

from referral.runtime.settings import Settings


@pytest.fixture
def settings(either: Settings) -> Settings:
    """With a broker in memory where no test says otherwise."""
    return either
