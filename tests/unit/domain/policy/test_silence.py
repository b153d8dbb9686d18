"""Silence states no fact about the world: no default of the shipped procedures says that somebody is free, has moved, or has agreed."""

from __future__ import annotations

from tests.harness import shipped

ORDERS = {
    ("child-labour", "triage", "exploited"): "the more careful procedure opens",
    ("juvenile-justice", "age-check", "under-14"): "treated as a small child until the age is known",
    ("missing-child", "risk-missing", "HIGH"): "more people look for the child",
    ("rights-violation", "urgent-measure", "measure-asked"): "the team asks for protection",
    ("trafficking-adult", "housing", "needs-shelter"): "a bed is asked for",
    ("trafficking-adult", "reflection", "undecided"): "nobody is asked to speak",
    ("trafficking-child", "reflection", "undecided"): "nobody is asked to speak",
}
"""Every default → what it makes the line do. None says where a person is, or what the person wants."""


def test_every_default_orders_protection_and_none_reports_a_fact() -> None:
    found = {
        (pathway.id, step.id, step.on_silence)
        for pathway in shipped.compiled().current
        for step in pathway.steps
        if step.on_silence not in ("", None, "keep-place", "next-candidate")
    }
    assert found == set(ORDERS), "a new default: what does it state about a person whom nobody has seen?"
