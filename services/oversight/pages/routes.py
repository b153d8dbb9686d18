"""Serve the pages of the Committee and the Adviser. They only read published releases, never a case."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sqlalchemy.ext.asyncio import AsyncEngine
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import BaseRoute, Route

from referral.domain.policy import Policy
from referral.errors import Malformed, Unavailable
from referral.runtime.observe import log
from referral.runtime.postgres import figure_releases
from referral.runtime.postgres.tokens import OVERSIGHT
from referral.web.frame import PAGE_HEADERS
from referral.web.office import Office, OfficeRequest
from referral.wire.figure_release import Published
from services.oversight.disclosure.blocks import GATHER
from services.oversight.pages import downloads, sections, view
from services.oversight.pages.naming import Measures, Naming

HOME = "/oversight"
HERE = re.compile(r"/oversight(/[a-z0-9][a-z0-9-]*){0,3}(\?block=[0-9.-]{1,20})?")
"""Pages to return to after a change of language: ours, and no other."""
CSV, JSON = "text/csv; charset=utf-8; header=present", "application/json"
ORDERS = {"country": sections.COUNTRY, "deadlines": sections.DEADLINES}
FIRST = {"committee": "country", "adviser": "deadlines"}
"""First page of an office, by the role in its token's note; it may open all."""


@dataclass(frozen=True, slots=True)
class Figures:
    """A request of a reader with what it may see. naming: None of the policy's names where no policy is known yet."""

    office: OfficeRequest
    releases: tuple[Published, ...]
    naming: Naming

    @property
    def given(self) -> Mapping[str, str]:
        """Return the parts of the path."""
        return self.office.request.path_params


Page = Callable[[Figures], Response]


