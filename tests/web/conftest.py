"""A browser and an inbox for it. Without Chromium these tests skip and say how to install it."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest
from selenium import webdriver
from selenium.webdriver.chrome.service import Service

from referral.domain.policy import Policy, policy
from referral.runtime.settings import CHECKOUT
from referral.wire import policy_digest
from tests.harness.waiting import PATIENCE_S
from tests.web.world import World

FLAGS = (
    "--headless=new",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--hide-scrollbars",
)
PHONE = {"width": 375, "height": 800, "deviceScaleFactor": 2, "mobile": False}
"""The narrowest phone that is still in many pockets. Not `mobile`: there a tap of the driver never returns without JavaScript."""
INSTALL = "apt-get install -y chromium chromium-driver"


@pytest.fixture
def browser(tmp_path: Path) -> Iterator[webdriver.Chrome]:
    """A phone's browser without JavaScript: Chromium 375 px wide, with a profile of its own."""
    with phone(tmp_path / "profile", javascript=False) as driver:
        yield driver


@pytest.fixture
def measuring(tmp_path: Path) -> Iterator[webdriver.Chrome]:
    """The same with JavaScript, for tests that measure a page with it; the pages themselves have none."""
    with phone(tmp_path / "profile", javascript=True) as driver:
        yield driver


def phone(profile: Path, *, javascript: bool) -> webdriver.Chrome:
    """A browser that ends with its `with`."""
    chromium, driver = shutil.which("chromium"), shutil.which("chromedriver")
    if not chromium or not driver:
        pytest.skip(f"no Chromium here; install it with: {INSTALL}")
    options = webdriver.ChromeOptions()
    options.binary_location = chromium
    for flag in (*FLAGS, f"--user-data-dir={profile}"):
        options.add_argument(flag)
    options.add_experimental_option("prefs", {"credentials_enable_service": False, "profile.password_manager_leak_detection": False})
    made = webdriver.Chrome(options=options, service=Service(driver))
    made.set_page_load_timeout(PATIENCE_S)
    made.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", PHONE)
    if not javascript:
        made.execute_cdp_cmd("Emulation.setScriptExecutionDisabled", {"value": True})
    return made


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


@cache
def compiled() -> Policy:
    """The policy of this checkout."""
    return policy.compile(policy_digest.read(CHECKOUT / "policy"))
