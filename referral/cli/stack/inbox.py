"""A made-up person at the inbox, without a browser: signs in when a page asks for it, and sends the forms of offers and tasks.

Some steps are decided by people alone, and intake refuses an agency's system there (`needs-person`).
"""

from __future__ import annotations

import html
import re
import ssl
import time
from collections.abc import Mapping

import httpx

from referral.client import Problem

LIMIT_S = 30.0
"""Longest wait for a page (ours): a starved machine checks a password slowly, and a form waits for routing's decision."""
AGAIN_S = 0.2
"""Seconds between two attempts while the inbox has no time (503)."""
_HIDDEN = re.compile(r'<input type="hidden" name="([^"]+)" value="([^"]*)">')
_WRONG = re.compile(r'<div class="notice bad"[^>]*>(.*?)</div>', re.DOTALL)


class Person:
    """Somebody with an account. Synchronous, as a browser with one tab is."""

    def __init__(self, url: str, login: str, password: str, believed: ssl.SSLContext) -> None:
        self._login, self._password = login, password
        self._http = httpx.Client(base_url=url, timeout=LIMIT_S, verify=believed, trust_env=False)

    def close(self) -> None:
        """Close the connection."""
        self._http.close()

    def answer(self, offer_id: str, word: str, *, reason: str = "", code: str = "", texts: Mapping[str, str] | None = None) -> None:
        """Answer an offer by the form of its page. Problem: the page refuses it."""
        self._answer(f"/offers/{offer_id}", word, reason, code, texts or {})

    def record(self, offer_id: str, word: str, *, reason: str = "", code: str = "", texts: Mapping[str, str] | None = None) -> None:
        """Record, for a desk, what an office said on the telephone. Problem: the page refuses it."""
        self._answer(f"/calls/{offer_id}", word, reason, code, texts or {})

    def fill(self, offer_id: str, section: str, entries: Mapping[str, str]) -> None:
        """Open the form of a section, which is a reading on record, and save it. entries: field → `yes`, `no`, `unknown` or a text."""
        where = f"/offers/{offer_id}/write"
        opened = self._sent(f"{where}/{section}", {**self._hidden(where), "do": "open"})
        written = {f"f.{name}": value for name, value in entries.items()}
        self._done(self._sent(f"{where}/{section}", {**_hidden(opened), "do": "save", **written}))

    def instruct(self, task_id: str, word: str, reason: str, **target: str) -> None:
        """Give a desk's instruction by the page of a task. target: `code`, `service` or another field. Problem: the page refuses it."""
        self._send(f"/tasks/{task_id}", "instruct", {"word": word, "reason": reason, **target})

    def _answer(self, page: str, word: str, reason: str, code: str, texts: Mapping[str, str]) -> None:
        self._send(page, "answer", {"word": word, "reason": reason, "code": code, **{f"need.{need}": said for need, said in texts.items()}})

    def _send(self, page: str, form: str, fields: Mapping[str, str]) -> None:
        """Send a form of a page. `sure`: the page that asks once more before a word ends something is answered at once."""
        self._done(self._sent(f"{page}/{form}", {**self._hidden(page), **fields, "sure": "yes"}))

    def _done(self, answer: httpx.Response) -> None:
        if answer.status_code != httpx.codes.SEE_OTHER:
            said = " ".join(re.sub(r"<[^>]+>", " ", one) for one in _WRONG.findall(answer.text))
            raise Problem(answer.status_code, {"code": "page-refuses", "where": answer.url.path, "hint": " ".join(said.split())})

    def _hidden(self, page: str) -> dict[str, str]:
        """Return the hidden fields of a page. A session ends after an hour by the drill clock: then the person signs in again."""
        answer = self._http.get(page)
        if answer.status_code == httpx.codes.SEE_OTHER:
            self._sign_in()
            answer = self._http.get(page)
        if answer.status_code != httpx.codes.OK:
            raise Problem(answer.status_code, {"code": "no-page", "where": page})
        return _hidden(answer)

    def _sign_in(self) -> None:
        form = _hidden(self._http.get("/signin"))
        self._done(self._sent("/signin", {**form, "login": self._login, "password": self._password}))

    def _sent(self, path: str, form: Mapping[str, str]) -> httpx.Response:
        """Return the answer to a form, or the page that it made. Sent again while the inbox has no time: its key makes it count once."""
        until = time.monotonic() + LIMIT_S
        while (answer := self._http.post(path, data=dict(form))).status_code == 503 and time.monotonic() < until:
            time.sleep(AGAIN_S)
        made = answer.headers.get("location", "")
        return self._http.get(made) if "?view=" in made else answer


def _hidden(page: httpx.Response) -> dict[str, str]:
    return {name: html.unescape(value) for name, value in _HIDDEN.findall(page.text)}
