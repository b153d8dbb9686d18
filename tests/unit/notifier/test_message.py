"""What a knock says: the same words for every case, in four languages; only the number of the case and the inbox address vary."""

from __future__ import annotations

from email import message_from_bytes, policy

import pytest
from hypothesis import given
from hypothesis import strategies as st

from referral.channels import Outgoing
from referral.channels.email import Relay, letter
from referral.channels.message import PART, WORDINGS, compose, named, short
from referral.domain.case_number import case_number

RELAY = Relay("localhost", 25, "inbox@referral.example")
INBOX = "https://inbox.example/"
EXPECTED = {
    "sq": (
        "Ju lutemi shikoni kutinë tuaj hyrëse (DABO-KILU-REMAT)",
        "Diçka në kutinë tuaj hyrëse pret që dikush ta shikojë.\n\nKutia hyrëse: https://inbox.example/\nRasti: DABO-KILU-REMAT\n\n"
        "Për shkak të konfidencialitetit ky mesazh nuk përmban hollësi. Ju lutemi mos iu përgjigjni.\n",
        "USHTRIM: ",
    ),
    "sr-Latn": (
        "Molimo pogledajte svoje prijemno sanduče (DABO-KILU-REMAT)",
        "Nešto u vašem prijemnom sandučetu čeka da ga neko pogleda.\n\n"
        "Prijemno sanduče: https://inbox.example/\nSlučaj: DABO-KILU-REMAT\n\n"
        "Zbog poverljivosti ova poruka ne sadrži pojedinosti. Molimo ne odgovarajte na nju.\n",
        "VEŽBA: ",
    ),
    "sr-Cyrl": (
        "Молимо погледајте своје пријемно сандуче (DABO-KILU-REMAT)",
        "Нешто у вашем пријемном сандучету чека да га неко погледа.\n\n"
        "Пријемно сандуче: https://inbox.example/\nСлучај: DABO-KILU-REMAT\n\n"
        "Због поверљивости ова порука не садржи појединости. Молимо не одговарајте на њу.\n",
        "ВЕЖБА: ",
    ),
    "en": (
        "Please look at your inbox (DABO-KILU-REMAT)",
        "Something in your inbox is waiting for somebody to look at it.\n\nInbox: https://inbox.example/\nCase: DABO-KILU-REMAT\n\n"
        "For confidentiality this message contains no details. Please do not reply.\n",
        "EXERCISE: ",
    ),
}
HEADERS = {"From", "To", "Subject", "Message-ID", "Date", "Auto-Submitted", "X-Auto-Response-Suppress", "Importance"}
CONTENT = {"Content-Type", "Content-Transfer-Encoding", "MIME-Version"}
REFERENCE = "3f0a91bc-0000-4000-8000-000000000000"


CASE = "DABO-KILU-REMAT"


def out(language: str, case: str = CASE, drill: bool = False, **more: str) -> Outgoing:
    return Outgoing("duty@police.example", REFERENCE, "4711", language, drill, INBOX, at=1_764_000_000_000_000, case=case, **more)


@pytest.mark.parametrize("language", EXPECTED)
def test_the_words_of_each_language(language: str) -> None:
    subject, text, drill = EXPECTED[language]
    said = compose(out(language))
    assert (said.subject, said.text) == (subject, text)
    exercise = compose(out(language, drill=True))
    assert exercise.subject == drill + subject
    assert exercise.text.endswith(text) and len(exercise.text) > len(text)


def test_every_language_of_a_profile_has_words() -> None:
    assert set(WORDINGS) == set(EXPECTED)


def test_an_unknown_language_is_written_in_english() -> None:
    assert compose(out("tlh")).subject == EXPECTED["en"][0]


@given(case=st.uuids(version=4).map(str), language=st.sampled_from(sorted(WORDINGS)), drill=st.booleans())
def test_two_knocks_differ_in_the_number_of_the_case_alone(case: str, language: str, drill: bool) -> None:
    number = case_number(case)
    said, other = compose(out(language, number, drill)), compose(out(language, drill=drill))
    assert number in said.subject and number in said.text and number in short(out(language, number, drill))
    assert said.text.replace(number, CASE) == other.text
    assert said.subject.replace(number, CASE) == other.subject
    assert len(short(out(language, number, drill))) <= PART


def test_a_message_about_no_case_shows_the_first_digits_of_its_reference() -> None:
    assert named(out("en", "")) == "3F0A-91BC"


@pytest.mark.parametrize("language", EXPECTED)
def test_the_letter_is_plain_and_automatic(language: str) -> None:
    raw = letter(RELAY, out(language))
    mail = message_from_bytes(raw, policy=policy.default)
    assert mail.get_content_type() == "text/plain"
    assert mail.get_content() == EXPECTED[language][1]
    assert str(mail["Subject"]) == EXPECTED[language][0]
    assert mail["Message-ID"] == f"<{REFERENCE}@referral.example>"
    assert mail["Auto-Submitted"] == "auto-generated"
    assert set(mail.keys()) == HEADERS | CONTENT
    assert raw.isascii()
