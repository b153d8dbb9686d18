"""Attacks by two powers together: for each pair of the seven, the strongest two of which each hides the other, or makes it true.

Whatever one power does alone has its row elsewhere, also where nobody notices it; here both act. A pair that nobody notices is named on
docs/reference/taken-over.md with what would show it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from itertools import combinations

from msgspec import Struct

from tests.attacks import administrators, auditors, broker, by_hand, facts, history, omissions, promises, readings, together, trusted
from tests.attacks.ground import AT_ONCE, WHEN, Attack, Noticed
from tests.attacks.together import DESK, LISTED, RECEIPT
from tests.attacks.trusted import VERIFY

ROUTING, NOTIFIER, AUDIT, INTAKE = "routing", "notifier", "audit", "intake"
DATABASE, BROKER, OPERATOR = "a database administrator", "a broker administrator", "one operator"
SEVEN: dict[str, frozenset[str]] = {
    ROUTING: frozenset({facts.ROUTING, omissions.ROUTING}),
    NOTIFIER: frozenset({omissions.NOTIFIER}),
    AUDIT: frozenset({auditors.LOG_KEY, history.KEY, history.ABOVE, "stops audit"}),
    INTAKE: frozenset(
        {promises.INTAKES, f"{promises.INTAKES}, one approver", f"{promises.INTAKES}, two approvers", "writes intake's tables"}
    ),
    DATABASE: frozenset({facts.SQL, omissions.ALARMS, omissions.PLAN, auditors.SQL, by_hand.PASSWORD}),
    BROKER: frozenset({"broker", broker.BROKER, trusted.VANDAL}),
    OPERATOR: frozenset({trusted.ALONE, administrators.PAST, readings.OPERATES}),
}
"""Power → the powers, as the attacks name them, for which it needs nothing else."""
LEAST = 4
"""Attacks that each of the seven powers has at least (issue 36)."""
NOBODY = "nobody"
SIGNS = "the agency's signature on its answers (`must` in the directory), or its weekly look at its own cases in the log"


class Pair(Struct, frozen=True, kw_only=True):
    """does: what each of the two powers does. must: who has to notice.

    says, blamed: words of the verdict, and of whom it names. can, needed: where nobody notices: what the two reach, and what would show it.
    """

    powers: tuple[str, str]
    does: tuple[str, str]
    run: Callable[[], Noticed]
    must: tuple[str, ...] = (VERIFY,)
    says: str = ""
    blamed: str = ""
    can: str = ""
    needed: str = ""

    @property
    def what(self) -> str:
        return "; ".join(f"{power}: {does}" for power, does in zip(self.powers, self.does, strict=True))

    @property
    def power(self) -> str:
        return " and ".join(self.powers)

    def noticed(self) -> Noticed:
        """Carry it out. Nobody has noticed it if none who looked says a word; somebody has, if the verdict has the words of this row."""
        said = self.run()
        if self.must == (NOBODY,):
            return said | {NOBODY: "" if any(said.values()) else f"GOOD: {self.can}"}
        return {who: message if self.says in message else "" for who, message in said.items()}


PAIRS = (
    Pair(
        powers=(ROUTING, NOTIFIER),
        does=("charges an agency for its silence", "says that its messages arrived, and has sent none"),
        run=together.charged,
        must=(NOBODY,),
        can="an agency that was never called is charged for not answering, and the next one is asked late",
        needed="the word of the agency, or of the carrier: delivery reports that the carrier signs and the notifier logs",
    ),
    Pair(
        powers=(ROUTING, AUDIT),
        does=("passes over a referral", "leaves its case out of the log"),
        run=together.left_out,
        must=(RECEIPT,),
        says="no entry of the log",
    ),
    Pair(
        powers=(ROUTING, INTAKE),
        does=("says that a shelter is full", "invents a child that has its bed"),
        run=together.made_full,
        must=(NOBODY,),
        can="a free bed is withheld from a child, and every number of the log agrees",
        needed=f"{SIGNS}; a shelter knows whether a child is in its bed",
    ),
    Pair(
        powers=(ROUTING, DATABASE),
        does=("decides by the time of the moved clock, so that limits are over", "moves the clock by which its records are dated"),
        run=together.one_clock,
        says="RECORDED_AHEAD",
        blamed="the writer's clock was ahead",
    ),
    Pair(
        powers=(ROUTING, BROKER),
        does=("signs that it could not read the record, and calls it lost", "takes an agency's answer from the topic"),
        run=together.unread,
        must=(DESK,),
        says="record-lost",
    ),
    Pair(
        powers=(ROUTING, OPERATOR),
        does=("dates a policy back a month", "writes the act that agrees with the date"),
        run=together.dated_alike,
        says="ACT_DATED",
        blamed="operator/keeper",
    ),
    Pair(
        powers=(NOTIFIER, AUDIT),
        does=("knocks nobody for three children", "says in each heartbeat that the newest record of every partition is unread"),
        run=together.never_read,
        says="NOT_KNOCKED",
        blamed="answerable: the notifier",
    ),
    Pair(
        powers=(NOTIFIER, INTAKE),
        does=("says that it called the police, and has not", "invents that they accept"),
        run=together.accepted_for,
        must=(NOBODY,),
        can="a child is with police who do not know of it, and the referrer's receipt is proven",
        needed=SIGNS,
    ),
    Pair(
        powers=(NOTIFIER, DATABASE),
        does=("says that nobody is on duty", "takes the officer out of the roster by SQL"),
        run=together.nobody_on_duty,
        says="by hand",
    ),
    Pair(
        powers=(NOTIFIER, BROKER),
        does=("signs that it could not read the record", "takes an agency's answer from the topic"),
        run=together.read_by_one,
        must=(DESK,),
        says="record-lost",
    ),
    Pair(
        powers=(NOTIFIER, OPERATOR),
        does=("knocks nobody for three children", "switches sending off, so that the silence has a reason"),
        run=together.switched_off,
        says="NOT_KNOCKED",
        blamed="answerable: the operators",
    ),
    Pair(
        powers=(AUDIT, INTAKE),
        does=("says that the case is logged, and leaves it out", "signs a receipt, and publishes nothing"),
        run=together.receipt_alone,
        must=(RECEIPT,),
        says="no entry of the log",
    ),
    Pair(
        powers=(AUDIT, DATABASE),
        does=("says in a heartbeat that the log is a drill's, whose clocks are not compared", "moves the clock two hours ahead"),
        run=together.drill_clock,
        says="RECORDED_AHEAD",
        blamed="the writer's clock was ahead",
    ),
    Pair(
        powers=(AUDIT, BROKER),
        does=("says that the record is logged", "takes an agency's answer from the topic, before anybody reads it"),
        run=together.answer_gone,
        must=(RECEIPT,),
        says="no entry of the log",
    ),
    Pair(
        powers=(AUDIT, OPERATOR),
        does=(
            "shows the entry of that to the command, and takes it away before a witness signs",
            "lends the keys of all cases to a stranger",
        ),
        run=together.lent_unseen,
        must=(NOBODY,),
        can="every case is opened by a stranger, and no entry says so",
        needed="a command that lends only when a witness has signed the entry: then the log can take it back no more",
    ),
    Pair(
        powers=(INTAKE, DATABASE),
        does=("invents that the police accept, a minute after they were asked", "deletes the messages to them from the notifier's plan"),
        run=together.plan_deleted,
        must=(NOBODY,),
        can="a child is with police who do not know of it: no honest notifier must have knocked so soon",
        needed=SIGNS,
    ),
    Pair(
        powers=(INTAKE, BROKER),
        does=(
            "invents that the police accept, a minute after they were asked",
            "keeps routing's records from the notifier meanwhile",
        ),
        run=together.held_back,
        must=(NOBODY,),
        can="the same; the notifier is honest, and reads the question beside its answer",
        needed=SIGNS,
    ),
    Pair(
        powers=(INTAKE, OPERATOR),
        does=("invents that the police accept, a minute after they were asked", "switches sending off for that minute"),
        run=together.paused,
        must=(LISTED,),
        says="duty pause",
        blamed="operator/keeper",
    ),
    Pair(
        powers=(DATABASE, BROKER),
        does=("moves the database's clock two hours ahead", "moves the broker's clock as far"),
        run=together.two_clocks,
        says="LOGGED_AHEAD",
        blamed="audit's clock was ahead",
    ),
    Pair(
        powers=(DATABASE, OPERATOR),
        does=("sets a desk's passwords by SQL", "writes the act, with a second operator's word forged"),
        run=together.forged_word,
        says="ACT_ALONE",
        blamed="operator/keeper",
    ),
    Pair(
        powers=(BROKER, OPERATOR),
        does=("writes a bundle that one signer signed", "writes the act that puts it in force"),
        run=together.one_signer,
        says="POLICY_FORGED",
    ),
)


def attacks() -> Iterator[Attack]:
    for pair in PAIRS:
        yield Attack(what=pair.what, power=pair.power, must=pair.must, blamed=pair.blamed, run=pair.noticed)


def rows_of(power: str, every: Sequence[Attack]) -> list[Attack]:
    """Return the attacks that one of the seven powers carries out alone."""
    return [attack for attack in every if attack.power in SEVEN[power]]


def missing() -> set[frozenset[str]]:
    """Return the pairs of the seven powers that have no row, or two."""
    rows = [frozenset(pair.powers) for pair in PAIRS]
    return {two for two in map(frozenset, combinations(SEVEN, 2)) if rows.count(two) != 1}


def lines(every: Sequence[Attack]) -> list[str]:
    """Return the part of the page about the seven powers, alone and together. every: all attacks of one power."""
    found = [
        "## Seven powers, alone",
        "",
        f"Each has at least {LEAST} attacks in `make attacks`, which says of each in which words it is noticed.",
        "",
        "| power | attacks | who must notice | nobody notices |",
        "|---|---|---|---|",
    ]
    for power in SEVEN:
        rows = rows_of(power, every)
        who = sorted({one for attack in rows for one in attack.must} - {NOBODY})
        silent = dict.fromkeys(attack.what for attack in rows if attack.must == (NOBODY,))
        found.append(f"| {power} | {len(rows)} | {', '.join(who)} | {'; '.join(silent) or '–'} |")
    found += [
        "",
        "## Seven powers, two together",
        "",
        "For each pair the strongest two attacks in which one hides the other. What one of them does alone stands above, and any pair can"
        " do it too. `make attacks` carries them out with the true keys of both. It is red where somebody must notice and does not, and"
        " where nobody is said to notice and somebody does.",
        "",
        "| the first | the second | who notices | after | in the words | who is named |",
        "|---|---|---|---|---|---|",
    ]
    for pair in PAIRS:
        after = ", ".join(dict.fromkeys(WHEN.get(who, AT_ONCE) for who in pair.must))
        who = "**nobody**" if pair.must == (NOBODY,) else ", ".join(pair.must)
        first, second = (f"{power}: {does}" for power, does in zip(pair.powers, pair.does, strict=True))
        found.append(f"| {first} | {second} | {who} | {after} | {f'`{pair.says}`' if pair.says else '–'} | {pair.blamed or '–'} |")
    found += ["", "### Pairs that nobody notices", "", "| pair | what it reaches | what would show it |", "|---|---|---|"]
    found += [f"| {pair.power} | {pair.can} | {pair.needed} |" for pair in PAIRS if pair.must == (NOBODY,)]
    return [*found, ""]
