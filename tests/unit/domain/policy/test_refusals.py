"""What a policy may not say: refused at its place (¦ marks it here), in words that need no programmer, everything at once."""

from __future__ import annotations

import pytest

from referral.domain.policy import PolicyErrors, compile
from referral.domain.policy.reading.reader import MAX_ERRORS
from referral.domain.policy.reading.yaml_tree import MAX_FILE
from tests.stories.teller import POLICY

FILES = {path.relative_to(POLICY).as_posix(): path.read_bytes() for path in POLICY.rglob("*.yaml")}
TRIAL = """\
pathway: trial
version: 1
words:
  pathway: {trial: &four {sq: "Provë", sr-Latn: "Proba", sr-Cyrl: "Проба", en: "Trial"}}
  step: {trial-a: *four, trial-b: *four, trial-c: *four, trial-d: *four}
applies: {concern: [trafficking], age: [child]}
consent: {needed: false, basis: duty-to-report, on_withdrawal: continue}
changes:
  - {when: {age: [adult]}, switch_to: trafficking-adult}
never: [detention, excluded-actor]
on_missed_deadline: nothing
ladder: [focal-point, back-up]
steps:
  - {id: trial-a, ask: social-worker, within: {acknowledge: 15 min P, accept: 1 h P}}
  - {id: trial-b, decide: [LOW, HIGH], who: [trial-a], on_silence: HIGH, after: [trial-a.accepted], within: {decide: 24 h P}}
  - {id: trial-c, place: [children-shelter], after: [trial-b.decided], within: {accept: 1 h P, arrive: 6 h P}}
  - {id: trial-d, feed: [committee]}
close_when: {done: [trial-a, trial-c]}
"""
PATH = "pathways/trial.yaml"


def refused(files: dict[str, bytes]) -> tuple[str, ...]:
    with pytest.raises(PolicyErrors) as caught:
        compile({**FILES, PATH: TRIAL.encode(), **files})
    return caught.value.errors


def test_the_trial_is_good() -> None:
    assert "trial" in [pathway.id for pathway in compile({**FILES, PATH: TRIAL.encode()}).current]


