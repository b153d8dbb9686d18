"""A case told from the log: the text is kept in golden/replay.txt; `REFERRAL_UPDATE=1` writes it anew, to be read as a diff."""

from __future__ import annotations

import os
import re
from pathlib import Path

from referral.cli.audit import tell
from referral.domain.events import CaseErased
from referral.proof.timeline import timeline
from tests.unit.audit_log import Log, story

GOLDEN = Path(__file__).parent / "golden" / "replay.txt"


def test_the_timeline_of_a_case_reads_as_it_did() -> None:
    log = Log()
    case_id = story(log)
    text = "\n".join(tell(case_id, timeline([e for e in log.entries if e.case_id == case_id], log.keys[case_id]))) + "\n"
    text = re.sub(r"procedure [0-9a-f]{16}", "procedure …", text)  # of a file that is edited for other reasons
    if os.environ.get("REFERRAL_UPDATE"):
        GOLDEN.write_text(text, "utf-8")
    assert text == GOLDEN.read_text("utf-8")


def test_what_followed_stands_below_its_cause() -> None:
    log = Log()
    case_id = story(log)
    lines = timeline([e for e in log.entries if e.case_id == case_id], log.keys[case_id])
    by_id = {line.event_id: line for line in lines}
    for line in lines:
        if line.topic == "referral-routing" and line.idx:
            assert line.depth == by_id[line.cause_id].depth + 1
    assert [line.who for line in lines if not line.idx] == ["clock"]


def test_a_case_whose_key_is_gone_is_told_by_its_clear_part_and_marked() -> None:
    log = Log()
    case_id = story(log)
    mine = [e for e in log.entries if e.case_id == case_id]
    sealed = timeline(mine, None)
    assert {line.mark for line in sealed} == {"sealed"} and len(sealed) == len(mine)
    log.say(case_id, CaseErased(), "00000000-0000-0000-0000-0000000000ee", case_id, "intake")
    erased = timeline([e for e in log.entries if e.case_id == case_id], None)
    assert {line.mark for line in erased} == {"erased", ""}
    assert erased[-1].what == "the case is erased: its key and rows are destroyed"
