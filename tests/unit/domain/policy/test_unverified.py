"""What is done before a desk has confirmed a referral: its file is read more strictly than a procedure."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from referral.domain.policy import PolicyErrors, compile
from tests.stories.teller import files

FILES = files()
PATH = "unverified/welfare-check.yaml"


def refused(change: Callable[[str], str]) -> str:
    """The errors of the shipped policy with this file changed."""
    text = FILES[PATH].decode()
    changed = change(text)
    assert changed != text
    with pytest.raises(PolicyErrors) as wrong:
        compile({**FILES, PATH: changed.encode()})
    return "\n".join(wrong.value.errors)


def test_it_is_no_procedure() -> None:
    policy = compile(FILES)
    assert [check.id for check in policy.unverified] == ["welfare-check"]
    assert "welfare-check" not in {pathway.id for pathway in policy.current}
    assert all(set(rule.shows) == {"location", "narrative"} for check in policy.unverified for step in check.steps for rule in step.seats)
    assert not any(rule.writes for check in policy.unverified for step in check.steps for rule in step.seats)


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("shows: [location, narrative]", "shows: [location, narrative, reporter]", "reporter is not shown before somebody has confirmed"),
        ("on_silence: keep-place", "on_silence: child-seen", "silence says nothing about a child"),
        ("area: [found-in, region, country]", "area: [found-in]\n    statutory: true", "no agency has a duty before"),
        ("version: 1", "version: 1\nconsent: {needed: false, basis: consent, on_withdrawal: continue}", "consent is not known here"),
        ("version: 1", "version: 1\nchanges: []", "changes is not known here"),
        ("unverified: welfare-check", "pathway: welfare-check", "unverified is missing"),
        ("    ask: social-worker", "    notify: social-worker", "a step asks somebody to look"),
    ],
)
def test_what_it_may_not_say(old: str, new: str, said: str) -> None:
    assert said in refused(lambda text: text.replace(old, new, 1))


def test_its_name_is_its_file() -> None:
    with pytest.raises(PolicyErrors, match=r"belongs into unverified/welfare-check\.yaml"):
        compile({**{path: data for path, data in FILES.items() if path != PATH}, "unverified/other.yaml": FILES[PATH]})


def test_a_policy_without_it_asks_nobody_before_the_desk() -> None:
    assert compile({path: data for path, data in FILES.items() if path != PATH}).unverified == ()
