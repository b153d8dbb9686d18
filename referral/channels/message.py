"""Compose the words of a knock. They say nothing about the case but its number, and where the inbox is. Pure.

The number is random (domain.case_number): it tells nobody who, where or what, only that two messages are about one case (decision 0031).
"""

from __future__ import annotations

from dataclasses import dataclass

from referral.channels import Outgoing

PART = 160
"""Characters of one part of an SMS in the GSM 7-bit alphabet (3GPP TS 23.038); a second part doubles the price and may arrive alone."""


@dataclass(frozen=True, slots=True)
class Message:
    """The text that one person receives."""

    subject: str
    text: str


@dataclass(frozen=True, slots=True)
class Wording:
    """The wording in one language. The text names neither agency, place, person, step nor hour. case: its number.

    answer: paragraph of an e-mail about the page that takes an answer. sms: in letters of the GSM 7-bit alphabet that every handset shows,
    so ë, ç, š, č, ć, ž and đ lose their marks, and Serbian is Latin.
    unconfirmed: of what nobody has called back yet, so that nobody believes it to be more.
    looks, cannot: the two answers that an SMS proposes; people write them instead of the key.
    """

    subject: str
    text: str
    answer: str
    drill_subject: str
    drill_text: str
    sms: str
    drill_sms: str
    unconfirmed_subject: str
    unconfirmed_text: str
    unconfirmed_sms: str
    looks: str
    cannot: str


# Unread by a native reader: Albanian and Serbian were written without one. Whoever corrects a text keeps the terms of docs/glossary.md.
WORDINGS = {
    "sq": Wording(
        subject="Ju lutemi shikoni kutinë tuaj hyrëse ({case})",
        text=(
            "Diçka në kutinë tuaj hyrëse pret që dikush ta shikojë.\n\n"
            "Kutia hyrëse: {inbox}\nRasti: {case}\n\n"
            "{answer}Për shkak të konfidencialitetit ky mesazh nuk përmban hollësi. Ju lutemi mos iu përgjigjni.\n"
        ),
        answer="Nëse po e shikoni, ose nuk mundeni, thuajeni këtu, pa u kyçur: {page}\nShifrat tuaja: {code}\n\n",
        drill_subject="USHTRIM: ",
        drill_text="Ky është ushtrim.\n\n",
        sms="Kutia juaj hyrese pret ({case}). Pergjigjuni: 1 {code} = {looks}, 2 {code} = {cannot}.",
        drill_sms="USHTRIM. ",
        unconfirmed_subject="Një raport i pakonfirmuar pret ({case})",
        unconfirmed_text="Askush nuk e ka konfirmuar ende këtë raport: shërbimi në detyrë po telefonon.\n\n",
        unconfirmed_sms="I PAKONFIRMUAR. ",
        looks="po e shikoj",
        cannot="nuk mundem",
    ),
    "sr-Latn": Wording(
        subject="Molimo pogledajte svoje prijemno sanduče ({case})",
        text=(
            "Nešto u vašem prijemnom sandučetu čeka da ga neko pogleda.\n\n"
            "Prijemno sanduče: {inbox}\nSlučaj: {case}\n\n"
            "{answer}Zbog poverljivosti ova poruka ne sadrži pojedinosti. Molimo ne odgovarajte na nju.\n"
        ),
        answer="Ako ćete pogledati, ili ne možete, recite to ovde, bez prijave: {page}\nVaše cifre: {code}\n\n",
        drill_subject="VEŽBA: ",
        drill_text="Ovo je vežba.\n\n",
        sms="Vase prijemno sanduce ceka ({case}). Odgovorite: 1 {code} = {looks}, 2 {code} = {cannot}.",
        drill_sms="VEZBA. ",
        unconfirmed_subject="Čeka nepotvrđena prijava ({case})",
        unconfirmed_text="Niko još nije potvrdio ovu prijavu: dežurna služba zove.\n\n",
        unconfirmed_sms="NEPOTVRDJENO. ",
        looks="pogledacu",
        cannot="ne mogu",
    ),
    "sr-Cyrl": Wording(
        subject="Молимо погледајте своје пријемно сандуче ({case})",
        text=(
            "Нешто у вашем пријемном сандучету чека да га неко погледа.\n\n"
            "Пријемно сандуче: {inbox}\nСлучај: {case}\n\n"
            "{answer}Због поверљивости ова порука не садржи појединости. Молимо не одговарајте на њу.\n"
        ),
        answer="Ако гледате, или не можете, реците то овде, без пријаве: {page}\nВаше цифре: {code}\n\n",
        drill_subject="ВЕЖБА: ",
        drill_text="Ово је вежба.\n\n",
        sms="Vase prijemno sanduce ceka ({case}). Odgovorite: 1 {code} = {looks}, 2 {code} = {cannot}.",
        drill_sms="VEZBA. ",
        unconfirmed_subject="Чека непотврђена пријава ({case})",
        unconfirmed_text="Нико још није потврдио ову пријаву: дежурна служба зове.\n\n",
        unconfirmed_sms="NEPOTVRDJENO. ",
        looks="pogledacu",
        cannot="ne mogu",
    ),
    "en": Wording(
        subject="Please look at your inbox ({case})",
        text=(
            "Something in your inbox is waiting for somebody to look at it.\n\n"
            "Inbox: {inbox}\nCase: {case}\n\n"
            "{answer}For confidentiality this message contains no details. Please do not reply.\n"
        ),
        answer="If you are looking, or cannot, say so here, without signing in: {page}\nYour digits: {code}\n\n",
        drill_subject="EXERCISE: ",
        drill_text="This is an exercise.\n\n",
        sms="Your inbox is waiting ({case}). Reply: 1 {code} = {looks}, 2 {code} = {cannot}.",
        drill_sms="EXERCISE. ",
        unconfirmed_subject="A report that is not confirmed is waiting ({case})",
        unconfirmed_text="Nobody has confirmed this report yet: the desk is calling back.\n\n",
        unconfirmed_sms="NOT CONFIRMED. ",
        looks="I am looking",
        cannot="I cannot",
    ),
}
OTHERWISE = "en"
"""Language for a profile whose language this program does not have."""


