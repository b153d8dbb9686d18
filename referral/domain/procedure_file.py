"""Read one file of policy/pathways/. Every word in it is of a closed list; nothing is ever evaluated."""

from __future__ import annotations

import hashlib

from referral.domain.directory_files import Whole
from referral.domain.language import Node, Reader
from referral.domain.procedure import Change, ConsentRule, Pathway
from referral.domain.procedure_checks import check
from referral.domain.procedure_marks import Marking
from referral.domain.procedure_seats import Seating
from referral.domain.procedure_step import read_step
from referral.domain.procedure_words import MISSED, NEVER, PATHWAY, PATHWAY_NEEDED, WITHDRAWAL


def read_procedure(reader: Reader, path: str, whole: Whole) -> Pathway:
    """One pathway; what is wrong is noted in the reader."""
    get = reader.open(path).fields(PATHWAY_NEEDED, PATHWAY)
    id = get["pathway"].word(whole.codes.get("pathway", ()), "pathway")
    if path != f"pathways/{id}.yaml":
        get["pathway"].error(f"pathway {id} belongs into pathways/{id}.yaml")
    nodes = get["steps"].each()
    marking = Marking(whole, nodes)
    seating = Seating(whole, get["ladder"].words(whole.codes.get("rung", ()), "rung", least=1))
    pathway = Pathway(
        id=id,
        digest=hashlib.sha256(reader.files[path]).hexdigest(),
        applies=marking.conditions(get["applies"]),
        changes=tuple(_change(node, marking) for node in get["changes"].each()),
        never=tuple(NEVER[name] for name in get["never"].words(NEVER, "ban") if name in NEVER and NEVER[name][0]),
        raises=MISSED.get(get["on_missed_deadline"].word(MISSED, "word"), ""),
        steps=tuple(read_step(node, marking, seating) for node in nodes),
        close_when=frozenset(f"{step}.done" for step in get["close_when"].fields(("done",))["done"].words(marking.steps, "step", least=1)),
        version=get["version"].number(1, 9999),
        consent=_consent(get["consent"], whole),
        seal=get["seal"].yes(),
    )
    if not pathway.applies:
        get["applies"].error("a procedure says for whom it is, e.g. applies: {concern: [trafficking]}")
    check(pathway, get, marking)
    return pathway


def _consent(node: Node, whole: Whole) -> ConsentRule:
    get = node.fields(("needed", "basis", "on_withdrawal"))
    return ConsentRule(
        needed=get["needed"].yes(),
        basis=get["basis"].word(whole.codes.get("basis", ()), "basis"),
        on_withdrawal=get["on_withdrawal"].word(WITHDRAWAL, "word"),
    )


def _change(node: Node, marking: Marking) -> Change:
    """One line of changes: instead of this procedure, or beside it."""
    get = node.fields(("when",), ("switch_to", "also_open", "pause"))
    known = marking.whole.codes.get("pathway", ())
    if ("switch_to" in get) == ("also_open" in get):
        node.error("switch_to (instead of this procedure) or also_open (beside it) is expected here, one of them")
    if "pause" in get and "also_open" not in get:
        get["pause"].key_error("pause waits for the procedure of also_open, which is missing here")
    return Change(
        when=marking.conditions(get["when"]),
        switch_to=get["switch_to"].word(known, "pathway") if "switch_to" in get else "",
        also_open=get["also_open"].word(known, "pathway") if "also_open" in get else "",
        pause=get["pause"].yes(),
    )