class Pages:
    """The pages of one process.

    policy: in force, for names; raises Unavailable if there is none yet. drill: all children here are made up.
    secure: people reach the pages by https.
    """

    def __init__(self, engine: AsyncEngine, policy: Callable[[], Policy], defined: Measures, *, drill: bool, secure: bool) -> None:
        self._engine, self._policy, self._defined, self._drill = engine, policy, defined, drill
        self._releases: dict[int, Published] = {}
        self.office = Office(engine, "oversight", OVERSIGHT, HOME, Path(__file__).parent, HERE, secure=secure, beside=self._beside)

    def routes(self) -> list[BaseRoute]:
        """Return all routes."""
        pages: Mapping[str, Page] = {
            "": _home,
            "/country": self._view,
            "/deadlines": self._view,
            "/procedures/{pathway:str}": self._procedure,
            "/releases": lambda call: self._page(call, "releases.html", corrected=view.corrected(call.releases)),
            "/releases/{number:int}": self._release,
            "/measures": self._measures,
            "/measures/{measure:str}": self._measures,
            "/downloads": lambda call: self._page(call, "downloads.html"),
            "/dictionary.{kind:str}": self._dictionary,
            "/figures.{kind:str}": self._figures,
            "/releases/{number:int}/figures.{kind:str}": self._figures,
        }
        return self.office.routes(*(self._route(path, page) for path, page in pages.items()), programs=True)

    def _route(self, path: str, page: Page) -> Route:
        """Return the route of a page. It is rendered in a thread, so that counting goes on."""

        async def read(call: OfficeRequest) -> Response:
            try:
                releases = await self._published()
            except Malformed as error:
                log().error("release is not as it was made", service="oversight", reason=str(error))
                return self.office.page(call, "broken.html", 500)
            return await run_in_threadpool(lambda: page(Figures(call, releases, self._naming(call))))

        return self.office.route(path, read, programs=True)

    async def _published(self) -> tuple[Published, ...]:
        """Return all releases in the order of their numbers. A release never changes, so each is read once. Malformed: one of them was
        changed in the database."""
        async with self._engine.connect() as tx:
            for published in await figure_releases.published(tx, self._releases):
                self._releases[published.number] = published
        return tuple(published for _, published in sorted(self._releases.items()))

    def _naming(self, call: OfficeRequest) -> Naming:
        try:
            return Naming(call.say, self._policy(), self._defined.measures)
        except Unavailable:  # display the figures, even without names
            return Naming(call.say, None, self._defined.measures)

    def _beside(self, call: OfficeRequest) -> dict[str, object]:
        return {"naming": self._naming(call), "defined": self._defined, "drill": self._drill, "gather": GATHER}

    def _page(self, call: Figures, template: str, **values: object) -> Response:
        shared: dict[str, Any] = {
            "k": call.releases[-1].made.threshold if call.releases else 0,  # of the newest release: no figure reveals fewer children
            "newest": call.releases[-1:],
            "releases": call.releases[::-1],
            "waits": view.waiting(call.releases),
        }
        return self.office.page(call.office, template, **(shared | values))

    def _lost(self, call: Figures) -> Response:
        return self.office.lost(call.office)

    def _view(self, call: Figures) -> Response:
        name = call.office.request.url.path.rpartition("/")[2]
        told, waits = view.blocks(call.releases), view.waiting(call.releases)
        tables = sections.of_all(view.newest(told).values(), view.full(call.releases), call.naming)
        drawn = view.over_time(told, waits, call.naming)
        return self._page(call, "view.html", view=name, order=ORDERS[name], tables=tables, drawn=drawn)

    def _procedure(self, call: Figures) -> Response:
        pathway, wanted = call.given["pathway"], call.office.request.query_params.get("block", "")
        told = [block for block in view.blocks(call.releases) if block.pathway == pathway]
        waits = [figure for figure in view.waiting(call.releases) if figure.pathway == pathway]
        block = next((block for block in told[::-1] if wanted in ("", block.id)), None)
        if not (told or waits) or (wanted and block is None):
            return self._lost(call)
        tables = sections.of_block(block, call.naming) if block else []
        drawn = view.over_time(told, waits, call.naming)
        return self._page(call, "procedure.html", pathway=pathway, block=block, told=told[::-1], tables=tables, drawn=drawn, waits=waits)

    def _release(self, call: Figures) -> Response:
        number = call.office.request.path_params["number"]
        found = next((published for published in call.releases if published.number == number), None)
        if found is None:
            return self._lost(call)
        told = [(block, sections.of_block(block, call.naming)) for block in view.blocks([found])]
        full = sections.of_places(view.full([found]), call.naming)
        corrected = view.corrected(call.releases).get(number, [])
        made = {"made": found.made, "at": found.at, "k": found.made.threshold}
        return self._page(call, "release.html", **made, told=told, full=full, waits=view.waiting([found]), corrected=corrected)

    def _measures(self, call: Figures) -> Response:
        wanted = call.given.get("measure", "")
        measures = {id: one for id, one in self._defined.measures.items() if wanted in ("", id)}
        terms = {id: one for id, one in self._defined.terms.items() if wanted in ("", id)}
        if not measures and not terms:
            return self._lost(call)
        return self._page(call, "measures.html", wanted=wanted, measures=measures, terms=terms)

    def _figures(self, call: Figures) -> Response:
        number, kind = call.office.request.path_params.get("number"), call.given["kind"]
        chosen = [published for published in call.releases if number in (None, published.number)]
        if kind not in ("csv", "json") or (number is not None and not chosen):
            return self._lost(call)
        name = "figures" if number is None else f"figures-{number}"
        body = downloads.figures_csv(chosen) if kind == "csv" else downloads.figures_json(chosen)
        return _file(call.office.request, body, CSV if kind == "csv" else JSON, f"{name}.{kind}")

    def _dictionary(self, call: Figures) -> Response:
        kind = call.given["kind"]
        if kind == "json":
            return _file(call.office.request, downloads.dictionary_json(self._defined, self.office.words), JSON, "dictionary.json")
        if kind != "csv":
            return self._lost(call)
        return _file(call.office.request, downloads.dictionary_csv(self._defined, call.naming.say), CSV, "dictionary.csv")


def _home(call: Figures) -> Response:
    return RedirectResponse(f"{HOME}/{FIRST[call.office.who.note]}", 303, PAGE_HEADERS)


def _file(request: Request, body: bytes, kind: str, name: str) -> Response:
    """Return a download that only the reader's own cache may store, and must revalidate."""
    tag = downloads.etag(body)
    headers = PAGE_HEADERS | {"Cache-Control": "private, no-cache", "ETag": tag, "Content-Disposition": f'attachment; filename="{name}"'}
    known = [each.strip().removeprefix("W/") for each in request.headers.get("if-none-match", "").split(",")]
    if tag in known or "*" in known:
        return Response(status_code=304, headers=headers)
    return Response(body, headers=headers | {"Content-Type": kind})
