"""The story of the demo: a second call wakes an officer, an advocate declines, a social worker sleeps, a shelter is full; all ends well."""

from __future__ import annotations

import textwrap
from datetime import timedelta

from referral.cli import console
from referral.cli.audit.timeline_text import WIDTH
from referral.cli.stack.stage import Stage

REFERRAL = {
    "traits": {
        "concern": "trafficking",
        "age": "child",
        "age_band": "12-14",
        "sex": "female",
        "found_in": "prishtine",
        "urgency": "urgent",
        "languages": ["sq"],
    },
    "file": {
        "identity": {"name": "Testa Shembull (made up)"},
        "location": {"where": "a made-up street near a made-up school"},
        "narrative": {"text": "Made up: works at night for somebody who holds her papers."},
        "care-needs": {"text": "Made up: sleeps badly, asks for somebody who speaks Albanian."},
    },
    "drill": True,
}
OFFICER = "police-prishtine.duty-officer"
TEXTS = {"reason": "Made up: see the plan.", "child-view": "Made up: wants to stay near her school."}


def tell(stage: Stage) -> None:
    """Run the whole story. Late: a step does not follow."""
    _fill_the_first_shelter(stage)
    case_id = _referral(stage)
    _police(stage, case_id)
    _support(stage, case_id)
    _shelter(stage, case_id)
    _decisions(stage, case_id)
    _help(stage, case_id)
    _end(stage, case_id)


def _head(title: str, text: str) -> None:
    console.console.print(f"\n[bold]{title}[/]", soft_wrap=True)
    for line in textwrap.wrap(text, WIDTH - 3):
        console.say(f"   {line}")


def _fill_the_first_shelter(stage: Stage) -> None:
    """Open two earlier cases that take the two places of the nearest children's shelter."""
    for number in (1, 2):
        case_id = stage.agency("school-drita").submit({"traits": REFERRAL["traits"], "drill": True}, key=f"demo-earlier-{number}")[
            "case_id"
        ]
        stage.answers("police-prishtine", case_id, "police", "ACCEPT")
        stage.answers("advocate-prishtine", case_id, "support", "ACCEPT")
        stage.answers("csw-prishtine", case_id, "support", "ACCEPT")
        stage.answers("shelter-blue-moon", case_id, "shelter", "ACCEPT")
    console.say("Earlier tonight two other made-up children took both places of the children's shelter “Blue Moon”.")
    stage.pass_time(timedelta(minutes=2), "nobody gets more than one SMS a minute")
    stage.forget_knocks()


def _referral(stage: Stage) -> str:
    _head(
        "1 · A school publishes one referral",
        "The procedure begins with the police section for trafficking where the child was found. Its duty officer gets a "
        "message without content, in the officer's own language: no name, no place, only “please look at your inbox”. "
        "Telephones are a stand-in here: what a gateway and a trunk would carry arrives on the stack's handset.",
    )
    receipt = stage.agency("school-drita").submit(REFERRAL, key="demo-referral")
    console.say(f"   receipt: case {receipt['case_id']}")
    stage.log(receipt["case_id"], "is asked (police)")
    stage.knocks(OFFICER)
    stage.texted(OFFICER)
    return str(receipt["case_id"])


def _police(stage: Stage, case_id: str) -> None:
    _head(
        "2 · The duty officer sleeps through the e-mail and the SMS; the second call wakes her",
        "A telephone rings two minutes after the SMS, and again three minutes later. Key 1 means “I look at it”: it acknowledges "
        "the offer, and can do no more. Without a key nobody has answered, and after fifteen minutes her back-up is knocked.",
    )
    stage.offered("police-prishtine", case_id, "police")
    stage.pass_time(timedelta(minutes=2, seconds=1), "an SMS wakes few people")
    stage.called(OFFICER, "rings-out", "nobody answers")
    stage.pass_time(timedelta(minutes=3, seconds=1), "a call that nobody answers is repeated")
    stage.called(OFFICER, "1", "she presses 1")
    stage.log(case_id, "has seen it")
    stage.answers("police-prishtine", case_id, "police", "ACCEPT")
    stage.log(case_id, "is told (coordinator)")


