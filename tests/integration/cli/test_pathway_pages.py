"""The pages about procedures and the schema for editors are as the policy says; `make generate` writes them anew."""

from __future__ import annotations

from referral.cli.policy.reference import FOLDER, SCHEMA, main, pages, stale
from tests.harness import shipped


def test_no_page_is_stale() -> None:
    files = pages(shipped.compiled())
    assert stale(files) == [], "run `make generate`"
    assert main(["--check"]) == 0


def test_a_page_that_differs_is_missing_or_belongs_to_nothing_is_named() -> None:
    files = pages(shipped.compiled())
    page = f"{FOLDER}/trafficking-child.md"
    assert stale({**files, page: files[page] + "more", f"{FOLDER}/eighth.md": "new"}) == [f"{FOLDER}/eighth.md", page]
    assert stale({path: text for path, text in files.items() if path != page}) == [page]
    assert SCHEMA in files
