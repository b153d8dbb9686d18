"""Compose the words of a knock. They say nothing about the case: only a reference and the address of the inbox vary. Pure."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Message:
    """The text that one person receives."""

    subject: str
    text: str


@dataclass(frozen=True, slots=True)
class Wording:
    """The wording in one language. The text names neither agency, place, person, step nor hour."""

    subject: str
    text: str
    drill_subject: str
    drill_text: str


WORDINGS = {
    "sq": Wording(
        subject="Ju lutemi shikoni kutinë tuaj hyrëse ({reference})",
        text=(
            "Diçka në kutinë tuaj hyrëse pret që dikush ta shikojë.\n\n"
            "Kutia hyrëse: {inbox}\nReferenca: {reference}\n\n"
            "Ky mesazh me qëllim nuk thotë asgjë më shumë. Ju lutemi mos iu përgjigjni.\n"
        ),
        drill_subject="USHTRIM: ",
        drill_text="Ky është ushtrim.\n\n",
    ),
    "sr-Latn": Wording(
        subject="Molimo pogledajte svoje sanduče ({reference})",
        text=(
            "Nešto u vašem sandučetu čeka da ga neko pogleda.\n\n"
            "Sanduče: {inbox}\nOznaka: {reference}\n\n"
            "Ova poruka namerno ne kaže ništa više. Molimo ne odgovarajte na nju.\n"
        ),
        drill_subject="VEŽBA: ",
        drill_text="Ovo je vežba.\n\n",
    ),
    "sr-Cyrl": Wording(
        subject="Молимо погледајте своје сандуче ({reference})",
        text=(
            "Нешто у вашем сандучету чека да га неко погледа.\n\n"
            "Сандуче: {inbox}\nОзнака: {reference}\n\n"
            "Ова порука намерно не каже ништа више. Молимо не одговарајте на њу.\n"
        ),
        drill_subject="ВЕЖБА: ",
        drill_text="Ово је вежба.\n\n",
    ),
    "en": Wording(
        subject="Please look at your inbox ({reference})",
        text=(
            "Something in your inbox is waiting for somebody to look at it.\n\n"
            "Inbox: {inbox}\nReference: {reference}\n\n"
            "This message says no more on purpose. Please do not answer it.\n"
        ),
        drill_subject="DRILL: ",
        drill_text="This is a drill.\n\n",
    ),
}
OTHERWISE = "en"
"""Language for a profile whose language this program does not have."""


def shown(reference: str) -> str:
    """Return the reference as a person reads it aloud: eight hex digits of the random id, e.g. 3F0A-91BC."""
    digits = reference.replace("-", "").upper()
    return f"{digits[:4]}-{digits[4:8]}"


def compose(language: str, reference: str, inbox: str, drill: bool) -> Message:
    """Return the message in a language. reference: random id of the knock. inbox: address of the sign-in page, the same for everybody."""
    words = WORDINGS.get(language, WORDINGS[OTHERWISE])
    subject = words.subject.format(reference=shown(reference))
    text = words.text.format(reference=shown(reference), inbox=inbox)
    return Message(words.drill_subject + subject, words.drill_text + text) if drill else Message(subject, text)
