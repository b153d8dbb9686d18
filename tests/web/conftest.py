"""A browser and an inbox for it. Without Chromium these tests skip, and without axe their pages are not judged; both is said."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from selenium import webdriver

from tests.harness.shipped import compiled
from tests.harness.web import axe
from tests.harness.web.browser import Phones
from tests.harness.web.world import World


@pytest.fixture(scope="session")
def phones(tmp_path_factory: pytest.TempPathFactory, ca: Path) -> Iterator[Phones]:
    made = Phones(tmp_path_factory.mktemp("browser"), ca)
    yield made
    made.close()


@pytest.fixture
def browser(phones: Phones) -> Iterator[webdriver.Chrome]:
    """A phone's browser without JavaScript: Chromium 375 px wide."""
    yield phones.phone(javascript=False)
    axe.say_unjudged()


@pytest.fixture
def measuring(phones: Phones) -> Iterator[webdriver.Chrome]:
    """The same with JavaScript, for tests that measure a page with it; the pages themselves have none."""
    yield phones.phone(javascript=True)
    axe.say_unjudged()


@pytest.fixture
def pictures(tmp_path: Path) -> Path:
    """Where screenshots go: the folder that REFERRAL_PICTURES names, else a temporary one."""
    folder = Path(os.environ.get("REFERRAL_PICTURES") or tmp_path / "pictures")
    folder.mkdir(parents=True, exist_ok=True)
    return folder


@pytest.fixture
def world(database: str, key_files: tuple[Path, Path]) -> Iterator[World]:
    """An inbox on a fresh database."""
    with World(database, key_files[0], compiled()) as made:
        yield made
