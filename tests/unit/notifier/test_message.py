"""What a knock says: the same words for every case, in four languages; only reference and inbox address vary."""

from __future__ import annotations

from email import message_from_bytes, policy

import pytest
from hypothesis import given
from hypothesis import strategies as st

from referral.channels import Outgoing
from referral.channels.email import Relay, letter
from referral.channels.message import WORDINGS, compose, shown

RELAY = Relay("localhost", 25, "inbox@referral.example")
INBOX = "https://inbox.example/"
EXPECTED = {
    "sq": (
        "Ju lutemi shikoni kutinë tuaj hyrëse (3F0A-91BC)",
        "Diçka në kutinë tuaj hyrëse pret që dikush ta shikojë.\n\nKutia hyrëse: https://inbox.example/\nReferenca: 3F0A-91BC\n\n"
        "Për shkak të konfidencialitetit ky mesazh nuk përmban hollësi. Ju lutemi mos iu përgjigjni.\n",
        "USHTRIM: ",
    ),
    "sr-Latn": (
        "Molimo pogledajte svoje prijemno sanduče (3F0A-91BC)",
        "Nešto u vašem prijemnom sandučetu čeka da ga neko pogleda.\n\nPrijemno sanduče: https://inbox.example/\nOznaka: 3F0A-91BC\n\n"
        "Zbog poverljivosti ova poruka ne sadrži pojedinosti. Molimo ne odgovarajte na nju.\n",
        "VEŽBA: ",
    ),
    "sr-Cyrl": (
        "Молимо погледајте своје пријемно сандуче (3F0A-91BC)",
        "Нешто у вашем пријемном сандучету чека да га неко погледа.\n\nПријемно сандуче: https://inbox.example/\nОзнака: 3F0A-91BC\n\n"
        "Због поверљивости ова порука не садржи појединости. Молимо не одговарајте на њу.\n",
        "ВЕЖБА: ",
    ),
    "en": (
        "Please look at your inbox (3F0A-91BC)",
        "Something in your inbox is waiting for somebody to look at it.\n\nInbox: https://inbox.example/\nReference: 3F0A-91BC\n\n"
        "For confidentiality this message contains no details. Please do not reply.\n",
        "EXERCISE: ",
    ),
}
HEADERS = {"From", "To", "Subject", "Message-ID", "Date", "Auto-Submitted", "X-Auto-Response-Suppress", "Importance"}
CONTENT = {"Content-Type", "Content-Transfer-Encoding", "MIME-Version"}
REFERENCE = "3f0a91bc-0000-4000-8000-000000000000"


def out(language: str, reference: str = REFERENCE, drill: bool = False, **more: str) -> Outgoing:
    return Outgoing("duty@police.example", reference, "4711", language, drill, INBOX, at=1_764_000_000_000_000, **more)


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


@given(reference=st.uuids(version=4).map(str), language=st.sampled_from(sorted(WORDINGS)), drill=st.booleans())
def test_two_knocks_differ_in_their_reference_alone(reference: str, language: str, drill: bool) -> None:
    said, other = compose(out(language, reference, drill)), compose(out(language, drill=drill))
    assert said.text.replace(shown(reference), shown(REFERENCE)) == other.text
    assert said.subject.replace(shown(reference), shown(REFERENCE)) == other.subject


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
