"""Every procedure once on the real line: everybody who is asked answers, months pass by the drill clock, until the case has ended."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import timedelta
from functools import partial

from referral.cli import show
from referral.cli.case_now import Asked, Now, look
from referral.cli.stage import Late, Stage
from referral.domain.policy import Policy
from referral.domain.procedure import Pathway
from referral.errors import Rejected

DEFAULTS = {"age": "child", "age_band": "12-14", "sex": "female", "found_in": "prishtine", "urgency": "urgent", "languages": ["sq"]}
"""The made-up child, wherever the procedure asks for nothing else."""
TEXTS = {"reason": "Made up: see the plan.", "child-view": "Made up: has been heard."}
WAITING = ("OFFERED", "ACKNOWLEDGED")
MANY = ("flags", "languages")
ANSWERS = 300
"""More than any procedure needs (ours): a tour that turns in circles ends with a message."""
LISTED = {"found_in", "concern", "age", "age_band", "sex", "urgency", "origin", "asylum", *MANY}


def chosen(policy: Policy, names: str) -> tuple[Pathway, ...]:
    """The pathways that are named with commas between them, or all. Rejected: one is not in force."""
    known = {pathway.id: pathway for pathway in policy.current}
    wanted = [*known] if names == "all" else names.split(",")
    for name in wanted:
        if name not in known:
            raise Rejected("unknown-pathway", name, f"use all, or one of: {', '.join(known)}")
    return tuple(known[name] for name in wanted)


def referral(pathway: Pathway) -> dict[str, object]:
    """A made-up referral that opens this procedure by itself: the first of each of the words that it applies to."""
    traits: dict[str, object] = dict(DEFAULTS)
    for group in pathway.applies:
        name, _, word = min(group).partition("=")
        if name in LISTED:
            traits[name] = [word] if name in MANY else word
    if traits["age"] == "adult":
        traits["age_band"] = "18-120"
    body: dict[str, object] = {"traits": traits, "file": {"identity": {"name": "Testa Shembull (made up)"}}, "drill": True}
    if pathway.consent.needed:
        body["consent"] = {"state": "GIVEN", "basis": "consent", "giver": "person"}
    return body


def tell(stage: Stage, pathways: Iterable[Pathway]) -> None:
    """One case of each, to its end. Raises Late where one does not go on."""
    for pathway in pathways:
        show.console.rule(f"[bold]{pathway.id}")
        body = referral(pathway)
        receipt = stage.agency("school-drita").submit(body, key=f"tour-{pathway.id}")
        case_id = str(receipt["case_id"])
        show.console.print(f"school-drita publishes one referral: {_traits(body)}\ncase {case_id}", soft_wrap=True)
        _to_its_end(stage, case_id)
        stage.log(case_id, "case is closed")


def _to_its_end(stage: Stage, case_id: str) -> None:
    """Answer whatever is open; where nothing is, let the time pass until something is due."""
    for _ in range(ANSWERS):
        now = stage.wait("the doors know what was decided", lambda: look(stage.settings, case_id))
        if now.closed:
            return
        waiting = [asked for asked in now.open if asked.state in WAITING or asked.due_what]
        if waiting:
            asked = min(waiting, key=_order)
            word, more = _answer(asked)
            stage.answer(asked.agency, asked.offer_id, word, **more)
        elif now.due is not None:
            if now.due > now.at:
                stage.pass_time(timedelta(microseconds=now.due - now.at), "nothing to do until then")
            stage.wait("the alarm of the case goes off", partial(_went_off, stage, case_id, now.due))
        else:
            raise Late(f"case {case_id} stands still")
    raise Late(f"case {case_id} has not ended after {ANSWERS} answers")


def _went_off(stage: Stage, case_id: str, due: int) -> Now | None:
    """How the case stands once what was due then has been decided upon; until then None."""
    now = look(stage.settings, case_id)
    return now if now is not None and now.due != due else None


def _order(asked: Asked) -> tuple[int, int, str]:
    """Who answers next: what is only asked, then arrivals and decisions, then what is completed, a stay last."""
    word = _answer(asked)[0]
    return ("ACCEPT", "ARRIVE", "DECIDE", "COMPLETE").index(word), asked.kind == "PLACE", asked.offer_id


def _answer(asked: Asked) -> tuple[str, Mapping[str, object]]:
    """What a willing agency says next. Reviews that come again get the next code each time, so that they end."""
    if asked.kind == "DECIDE":
        texts = {need: TEXTS[need] for need in asked.needs}
        return "DECIDE", {"code": asked.codes[asked.round % len(asked.codes)], **({"texts": texts} if texts else {})}
    if asked.state in WAITING:
        return "ACCEPT", {}
    if "ARRIVE" in asked.words and not asked.arrived:
        return "ARRIVE", {}
    return "COMPLETE", {}


def _traits(body: Mapping[str, object]) -> str:
    traits = body["traits"]
    assert isinstance(traits, dict)
    return ", ".join(f"{name} {' '.join(value) if isinstance(value, list) else value}" for name, value in traits.items())
