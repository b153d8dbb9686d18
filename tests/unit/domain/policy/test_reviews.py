"""A review says who has read a text as it stands: it moves no case, and ends when the text changes."""

from __future__ import annotations

from dataclasses import replace

import pytest

from referral.domain.policy import PolicyErrors, compile
from referral.domain.policy.reading.reviews import FILE, digest
from referral.domain.policy.reviews import Review, State
from referral.runtime.settings import CHECKOUT
from referral.wire import policy_digest

FILES = policy_digest.read(CHECKOUT / "policy")
TEXT = "guidance/first-contact.sq.md"
CHILD = "pathways/trafficking-child.yaml"
DAY = "2026-12-01"


def bundle(*lines: str) -> dict[str, bytes]:
    return {**FILES, FILE: ("reviews:\n" + "".join(f"  {line}\n" for line in lines)).encode()}


def line(path: str, words: str, text: bytes | None = None) -> str:
    return f'{path}: {{of: "{digest(FILES[path] if text is None else text)}", {words}}}'


def test_nobody_has_read_what_nobody_recorded() -> None:
    plain = compile(FILES)
    assert plain.reviews == {} and all(plain.review(pathway).state is State.DRAFTED for pathway in plain.every)
    assert {text.review for written in plain.guidance.values() for text in written.values()} == {Review()}


def test_a_review_is_shown_with_its_text_and_its_procedure() -> None:
    read = compile(bundle(line(TEXT, f"read: {DAY}"), line(CHILD, f'confirmed: {DAY}, office: "Made-up Office"')))
    assert read.guidance["first-contact"]["sq"].review == Review(read=DAY)
    assert read.guidance["first-contact"]["en"].review.state is State.DRAFTED
    assert {pathway.id: read.review(pathway) for pathway in read.every if read.review(pathway).state is not State.DRAFTED} == {
        "trafficking-child": Review(confirmed=DAY, office="Made-up Office")
    }


def test_a_review_moves_no_case_and_counts_in_the_digest_as_the_format_says() -> None:
    """docs/log-format.md names the files that the directory's digest leaves out; programs of other people follow it to the byte."""
    before, after = compile(FILES), compile(bundle(line(TEXT, f"read: {DAY}")))
    assert after.current == before.current and after.directory != before.directory


def test_a_changed_text_is_a_draft_again() -> None:
    files = bundle(line(TEXT, f"read: {DAY}"), line(CHILD, f'confirmed: {DAY}, office: "Made-up Office"'))
    changed = compile({**files, TEXT: files[TEXT].replace(b"version: 2", b"version: 3"), CHILD: files[CHILD] + b"# later\n"})
    assert changed.guidance["first-contact"]["sq"].review.state is State.DRAFTED and changed.reviews == {}


def test_a_text_from_before_there_were_reviews_keeps_the_day_that_it_names() -> None:
    old = FILES[TEXT].replace(b"version: 2\n", b"version: 2\nnative reader: 2026-12-01\n")
    read = compile({**FILES, TEXT: old}).guidance["first-contact"]["sq"]
    assert read == replace(compile(FILES).guidance["first-contact"]["sq"], review=Review(read=DAY))


@pytest.mark.parametrize(
    ("entry", "expected"),
    [
        (
            f'guidance/frist-contact.sq.md: {{of: "00", read: {DAY}}}',
            "is no text of guidance and no procedure of this policy; did you",
        ),
        (f'codes.yaml: {{of: "00", read: {DAY}}}', "is no text of guidance and no procedure of this policy"),
        (f"{TEXT}: {{read: {DAY}}}", "of is missing"),
        (line(TEXT, "read: yesterday"), "a day of the calendar, written 2026-12-01"),
        (line(TEXT, 'read: "2026-02-30"'), "a day of the calendar"),
        (line(TEXT, 'read: "20261201"'), "a day of the calendar"),
        (line(CHILD, f"read: {DAY}"), "for a procedure: confirmed and office"),
        (line(TEXT, f'confirmed: {DAY}, office: "  "'), "stand together"),
        (line(TEXT, f"confirmed: {DAY}"), "stand together"),
        (line(TEXT, 'office: "Made-up Office"'), "stand together"),
        (line(TEXT, f'confirmed: {DAY}, office: "{"o" * 121}"'), "the name has 121 characters; at most 120"),
        (line(TEXT, f"read: {DAY}, reader: somebody"), "reader is not known here"),
    ],
)
def test_what_is_wrong_in_a_review_is_an_error_with_its_line(entry: str, expected: str) -> None:
    with pytest.raises(PolicyErrors) as caught:
        compile(bundle(entry))
    assert any(found.startswith(f"{FILE}:2:") and expected in found for found in caught.value.errors), caught.value.errors
