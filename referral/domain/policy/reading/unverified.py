"""Read one file of policy/unverified/: what is done before a desk has confirmed a referral that nobody vouches for.

It is written in the words of a procedure, and may do less: nobody has confirmed a word of it.
"""

from __future__ import annotations

from referral.domain.events import StepKind
from referral.domain.policy.procedure import ConsentRule, Pathway
from referral.domain.policy.reading.directory import Directory
from referral.domain.policy.reading.procedure import read_pathway
from referral.domain.policy.reading.reader import Reader
from referral.domain.policy.reading.vocabulary import UNVERIFIED, UNVERIFIED_NEEDED, UNVERIFIED_SHOWS, UNVERIFIED_WORDS

KINDS = (StepKind.REQUEST, StepKind.JOINT, StepKind.DECIDE)
"""Kinds of step that it may have. It takes no bed, tells nobody who need not look, and is counted by nobody."""


def read_unverified(reader: Reader, path: str, directory: Directory) -> Pathway:
    """Return what a file says; errors are reported to the reader. No consent is needed, because what it asks for is only to look."""
    get = reader.open(path).fields(UNVERIFIED_NEEDED, UNVERIFIED_WORDS)
    pathway = read_pathway(reader, path, directory, get, "unverified", UNVERIFIED, consent=ConsentRule(), unverified=True)
    for node, step in zip(get["steps"].each(), pathway.steps, strict=True):
        if step.kind not in KINDS:
            node.error(
                "nobody has confirmed this referral: a step asks somebody to look, or decides what they saw (ask, ask_together, decide)"
            )
        if step.kind is StepKind.DECIDE and step.on_silence != "keep-place":
            node.error("silence says nothing about a child; write on_silence: keep-place, which asks the desk")
        for rule in step.seats:
            if rule.statutory:
                node.error("no agency has a duty before somebody has confirmed the referral; leave statutory out")
            for section in (*rule.shows, *rule.writes):
                if section not in UNVERIFIED_SHOWS:
                    node.error(f"{section} is not shown before somebody has confirmed the referral; allowed: {', '.join(UNVERIFIED_SHOWS)}")
    return pathway
