"""The kinds of a step that `decide` asks for, each looked up once: reading a member off its enum costs as much as ten comparisons."""

from __future__ import annotations

from referral.domain.events import StepKind

DECIDE, NOTIFY, PLACE = StepKind.DECIDE, StepKind.NOTIFY, StepKind.PLACE
