"""Turn an HTCDS record into a referral: personal fields into sections of the case file, coded fields into traits. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date
from typing import Any

from msgspec import Struct

from referral.domain.contradictions import contradictions, fits
from referral.domain.events import Consent, ConsentState, Traits
from referral.errors import Rejected
from services.intake.htcds import cells
from services.intake.htcds.cells import Value
from services.intake.htcds.fields import Field, Fields
from services.intake.htcds.reader import Record
from services.intake.messages import submission as submit
from services.intake.messages.strict_json import canonical
from services.intake.policy_view import Lists

OLDEST = 120
"""Years after which a birthdate is taken for a mistake (ours)."""
COLUMNS = {
    "age": "ref_Age",
    "age_band": "prs_Birthdate",
    "sex": "prs_Gender",
    "origin": "prs_Citizenship",
    "asylum": "ref_Asylum",
    "flags": "ref_Flags",
}
"""Trait that can contradict another → the column that states it."""


class ValidRecord(Struct, frozen=True, kw_only=True):
    """A valid record.

    key: the sender's own number; empty when it gave none.
    same: bytes that are equal for two equal records.
    """

    key: str
    same: bytes
    submission: submit.Submission

    def __repr__(self) -> str:
        return "ValidRecord()"


class Faulty(Struct, frozen=True, kw_only=True):
    """All faults of a record."""

    faults: tuple[Rejected, ...]


def read(record: Record, table: Fields, lists: Lists, received: date) -> ValidRecord | Faulty:
    """Return the referral of a record, or all of its faults. received: day of receipt, from which the age is computed."""
    if record.faults and not record.cells:
        return Faulty(faults=record.faults)
    reading = _Reading(record, table, lists, received)
    submission = reading.submission()
    if reading.faults:
        return Faulty(faults=tuple(reading.faults))
    same = {name: text for name, text in record.cells.items() if name != "ref_Key"}
    return ValidRecord(key=record.cells.get("ref_Key", ""), same=canonical(same), submission=submission)


class _Reading:
    """The conversion of one record. It collects every fault, so that the sender gets all of them at once."""

    def __init__(self, record: Record, table: Fields, lists: Lists, received: date) -> None:
        self.faults = [*record.faults]
        self._record, self._table, self._lists = record, table, lists
        self._values: dict[str, Value] = {}
        for name, text in record.cells.items():
            self._try(name, text, table.fields[name])
        self._day = received

    def submission(self) -> submit.Submission:
        """Return the referral, as far as the record is valid."""
        traits = self._traits()
        return submit.Submission(
            traits=traits,
            consent=self._consent(traits.age),
            case_id=None,
            drill=self._values.get("ref_Drill") is True,
            sections=tuple(self._sections()),
            excludes=self._excludes(),
        )

    def _try(self, name: str, text: str, field: Field) -> None:
        where = self._record.place + name
        try:
            self._values[name] = cells.value(field, text, self._lists, where)
            if text in field.refuses and field.unless not in self._record.cells:
                raise Rejected("not-a-referral", where, field.refuses[text])
        except Rejected as fault:
            self.faults.append(fault)

    def _fault(self, code: str, name: str, hint: str) -> None:
        if not any(fault.where == self._record.place + name for fault in self.faults):
            self.faults.append(Rejected(code, self._record.place + name, hint))

    def _traits(self) -> Traits:
        home = self._lists.place(str(self._values.get("prs_MailingCity", "")))
        age, band = self._age()
        traits = Traits(
            concern=self._coded("concern", "trafficking"),
            age=age,
            age_band=band,
            sex=self._coded("sex", "unknown"),
            found_in=self._found_in(home),
            home=home,
            urgency=self._coded("urgency", "urgent"),
            origin=self._origin(),
            asylum=self._coded("asylum", "unknown"),
            languages=self._all("languages"),
            flags=self._all("flags"),
        )
        for clash in contradictions(traits):
            first, second = (self._record.place + self._column(name) for name in (clash.one, clash.other))
            self.faults.append(submit.contradiction(first, second, clash.why))
        return traits

    def _column(self, trait: str) -> str:
        """Return the column from which a trait came."""
        if trait == "age" and "ref_Age" not in self._record.cells:
            return "prs_Birthdate"
        return COLUMNS[trait]

    def _sections(self) -> Iterable[tuple[str, bytes]]:
        file: dict[str, dict[str, Any]] = {}
        for name, value in self._values.items():
            field = self._table.fields[name]
            if field.section:
                file.setdefault(field.section, {})[field.name] = value
        if "contact" in file:
            file["contact"]["confirmed_safe"] = False  # HTCDS does not say whether a way to the person is safe
        for name in sorted(file):
            try:
                yield name, submit.section(name, file[name], self._lists, self._record.place.rstrip(", ."))
            except Rejected as fault:  # the policy does not have this section
                self.faults.append(fault)

    def _excludes(self) -> tuple[str, ...]:
        actors = self._values.get("ref_Excludes")
        try:  # together: each alone was looked at as its cell was read
            return submit.excludes(tuple(actors), self._lists, "ref_Excludes") if isinstance(actors, list) else ()
        except Rejected as fault:
            self._fault(fault.code, "ref_Excludes", fault.hint)
            return ()

    def _words(self, trait: str) -> Iterable[str]:
        """Yield the words of a trait's fields, in our codes."""
        for name, value in self._values.items():
            field = self._table.fields[name]
            if field.trait == trait:
                for word in value if isinstance(value, list) else [str(value)]:
                    if trait == "languages":
                        yield self._table.languages.get(word.partition("-")[0], "other")
                    elif not field.of or word in field.words:
                        yield field.words.get(word, word)

    def _coded(self, trait: str, otherwise: str) -> str:
        return next(iter(self._words(trait)), otherwise)

    def _all(self, trait: str) -> tuple[str, ...]:
        return tuple(dict.fromkeys(self._words(trait)))

    def _age(self) -> tuple[str, str]:
        """Return (age, age band): from the birthdate, with the sender's own word above it; uncertain without either."""
        stated, born = self._coded("age", ""), self._values.get("prs_Birthdate")
        if not isinstance(born, str):
            return stated or "uncertain", "unknown"
        day = date.fromisoformat(born)
        years = self._day.year - day.year - ((self._day.month, self._day.day) < (day.month, day.day))
        if not 0 <= years <= OLDEST:
            self._fault("out-of-range", "prs_Birthdate", f"a birthdate lies 0 to {OLDEST} years before the referral")
        bands = (band for band in self._lists.offered("age-band") if "-" in band)
        band = next((item for item in bands if int(item.split("-")[0]) <= years <= int(item.split("-")[1])), "unknown")
        if stated == "uncertain" and not fits(stated, band):
            band = "unknown"  # the sender's word counts more than the papers: a person whose age is in doubt gets a child's protection
        return stated or ("child" if years < 18 else "adult"), band

    def _found_in(self, home: str) -> str:
        named = self._values.get("ref_FoundIn")
        municipality = self._lists.place(str(named)) if named else home
        if not municipality:
            hint = f"name the municipality where the person is now: {', '.join(self._lists.codes['municipality'])}"
            self._fault("unknown-code" if named else "missing-field", "ref_FoundIn", hint)
        return municipality

    def _origin(self) -> str:
        countries = self._values.get("prs_Citizenship")
        if not isinstance(countries, list) or not countries:
            return "unknown"
        return "domestic" if any(code in self._table.domestic for code in countries) else "foreign"

    def _consent(self, age: str) -> Consent | None:
        """Return the consent of a record. A ticked box for a child does not show who agreed: without a giver the consent is on file, and
        not yet asked."""
        ticked, giver = self._values.get("con_Consent"), self._values.get("ref_ConsentGiver")
        if ticked is None:
            return None
        given = ticked is True and (giver not in (None, "none") or (giver is None and age == "adult"))
        return Consent(
            state=ConsentState.GIVEN if given else ConsentState.NOT_ASKED,
            basis="consent" if given else "duty-to-report",
            giver=str(giver or "person") if given else "none",
            scope=(),
            recipients=(),
        )
