"""The demo's story: each of its lines becomes what an agency does, with what people hear of it."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from types import SimpleNamespace
from typing import Any, cast

import pytest

from referral.cli.stack import story
from referral.cli.stack.stage import Stage
from tests.stories import teller

POLICY = teller.policy()


class Recorded:
    """A stage on which everything happens at once. done: what was asked of it, in order."""

    def __init__(self) -> None:
        self.done: list[tuple[Any, ...]] = []
        self.cases = 0

    def agency(self, name: str) -> Any:
        return SimpleNamespace(submit=self._submit, file=lambda _: {"sections": ["contact", "narrative"]})

    def _submit(self, referral: Any, key: str) -> dict[str, str]:
        self.cases += 1
        self.done.append(("refer", key))
        return {"case_id": f"case-{self.cases}"}

    def offered(self, agency: str, case_id: str, step: str) -> dict[str, Any]:
        return self.asked((agency,), case_id, step)[1]

    def asked(self, agencies: Sequence[str], case_id: str, step: str) -> tuple[str, dict[str, Any]]:
        return agencies[0], {"offer_id": f"{case_id} {step}", "needs": ["reason", "child-view"] if step == "guardian" else []}

    def person(self, login: str) -> Any:
        return SimpleNamespace(fill=lambda *filled: self.done.append(("fill", login, *filled)))

    def answer(self, agency: str, offer_id: str, word: str, *, person: str = "", **more: Any) -> None:
        self.done.append((agency, offer_id, word, more | ({"person": person} if person else {})))

    def pass_time(self, by: timedelta, why: str) -> None:
        self.done.append(("wait", by, why))

    def called(self, login: str, end: str, how: str) -> None:
        self.done.append(("call", login, end, how))

    def __getattr__(self, name: str) -> Any:
        return lambda *given: self.done.append((name, *given))


def test_each_line_is_done_in_order(capsys: pytest.CaptureFixture[str]) -> None:
    stage, told = Recorded(), story.demo()
    story.tell(cast(Stage, stage), told)
    done = stage.done
    assert [one for one in done if one[0] == "refer"] == [("refer", f"demo-referral-{n}") for n in (1, 2, 3)]
    assert ("advocate-prishtine", "case-3 support", "DECLINE", {"reason": "NO_CAPACITY"}) in done
    guardian = next(one for one in done if one[1:2] == ("case-3 guardian",))
    assert guardian[2:] == ("DECIDE", {"code": "independent", "texts": told.texts, "person": "csw-prishtine.focal-point"})
    assert ("fill", "csw-prishtine.focal-point", "case-3 risk", "risk-form", told.forms["risk-form"]) in done
    assert [one[2:] for one in done if one[0] == "call"] == [("rings-out", "nobody answers"), ("1", "she presses 1")]
    assert ("wait", timedelta(minutes=26, seconds=1), "the limit to acknowledge is 30") in done
    assert done.index(("forget_knocks",)) < done.index(("refer", "demo-referral-3")), "what was before is no part of the story"
    assert done[-1] == ("log", "case-3", "case is closed")
    said = capsys.readouterr().out
    assert "receipt: case case-3" in said and "receipt: case case-1" not in said
    assert "the social worker reads contact, narrative and nothing else" in said
    assert all(chapter.title in said for chapter in told.chapters)


def test_the_story_names_steps_and_agencies_of_the_policy() -> None:
    stage = Recorded()
    story.tell(cast(Stage, stage), story.demo())
    [pathway] = [one for one in POLICY.current if one.id == "trafficking-child"]
    answers = [one for one in stage.done if one[0] in POLICY.agencies]
    assert len(answers) == 4 * 2 + 40
    assert all(step.split()[1] in pathway.by_id for _, step, *_ in answers)