A, B, C, D = "  - {id: trial-a, ", "  - {id: trial-b, ", "  - {id: trial-c, ", "  - {id: trial-d, "
PROCEDURES = [
    ("a role", "ask: social-worker", "ask: ¦social-wroker", "role social-wroker is not known; did you mean social-worker?"),
    ("a code", "decide: [LOW, HIGH]", "decide: [LOW, ¦HIHG]", "decision HIHG is not known; did you mean HIGH?"),
    ("a section", A, A + "shows: [¦adress], ", "section adress is not known; allowed: age-band, care-needs"),
    ("a municipality", A, A + "when: {found_in: [¦prizen]}, ", "found_in prizen is not known; did you mean prizren?"),
    ("a predicate", A, A + "when: {¦hair: [red]}, ", "hair is neither a circumstance nor a step; allowed: age, age_band"),
    ("a state of consent", A, A + "unless: {consent: [¦givn]}, ", "consent givn is not known; did you mean given?"),
    ("a word", "version: 1", "¦verison: 1", "verison is not known here; did you mean version?"),
    ("a time", "ladder: [", "take_back: ¦1 h P\nladder: [", "take_back is at most 10 min: it is for a slip of the hand"),
    ("a missing word", "version: 1\n", "", "version is missing"),
    ("a step", "after: [trial-a.accepted]", "after: [¦trial-e.accepted]", "step trial-e is not known; did you mean trial-d?"),
    ("a state of a step", "[trial-a.accepted]", "[¦trial-a.acepted]", "acepted is not known of step trial-a; did you mean accepted?"),
    ("what a feed never is", "[trial-a.accepted]", "[trial-d.done]", "done is not known of step trial-d; allowed: nothing"),
    (
        "what only a place is",
        "[trial-a.accepted]",
        "[trial-a.secure]",
        "secure is not known of step trial-a; allowed: accept-missed, accepted",
    ),
    (
        "a circle of after",
        A,
        A + "after: ¦[trial-c.arrived], ",
        "these steps wait for one another, so that none of them can begin: trial-a → trial-c → trial-b → trial-a",
    ),
    ("a step that waits for itself", A, A + "after: [trial-a.done], ", "none of them can begin: trial-a → trial-a"),
    ("a seat that is named below", A, A.replace("id: trial-a, ", "id: trial-a, ¦who: [], "), "who is not known here"),
    ("a holder that is not above", "ask: social-worker", "ask: ¦trial-b.holder", "step trial-b is not known above this one"),
    ("an empty ladder", "ladder: [focal-point, back-up]", "ladder: ¦[]", "this list is empty; one rung at least is expected here"),
    ("an empty condition", "age: [child]", "age: ¦[]", "this list is empty; one age at least is expected here"),
    ("nobody in particular", "{concern: [trafficking], age: [child]}", "¦{}", "a procedure says for whom it is"),
    ("two steps of one id", D, D.replace("{id: trial-d", "¦{id: trial-a"), "step trial-a is there twice"),
    ("a word twice", "version: 1\n", "version: 1\n¦version: 2\n", "version stands here twice"),
    ("a code twice", "decide: [LOW, HIGH]", "decide: [LOW, ¦LOW]", "decision LOW stands here twice"),
    (
        "a limit without a mark",
        "acknowledge: 15 min P",
        "acknowledge: ¦15 min",
        "the mark is missing; write 15 min S (stated by the source)",
    ),
    (
        "a limit without a unit",
        "acknowledge: 15 min P",
        "acknowledge: ¦15 P",
        "a limit is a number, one of min, h, days, working days",
    ),
    ("a limit of nothing", "acknowledge: 15 min P", "acknowledge: ¦0 min P", "a limit is a number"),
    ("a limit longer than life", "accept: 1 h P", "accept: ¦1828 days P", "1828 days P is longer than 1827 days"),
    ("working days beyond the calendar", "accept: 1 h P}}", "accept: ¦300 working days P}}", "counts further than the calendar XK goes"),
    ("working days between rounds", A, A + "at: [¦3 working days P], ", "working days cannot be counted here; allowed: min, h, days"),
    ("rounds out of order", A, A + "at: ¦[91 days P, 30 days P], ", "each time of at is later than the one before it"),
    ("a repetition for ever", A, A + "¦then_every: 91 days P, ", "this repeats for ever, so that no case would ever close"),
    ("an end of nothing", A, A + "¦until: [trial-b.LOW], ", "until ends a repetition; at or then_every is missing"),
    ("once and again", A, A + "once: ¦true, again_when: [trial-b.LOW], ", "a step that happens once has no again_when"),
    (
        "an acceptance that comes too late",
        "accept: 1 h P, arrive: 6 h P",
        "accept: 7 h P, arrive: ¦6 h P",
        "arrive is due before accept, which must come first; accept may take 7 h P",
    ),
    (
        "no limit",
        ", within: {acknowledge: 15 min P, accept: 1 h P}",
        "",
        "a limit is missing; within: needs accept, complete or decide",
    ),
    ("a decision that silence leaves open", "on_silence: HIGH, ", "", "on_silence is missing"),
    (
        "a code of silence",
        "on_silence: HIGH",
        "on_silence: ¦MEDIUM",
        "word MEDIUM is not known; allowed: HIGH, LOW, keep-place, next-candidate",
    ),
    ("two kinds", A, A + "notify: iom, ", "one kind of step is expected here: ask, ask_together, decide, place, notify, feed"),
    (
        "a fallback that is banned",
        "[children-shelter]",
        "[children-shelter, ¦state-jail]",
        "role state-jail is tagged detention, which never: detention forbids; ask another role or change never",
    ),
    (
        "a time that nobody enters",
        "within: {decide: 24 h P}",
        "within: {decide: 24 h P, from: ¦held-long}",
        "time held-long is not known",
    ),
    (
        "an entered time of what is no decision",
        "within: {acknowledge: 15 min P, accept: 1 h P}",
        "within: {acknowledge: 15 min P, accept: 1 h P, ¦from: held-since}",
        "only the limit of a decision counts from an entered time; leave from out here",
    ),
    (
        "silence that states a fact",
        "decide: [LOW, HIGH], who: [trial-a], on_silence: HIGH",
        "decide: [agree, refuse], who: [trial-a], on_silence: ¦agree",
        "agree states a fact that somebody must have seen or heard, and nobody has answered; write keep-place or next-candidate",
    ),
    (
        "silence that may be forbidden",
        "on_silence: HIGH",
        "forbid: {HIGH: [excluded]}, on_silence: ¦HIGH",
        "HIGH may be forbidden in a case",
    ),
    ("a lock without a decision", "[children-shelter]", "[children-shelter], ¦secure: [children-shelter]", "secure_needs is missing"),
    (
        "two answers to one question",
        "after: [trial-b.decided]",
        "after: [¦trial-b.HIGH, trial-b.LOW]",
        "trial-b.HIGH and trial-b.LOW never stand together: trial-b is decided by one of them",
    ),
    ("a table without a decision", "[children-shelter]", "¦{HIGH: [children-shelter]}", "needs by: the step whose decision it looks at"),
    ("an outcome", "[children-shelter]", "{¦MEDIUM: [iom]}, by: trial-b", "MEDIUM is not an outcome of trial-b; allowed: "),
    ("a change into itself", "switch_to: trafficking-adult", "also_open: trial", "trial cannot change into itself"),
    ("a change into nothing", ", switch_to: trafficking-adult", "", "switch_to (instead of this procedure) or also_open (beside it)"),
    (
        "a pause for nobody",
        "switch_to: trafficking-adult",
        "switch_to: trafficking-adult, ¦pause: true",
        "pause waits for the procedure of also_open",
    ),
    ("a name that is known", "step: {trial-a", "step: {¦police: *four, trial-a", "step police has its names already"),
    ("a name without a language", 'sr-Cyrl: "Проба", ', "", "sr-Cyrl is missing"),
    (
        "names of a list that all share",
        "  step: {trial-a",
        "  ¦role: {me: *four}\n  step: {trial-a",
        "words may name codes of pathway, step, decision",
    ),
    (
        "a feed that ends the case",
        "done: [trial-a, ",
        "done: [¦trial-d, ",
        "trial-d is a feed, which is never done; leave it out here",
    ),
    (
        "another file",
        "pathway: trial\n",
        "pathway: ¦trafficking-adult\n",
        "pathway trafficking-adult belongs into pathways/trafficking-adult.yaml",
    ),
    ("consent", "needed: false", "needed: ¦perhaps", "value perhaps is not known; allowed: false, true"),
]


