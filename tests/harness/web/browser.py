"""A phone's browser: Chromium 375 px wide. Without Chromium a test skips and says how to install it."""

from __future__ import annotations

import shutil
from base64 import b64encode
from contextlib import suppress
from hashlib import sha256
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from selenium import webdriver
from selenium.common.exceptions import WebDriverException
from selenium.webdriver.chrome.service import Service

from referral.ca import authority
from referral.ca.names import Plane
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


class Phones:
    """One browser for all tests of a process: a start takes 2 s of CPU. Each test has a window of its own, and no cookie of another."""

    def __init__(self, profile: Path, ca: Path) -> None:
        """profile: folder of its profiles. ca: folder of the authority whose servers it believes."""
        self._profile, self._ca, self._count = profile, ca, 0
        self._browser: webdriver.Chrome | None = None

    def phone(self, *, javascript: bool) -> webdriver.Chrome:
        """Return the browser as if it was new; one that has died, or hangs, is replaced."""
        try:
            self._renew()
        except WebDriverException:
            self.close()
            self._renew()
        assert self._browser is not None
        self._browser.execute_cdp_cmd("Emulation.setScriptExecutionDisabled", {"value": not javascript})
        return self._browser

    def close(self) -> None:
        """End it."""
        if self._browser is not None:
            with suppress(WebDriverException):
                self._browser.quit()
            self._browser = None

    def _renew(self) -> None:
        if self._browser is None:
            self._count += 1
            self._browser = _started(self._profile / str(self._count), _key(self._ca))
        browser, before = self._browser, self._browser.window_handles
        browser.switch_to.new_window("tab")  # emulation, header fields and focus are a window's
        new = browser.current_window_handle
        for window in before:
            browser.switch_to.window(window)
            browser.close()
        browser.switch_to.window(new)
        browser.execute_cdp_cmd("Network.clearBrowserCookies", {})
        browser.execute_cdp_cmd("Network.clearBrowserCache", {})
        browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", PHONE)


def _key(ca: Path) -> str:
    """Return the hash of the key that signs the servers' certificates: Chromium then takes a chain with this key in it, and no other."""
    key = authority.certificate(ca / f"{Plane.SERVICES}-1").public_key()
    return b64encode(sha256(key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)).digest()).decode()


def _started(profile: Path, key: str) -> webdriver.Chrome:
    chromium, driver = shutil.which("chromium"), shutil.which("chromedriver")
    if not chromium or not driver:
        pytest.skip(f"no Chromium here; install it with: {INSTALL}")
    options = webdriver.ChromeOptions()
    options.binary_location = chromium
    for flag in (*FLAGS, f"--user-data-dir={profile}", f"--ignore-certificate-errors-spki-list={key}"):
        options.add_argument(flag)
    options.add_experimental_option("prefs", {"credentials_enable_service": False, "profile.password_manager_leak_detection": False})
    made = webdriver.Chrome(options=options, service=Service(driver))
    made.set_page_load_timeout(PATIENCE_S)
    return made