def _support(stage: Stage, case_id: str) -> None:
    _head(
        "3 · Advocate and social worker are asked together; one declines, the other does not answer",
        "Only the seat that was declined is offered again, to the next advocate. Half an hour without a sign of the social worker: the "
        "next rung of the same agency is knocked. Once both have accepted, shelter, guardian, risk and health begin side by side.",
    )
    stage.answers("advocate-prishtine", case_id, "support", "DECLINE", reason="NO_CAPACITY")
    stage.log(case_id, "advocate-gjilan is asked")
    stage.knocks("advocate-gjilan")
    stage.answers("advocate-gjilan", case_id, "support", "ACCEPT")
    stage.pass_time(timedelta(minutes=31), "the limit to acknowledge is 30")
    stage.log(case_id, "now its back-up")
    stage.knocks("csw-prishtine.back-up")
    stage.answers("csw-prishtine", case_id, "support", "ACCEPT")
    stage.log(case_id, "is asked (shelter)")
    stage.knocks("shelter-linden")
    stage.answers("csw-prishtine", case_id, "support", "ARRIVE")
    stage.answers("advocate-gjilan", case_id, "support", "ARRIVE")
    read = stage.agency("csw-prishtine").file(case_id)
    sections = ", ".join(read["sections"])
    console.say(f"   the social worker reads {sections} and nothing else of the case file; that is on record first")


def _shelter(stage: Stage, case_id: str) -> None:
    _head(
        "4 · A bed tonight: the first shelter is full, the next takes the child",
        "“Blue Moon” was passed over above, with its reason: no free place. “Linden” accepts, and the child is driven there.",
    )
    stage.answers("shelter-linden", case_id, "shelter", "ACCEPT")
    stage.answers("health-prishtine", case_id, "health", "ACCEPT")
    stage.pass_time(timedelta(hours=2), "the drive")
    stage.answers("shelter-linden", case_id, "shelter", "ARRIVE")
    stage.log(case_id, "shelter-linden (shelter) has begun")


def _decisions(stage: Stage, case_id: str) -> None:
    _head(
        "5 · People decide: guardian and risk",
        "No rule decides about a child. People do, with the reason and the child's view on record; three agencies judge the risk.",
    )
    stage.answers("csw-prishtine", case_id, "guardian", "DECIDE", code="csw-guardian", texts=TEXTS)
    for agency in ("police-prishtine", "advocate-gjilan", "csw-prishtine"):
        stage.answers(agency, case_id, "risk", "DECIDE", code="MEDIUM")
    stage.log(case_id, "step risk is over")


def _help(stage: Stage, case_id: str) -> None:
    _head(
        "6 · Health check, one interview by a trained person, a plan",
        "Each begins when its conditions are met, each is accepted and completed by somebody with a name. No prosecutor is asked before "
        "the child wishes to speak: it has 90 days.",
    )
    stage.answers("health-prishtine", case_id, "health", "COMPLETE")
    stage.answers("advocate-gjilan", case_id, "reflection", "DECIDE", code="cooperates", texts={"child-view": TEXTS["child-view"]})
    for agency, step in (("prosecutor-prishtine", "interview"), ("csw-prishtine", "plan")):
        stage.answers(agency, case_id, step, "ACCEPT")
        stage.answers(agency, case_id, step, "COMPLETE")
    stage.log(case_id, "step plan is over")


def _end(stage: Stage, case_id: str) -> None:
    _head("7 · The stay ends, and with it the case", "What still was open ends with it; the log stays.")
    stage.answers("shelter-linden", case_id, "shelter", "COMPLETE")
    stage.log(case_id, "case is closed")