@pytest.mark.parametrize(("old", "new", "says"), [case[1:] for case in PROCEDURES], ids=[case[0] for case in PROCEDURES])
def test_a_procedure(old: str, new: str, says: str) -> None:
    assert old in TRIAL
    marked = TRIAL.replace(old, new, 1)
    before = marked.partition("¦")[0]
    where = f"{before.count(chr(10)) + 1}:{len(before) - before.rfind(chr(10))}: " if before != marked else ""
    said = refused({PATH: marked.replace("¦", "").encode(), "codes.yaml": CODES, "directory/isf.yaml": JAIL})
    assert any(error.startswith(f"{PATH}:{where}") and says in error for error in said), said


CODES = FILES["codes.yaml"].replace(b"\nrole:\n", b'\nrole:\n  state-jail: {sq: "x", sr-Latn: "x", sr-Cyrl: "x", en: "x"}\n', 1)
JAIL = FILES["directory/isf.yaml"] + b"  - {id: isf.jail, roles: [state-jail], covers: [country], tags: [detention], places: 1}\n"
SHELTER = "directory/shelter-linden.yaml"
DIRECTORY = [
    ("an address", "municipality:", "address: Rr. e Lirise 1\nmunicipality:", "address is not known here"),
    (
        "a telephone",
        "municipality:",
        "phone: 044 000 000\nmunicipality:",
        "no address, e-mail, location, or name or number of a person is ever stored",
    ),
    (
        "the office telephone of a house where people are kept safe",
        "municipality:",
        'telephone: "+99928000001"\nmunicipality:',
        "where people are kept safe has no telephone here",
    ),
    (
        "a telephone of another form",
        "municipality:",
        "telephone: 038 000 000\nmunicipality:",
        'is written "+38338000111"',
    ),
    (
        "a person",
        "municipality:",
        "contact: {name: Somebody}\nmunicipality:",
        "no address, e-mail, location, or name or number of a person",
    ),
    (
        "the location of beds",
        "places: 1",
        "places: 1, location: {lat: 42.6, lon: 21.1}",
        "no address, e-mail, location, or name or number of a person",
    ),
    ("a telephone within a name", 'en: "', 'en: "044 000 000 ', "this looks like an address or a telephone number; no address"),
    ("an e-mail address within a name", 'en: "', 'en: "a@example.org ', "this looks like an address or a telephone number; no address"),
    ("a role", "roles: [", "roles: [shelterr, ", "role shelterr is not known"),
    (
        "a service without a role",
        "roles: [children-shelter-with-protection, children-shelter]",
        "roles: []",
        "this list is empty; one role at least is expected here",
    ),
    ("another agency's service", "id: shelter-linden.", "id: shelter-lime.", "the id of a service begins with its agency: shelter-linden."),
    (
        "hours that never are",
        "municipality:",
        'hours: {days: [mon], from: "16:00", to: "08:00"}\nmunicipality:',
        "it closes later than it opens",
    ),
    (
        "hours of no day",
        "municipality:",
        'hours: {days: [], from: "08:00", to: "16:00"}\nmunicipality:',
        "an agency is open on one day at least",
    ),
    ("a day", "municipality:", 'hours: {days: [moon], from: "08:00", to: "16:00"}\nmunicipality:', "did you mean mon?"),
    ("a time of day", "municipality:", 'hours: {days: [mon], from: "8", to: "16:00"}\nmunicipality:', 'a time of day is written "08:00"'),
]


