"""Attack the public page as a program would: many reports at once, from as many addresses as wanted, and guesses of receipts' codes."""

from __future__ import annotations

import re
import secrets
import ssl
import threading
from base64 import b32encode
from collections import Counter
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass

import httpx

from tests.harness.waiting import PATIENCE_S
from tests.harness.web.forms import Browser, hidden

THREADS = 16
EVERY = {
    "danger": "yes",
    "found_in": "prizren",
    "concern": "trafficking",
    "age_band": "12-14",
    "need.happened": "Made up.",
    "who": "Made up",
    "telephone": "044 000 000",
}
"""A made-up report, in the fields of the form."""
CODE = re.compile(r"<code>([A-Z2-7]{4}(?:-[A-Z2-7]{4}){3})</code>")


@dataclass(frozen=True, slots=True)
class Report:
    """One report. address: from which the proxy says that it came. more: fields that differ from EVERY."""

    address: str
    more: tuple[tuple[str, str], ...] = ()


class Visitor:
    """A program that uses the public page: one browser's cookie and form, sent as often as wanted, by a connection for each thread."""

    def __init__(self, url: str, tls: ssl.SSLContext | bool = True) -> None:
        self._url, self._tls, self._threads = url, tls, threading.local()
        self._made: list[httpx.Client] = []
        self.form = hidden(self.http.get("/refer").text)
        self.cookies = dict(self.http.cookies)

    @property
    def http(self) -> httpx.Client:
        """Return this thread's client: one that many threads share loses connections in a flood."""
        found: httpx.Client | None = getattr(self._threads, "http", None)
        if found is None:
            headers, cookies = {"Accept-Language": "en"}, getattr(self, "cookies", {})
            found = Browser(base_url=self._url, headers=headers, cookies=cookies, timeout=PATIENCE_S, trust_env=False, verify=self._tls)
            self._threads.http = found
            self._made.append(found)
        return found

    def close(self) -> None:
        for made in self._made:
            made.close()

    def report(self, sent: Report, key: str = "") -> httpx.Response:
        """Send a whole form, with a key of its own."""
        form = self.form | {"key": key or secrets.token_hex(16), "at": "check", "go": "send"} | EVERY | dict(sent.more)
        return self.http.post("/refer", data=form, headers={"X-Forwarded-For": sent.address})

    def look(self, code: str, address: str = "203.0.113.7", note: str = "") -> httpx.Response:
        """Ask what a code stands for."""
        form = {"form": self.form["form"], "code": code, "need.note": note}
        return self.http.post("/refer/receipt", data=form, headers={"X-Forwarded-For": address})


@contextmanager
def visitor(url: str, tls: ssl.SSLContext | bool = True) -> Iterator[Visitor]:
    made = Visitor(url, tls)
    try:
        yield made
    finally:
        made.close()


def send(by: Visitor, reports: Iterable[Report], threads: int = THREADS) -> Counter[int]:
    """Send them all, as fast as the threads can. Return status → how many answers had it."""
    with ThreadPoolExecutor(threads) as crowd:
        return Counter(crowd.map(lambda one: by.report(one).status_code, reports))


def guess(by: Visitor, count: int, threads: int = 4 * THREADS) -> Counter[int]:
    """Guess so many codes. Return status → how many answers had it."""
    codes = (b32encode(secrets.token_bytes(10)).decode() for _ in range(count))
    lock = threading.Lock()

    def one(_: int) -> int:
        with lock:
            code = next(codes)
        return by.look(code).status_code

    with ThreadPoolExecutor(threads) as crowd:
        return Counter(crowd.map(one, range(count)))


def note(by: Visitor, code: str, count: int, threads: int = THREADS) -> Counter[str]:
    """Write so many notes to one receipt, no two the same. Return page → how many answers were it; without what every page has anew."""
    with ThreadPoolExecutor(threads) as crowd:
        pages = crowd.map(lambda number: by.look(code, note=f"Made up {number}."), range(count))
        return Counter(re.sub(r'value="[^"]*"|Made up [0-9]+', "", page.text) for page in pages)


def an_hour(towns: tuple[str, ...], count: int = 10_000) -> Iterator[Report]:
    """Yield an hour's attack, its kinds in turn: one address behind forged ones, eight networks upon one desk with the same words, eight
    networks upon all desks, and forty networks upon all desks, no two with the same words."""
    for n in range(count):
        town = ("found_in", towns[n % len(towns)])
        match n % 4:
            case 0:
                yield Report(f"198.51.{n % 250}.1, 203.0.113.7", (("need.happened", f"forged {n}"),))
            case 1:
                yield Report(f"192.0.{n // 4 % 8}.{n % 250}")
            case 2:
                yield Report(f"2001:db8:{n // 4 % 8}::{n:x}", (town, ("need.happened", f"everywhere {n % 3}")))
            case _:
                yield Report(f"10.7.{n // 4 % 40}.1", (town, ("need.happened", f"many networks {n}")))


def code_of(answer: httpx.Response) -> str:
    """Return the code of an accepted report. AssertionError: it was not accepted."""
    found = CODE.search(answer.text)
    assert answer.status_code == 200 and found, (answer.status_code, answer.text[:500])
    return found[1]
