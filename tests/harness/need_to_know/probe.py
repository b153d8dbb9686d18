"""Ask one cell of the need-to-know matrix at a line: the requests of each row, and which signs of the matrix an answer shows."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import NamedTuple

import httpx

from referral.domain.case_number import case_number
from tests.harness.markers import codings
from tests.harness.need_to_know.askers import Asker
from tests.harness.need_to_know.cases import BAND, LOGIN, OFFICE, PLACE, STEM, Case
from tests.harness.need_to_know.matrix import SEEN
from tests.harness.web.world import HELP

OPERATOR = f"tel:{HELP.replace(' ', '')}"
"""The operator's number on the sign-in page, which is no office's."""

FORMS = codings(STEM)
CHOICES = re.compile(r'<select.*?</select>|<label class="choice">.*?</label>|<input type="hidden"[^>]*>', re.S)
"""Parts of a page that offer what may be chosen, and say nothing of the case."""
MAIN = re.compile(r"<main.*?</main>", re.S)
HEADS = re.compile(r'class="number"[^>]*>')
KEY = "0" * 32


class Request(NamedTuple):
    """One request about a thing. path: behind the path of the thing. form: None for a GET."""

    path: str
    form: Mapping[str, str] | None = None

    @property
    def method(self) -> str:
        return "GET" if self.form is None else "POST"

    def __str__(self) -> str:
        said = " ".join(f"{name}={value}" for name, value in (self.form or {}).items() if value != KEY)
        return f"{self.method} …{self.path} {said}".strip()


_SAID = {"f.text": "made up", "since": "0", "key": KEY}
_CONSENT = {"state": "GIVEN", "giver": "person", "key": KEY}
CHANGES = (
    *(Request(f"/change/{what}") for what in ("consent", "keep-away", "age", "place")),
    Request("/change/consent", _CONSENT | {"do": "ask"}),
    Request("/change/consent", _CONSENT | {"do": "send"}),
    Request("/change/keep-away", {"kind": "RELATION", "relation": "parent", "do": "send", "key": KEY}),
    Request("/change/age", {"age": "child", "do": "send", "key": KEY}),
    Request("/change/place", {"found_in": "peje", "do": "send", "key": KEY}),
)
BACK = Request("/take-back", {"key": "1" * 32})  # an answer has used the other key
REQUESTS: Mapping[str, tuple[Request, ...]] = {
    "/offers": (
        Request(""),
        Request("/show", {}),
        *(Request("/answer", {"word": word, "key": KEY}) for word in ("ACKNOWLEDGE", "ACCEPT", "COMPLETE", "none")),
        BACK,
        Request("/write"),
        *(Request("/write/note", _SAID | {"do": do}) for do in ("open", "save", "draft", "discard")),
        *CHANGES,
    ),
    "/calls": (
        Request(""),
        Request("/show", {"called": "yes"}),
        *(Request("/answer", {"word": word, "key": KEY}) for word in ("ACCEPT", "COMPLETE")),
        BACK,
    ),
    "/tasks": (
        Request(""),
        Request("/instruct", {"word": "CLOSE", "reason": "other", "key": KEY}),
        Request("/instruct", {"word": "none", "reason": "other", "key": KEY}),
        *CHANGES,
    ),
    "/exercises": (Request(""), Request("/end", {}), Request("/end", {"sure": "yes"})),
    "/unverified": (
        Request(""),
        Request("/show", {}),
        Request("/answer", {"answer": "confirm", "key": KEY}),
        Request("/answer", {"answer": "refuse", "reason": "other", "key": KEY}),
    ),
}
"""First word of a path → every request about a thing of this kind."""
OWNED: Mapping[str, tuple[Request, ...]] = {
    "offer": (Request(""), Request("/answer", {"word": "COMPLETE", "key": KEY})),
    "file": (Request("/show", {}),),
    "change": (*CHANGES[:4], CHANGES[4]),
    "over": (Request(""),),
    "slip": (Request(""), BACK),
    "notice": (Request(""),),
    "call": (Request(""),),
    "call-file": (Request("/show", {"called": "yes"}),),
    "task": (Request(""), Request("/change/age"), Request("/instruct", {"word": "CLOSE", "reason": "other", "key": KEY})),
    "settled": (Request(""),),
}
"""Row → what those ask who may. Nothing of it is sent for good: what ends something is asked once."""


def markers(answer: httpx.Response) -> list[bytes]:
    """Return the markers of a case file in an answer, in whatever coding."""
    heard = answer.content + repr(answer.headers.multi_items()).encode()
    return [form for form in FORMS if form in heard]


def changed(id: str) -> Iterator[str]:
    """Yield ids that are not this one, and nearly are."""
    last = "0" if id[-1] != "0" else "1"
    yield from (id[:-1] + last, id.upper() if id.upper() != id else id[::-1], id.replace("-", ""), f"{id}0")


def seen(answer: httpx.Response, case: Case, asker: Asker, *, listed: bool = False, part: str = "") -> set[str]:
    """Return the signs that an answer shows of a case.

    listed: the page is a list, and only its parts about this case count. part: id of the heading of the part that counts.
    """
    number = case_number(case.case_id)
    found = MAIN.search(answer.text)
    paper = rf'<p class="paper">[^<]* · {OFFICE}/{asker.agency}/ · {asker.login} · [^<]*</p>'  # on paper: who printed it
    main = re.sub(paper, "", CHOICES.sub("", found[0])) if found else ""
    if part:
        main = main.partition(f'aria-labelledby="{part}"')[2].partition("</section>")[0]
    whole, own = main, f"{OFFICE}/{asker.agency}/"
    if listed:
        main = " ".join(part for part in HEADS.split(main)[1:] if part.startswith(number))
    shows = {
        "N": number in whole,
        "M": PLACE in main or BAND in main,
        "S": 'class="stages"' in main or 'class="after"' in main,
        "O": OFFICE in main.replace(own, "") or "tel:" in main.replace(OPERATOR, ""),
        "P": LOGIN in main,
        "F": STEM in whole,
        "V": re.search(r"Version \d+ · ", main) is not None,
    }
    return {sign for sign, there in shows.items() if there}


def letters(cell: str) -> set[str]:
    """Return the signs of a cell that say what is seen."""
    return set(cell) & SEEN.keys()
