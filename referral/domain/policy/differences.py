"""Describe in words what one policy changes about another: signers, agencies, their keys, steps and limits. For those who must sign it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace

from referral.domain.policy.directory import Signing
from referral.domain.policy.limits import Limit
from referral.domain.policy.policy import Policy
from referral.domain.policy.procedure import Pathway, Step

MOST = 40
"""Lines (ours): more than that nobody reads before signing; the last one says how many are left out."""


def differences(before: Policy | None, after: Policy) -> tuple[str, ...]:
    """Return one line for each change. before: None: `after` is the first policy."""
    if before is None:
        return (f"the first policy: {len(after.current)} procedures, {len(after.agencies)} agencies",)
    lines = [*_signers(before, after), *_agencies(before, after), *_pathways(before, after)]
    return (*lines[:MOST], f"and {len(lines) - MOST} more changes") if len(lines) > MOST else tuple(lines)


def _signers(before: Policy, after: Policy) -> Iterator[str]:
    if after.signers and after.signers != before.signers:
        yield f"from the next bundle on other signers sign: {', '.join(f'{n} {k.hex()[:8]}' for n, k in after.signers.items())}"


def _agencies(before: Policy, after: Policy) -> Iterator[str]:
    for id in sorted({*before.agencies, *after.agencies}):
        old, new = before.agencies.get(id), after.agencies.get(id)
        if old is None or new is None:
            yield f"agency {id} is {'new' if old is None else 'gone'}"
        yield from _signing(id, old.signing if old else Signing(), new.signing if new else Signing())
        if old is not None and new is not None and old != new and old.signing == new.signing:
            yield f"agency {id}: its names, rungs, hours or telephone are changed"
    for id in sorted({*before.services, *after.services}):
        if before.services.get(id) != after.services.get(id):
            word = "new" if id not in before.services else "gone" if id not in after.services else "changed"
            yield f"service {id} is {word}"


def _signing(agency: str, old: Signing, new: Signing) -> Iterator[str]:
    for key in new.keys:
        if key not in old.keys:
            yield f"KEY of {agency}: {key.id} is new"
    for key in old.keys:
        if key not in new.keys:
            yield f"KEY of {agency}: {key.id} is taken out"
    if old.must != new.must:
        yield f"KEY of {agency}: its systems {'must' if new.must else 'need no longer'} sign"


def _pathways(before: Policy, after: Policy) -> Iterator[str]:
    old, new = {each.id: each for each in before.every}, {each.id: each for each in after.every}
    for id in sorted({*old, *new}):
        if id not in old or id not in new:
            yield f"procedure {id} is {'new' if id not in old else 'gone'}"
        elif old[id].digest != new[id].digest:
            lines = [*_steps(old[id], new[id])]
            yield from lines or [f"procedure {id}: its text is changed, and no step"]


def _steps(old: Pathway, new: Pathway) -> Iterator[str]:
    for id in dict.fromkeys(step.id for step in (*old.steps, *new.steps)):
        was, now = old.step(id), new.step(id)
        if was is None or now is None:
            yield f"step {old.id}/{id} is {'new' if was is None else 'gone'}"
        elif was != now:
            lines = [*_limits(f"{old.id}/{id}", was.limits, now.limits)]
            yield from lines
            if not lines or _without_limits(was) != _without_limits(now):
                yield f"step {old.id}/{id}: who is asked, when, or what they see is changed"


def _limits(where: str, old: Mapping[str, Limit], new: Mapping[str, Limit]) -> Iterator[str]:
    for name in dict.fromkeys((*old, *new)):
        if old.get(name) != new.get(name):
            yield f"LIMIT {where} {name}: {old.get(name, 'none')} → {new.get(name, 'none')}"


def _without_limits(step: Step) -> Step:
    return replace(step, limits={})