def named(out: Outgoing) -> str:
    """Return the number of the case, as a person reads it aloud. One about no case has the first digits of its reference there."""
    digits = out.reference.replace("-", "").upper()
    return out.case or f"{digits[:4]}-{digits[4:8]}"


def compose(out: Outgoing) -> Message:
    """Return the words of an e-mail: where to look, and, where there is a page for it, how to answer without signing in."""
    words = WORDINGS.get(out.language, WORDINGS[OTHERWISE])
    if out.text:
        return Message((words.drill_subject if out.drill else "") + out.text, (words.drill_text if out.drill else "") + out.text + "\n")
    subject = (words.unconfirmed_subject if out.unconfirmed else words.subject).format(case=named(out))
    answer = words.answer.format(page=page(out), code=out.code) if out.answer else ""
    text = (words.unconfirmed_text if out.unconfirmed else "") + words.text.format(case=named(out), inbox=out.inbox, answer=answer)
    return Message(words.drill_subject + subject, words.drill_text + text) if out.drill else Message(subject, text)


def short(out: Outgoing) -> str:
    """Return the words of an SMS: at most PART characters of the GSM 7-bit alphabet, with the inbox address if it fits. How many
    cases wait besides the one that it names is no fact about any."""
    words = WORDINGS.get(out.language, WORDINGS[OTHERWISE])
    if out.text:
        return ((words.drill_sms if out.drill else "") + out.text)[:PART]
    case = named(out) + (f" +{out.waiting - 1}" if out.waiting > 1 else "")
    first = (words.drill_sms if out.drill else "") + (words.unconfirmed_sms if out.unconfirmed else "")
    text = first + words.sms.format(case=case, code=out.code, looks=words.looks, cannot=words.cannot)
    whole = f"{text} {out.inbox}"
    return whole if len(whole) <= PART and out.inbox.isascii() else text


def page(out: Outgoing) -> str:
    """Return the address of the page that takes an answer to this message."""
    return f"{out.answer.rstrip('/')}/k/{out.reference}"
