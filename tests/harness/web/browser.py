"""A phone's browser: Chromium 375 px wide. Without Chromium a test skips and says how to install it."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from selenium import webdriver
from selenium.webdriver.chrome.service import Service

from tests.harness.waiting import PATIENCE_S

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
