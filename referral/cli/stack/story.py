"""Play a told story on real servers: the lines of tests/stories, with what the log says and what people hear of them."""

from __future__ import annotations

import textwrap
from datetime import timedelta
from pathlib import Path
from typing import Any

import msgspec
from msgspec import Struct

from referral.cli import console
from referral.cli.audit.timeline_text import WIDTH
from referral.cli.stack.stage import Stage
from referral.exercise.told import length, options

FILE = Path(__file__).with_name("demo.yaml")
SENDER = "school-drita"
ENDS = {"LOOKS": "1", "CANNOT": "2", "UNHEARD": "rings-out"}
"""Answer of a story to a call → how the handset ends it."""


class Line(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A line of a story. then: what the log says after it. knocks, sms: who gets a message. why: of a wait; how a call ends; who reads."""

    do: str
    then: tuple[str, ...] = ()
    knocks: str = ""
    sms: str = ""
    why: str = ""


class Chapter(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A part of a story, with what an onlooker should know."""

    title: str
    text: str
    told: tuple[Line, ...]


class Story(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A told story. referral: its body. texts: what is written with a decision. forms: section → what a person enters. before: the earlier
    lines, in words."""

    story: str
    referral: dict[str, Any]
    texts: dict[str, str]
    forms: dict[str, dict[str, str]]
    before: str
    earlier: tuple[Line, ...]
    chapters: tuple[Chapter, ...]


def demo() -> Story:
    """Return the story of the demo."""
    return msgspec.yaml.decode(FILE.read_bytes(), type=Story)


def tell(stage: Stage, story: Story) -> None:
    """Play a whole story. Late: a line does not lead to what it says."""
    player = _Player(stage, story)
    for line in story.earlier:
        player.play(line)
    console.say(story.before)
    stage.forget_knocks()
    for chapter in story.chapters:
        console.console.print(f"\n[bold]{chapter.title}[/]", soft_wrap=True)
        console.say(*textwrap.wrap(chapter.text, WIDTH - 3, initial_indent="   ", subsequent_indent="   "))
        for line in chapter.told:
            player.play(line)


class _Player:
    """Plays the lines of a story. Each referral opens a case, which the lines after it are about."""

    def __init__(self, stage: Stage, story: Story) -> None:
        self._stage, self._story = stage, story
        self._case_id, self._referrals = "", 0

    def play(self, line: Line) -> None:
        """Play one line, and wait for what it says."""
        verb, _, rest = line.do.partition(" ")
        if verb == "repeat":
            times, _, lines = rest.partition(": ")
            for do in lines.split("; ") * int(times):
                self._do(do, line)
        else:
            self._do(line.do, line)
        for said in line.then:
            self._stage.log(self._case_id, said)
        if line.knocks:
            self._stage.knocks(line.knocks)
        if line.sms:
            self._stage.texted(line.sms)

    def _do(self, do: str, line: Line) -> None:
        stage, (verb, *words) = self._stage, do.split()
        match verb:
            case "refer":
                self._referrals += 1
                receipt = stage.agency(SENDER).submit(self._story.referral, key=f"demo-referral-{self._referrals}")
                self._case_id = str(receipt["case_id"])
                if line.then:
                    console.say(f"   receipt: case {self._case_id}")
            case "wait":
                stage.pass_time(timedelta(microseconds=length(" ".join(words)), seconds=1), line.why)  # what is due then is over
            case "knock":
                stage.called(options(words)["person"], ENDS[words[1]], line.why)
            case "fill":
                self._fill(words[0], words[1], options(words)["person"])
            case "read":
                sections = ", ".join(stage.agency(words[0]).file(self._case_id)["sections"])
                console.say(f"   {line.why} reads {sections} and nothing else of the case file; that is on record first")
            case _:
                self._answer(verb.removesuffix(":"), words)

    def _fill(self, step: str, section: str, person: str) -> None:
        """Fill in the form of a section, as `fill STEP SECTION person=LOGIN` says."""
        offer = self._stage.offered(person.partition(".")[0], self._case_id, step)
        self._stage.person(person).fill(offer["offer_id"], section, self._story.forms[section])
        console.say(f"   {person} signs in at the inbox and fills in the {section}")

    def _answer(self, step: str, words: list[str]) -> None:
        """Answer as `STEP: WORD [reason or code] by=AGENCY` or `person=LOGIN` says: a person answers in the inbox, else a system does.

        `by=ONE|OTHER`: whichever was asked, which depends on the hour of the day.
        """
        word, named, more = words[0], options(words), {}
        person = named.get("person", "")
        agency, offer = self._stage.asked(named.get("by", person.partition(".")[0]).split("|"), self._case_id, step)
        if plain := [one for one in words[1:] if "=" not in one]:
            more["code" if word == "DECIDE" else "reason"] = plain[0]
        texts = {need: self._story.texts[need] for need in offer["needs"]} if word == "DECIDE" else {}
        self._stage.answer(agency, offer["offer_id"], word, person=person, **more, **({"texts": texts} if texts else {}))