@pytest.mark.parametrize(("old", "new", "says"), [case[1:] for case in DIRECTORY], ids=[case[0] for case in DIRECTORY])
def test_an_agency(old: str, new: str, says: str) -> None:
    text = FILES[SHELTER].decode()
    assert old in text
    said = refused({SHELTER: text.replace(old, new, 1).encode()})
    assert any(error.startswith(f"{SHELTER}:") and says in error for error in said), said


def test_a_service_is_there_once() -> None:
    text = FILES[SHELTER].decode()
    line = next(line for line in text.splitlines() if "id: shelter-linden." in line)
    assert any("is there twice" in error for error in refused({SHELTER: f"{text.rstrip()}\n{line}\n".encode()}))


BOMB = b"a: &a [1,1,1,1,1,1,1,1,1,1]\n" + b"".join(
    b"%c: &%c [%s]\n" % (c + 1, c + 1, b",".join([b"*%c" % c] * 10)) for c in range(ord("a"), ord("j"))
)
FILES_THAT_ARE_WRONG = [
    ("brackets", b"pathway: [trial\n", "this is no YAML"),
    ("tabs", b"pathway: trial\n\tversion: 1\n", "this is no YAML"),
    ("another encoding", "pathway: trial\nwords: Provë".encode("latin-1"), "2:0: this is no text in UTF-8"),
    ("nothing", b"", "1:1: the file is empty"),
    ("a list", b"- pathway\n", "a mapping (key: value) is expected here"),
    ("two documents", TRIAL.encode() + b"---\nx: 1\n", "this is no YAML"),
    ("a bomb of aliases", BOMB, "more than 100000 values, aliases counted as what they stand for"),
    ("an alias of itself", b"steps: &a [*a]\n", "an alias (*name) stands within what it names"),
    ("a tower", b"a: " + b"[" * 900 + b"]" * 900, "more than 30 values within one another"),
    ("a tower that the parser refuses", b"[" * 100_000, "this is no YAML"),
    ("ten megabytes", b"#" * 10_000_000, f"the file has 10000000 bytes; at most {MAX_FILE} are read"),
    ("a word that is a list", b"? [a, b]\n: c\n", "one word is expected before the colon"),
    ("an object of the program", b"pathway: !!python/object/apply:os.getcwd []\n", "one pathway is expected here"),
]


@pytest.mark.parametrize(("data", "says"), [case[1:] for case in FILES_THAT_ARE_WRONG], ids=[case[0] for case in FILES_THAT_ARE_WRONG])
def test_a_file(data: bytes, says: str) -> None:
    said = refused({PATH: data})
    assert any(error.startswith(f"{PATH}:") and says in error for error in said), said


def test_everything_that_is_wrong_is_told_at_once_in_order() -> None:
    wrong = TRIAL.replace("social-worker", "x").replace("15 min P", "y").replace("[committee]", "[z]").encode()
    said = refused({PATH: wrong, SHELTER: FILES[SHELTER].replace(b"reach: ", b"reach: PIGEON #")})
    assert [error.partition(":")[0] for error in said] == [SHELTER, PATH, PATH, PATH]


def test_a_file_that_is_wrong_everywhere_does_not_fill_the_terminal() -> None:
    said = refused({PATH: TRIAL.encode() + b"".join(b"word%d: 1\n" % n for n in range(2000))})
    assert len(said) == MAX_ERRORS + 1 and said[-1] == "and 1500 more errors; correct these first"
