"""Check the agencies and rungs in a command's arguments against the directory, so that a typing error fails now and not at night."""

from __future__ import annotations

from collections.abc import Iterable

import yaml

from referral.domain.policy.reading.reader import allowed
from referral.errors import Rejected
from referral.runtime.settings import Settings


def agency(found: Settings, written: str, where: str = "--agency") -> str:
    """Return the id of an agency. where: the argument or option that named it. Rejected: the directory has no agency of this name."""
    known = sorted(path.stem for path in (found.policy / "directory").glob("*.yaml"))
    if written not in known:
        raise Rejected("unknown-agency", where, f"use an id of the directory: {allowed(written, known)}")
    return written


def rungs(found: Settings, of: str, written: Iterable[str]) -> tuple[str, ...]:
    """Return rungs of an agency's ladder, each once. of: the agency's id. Rejected: its ladder has no such rung."""
    file = found.policy / "directory" / f"{of}.yaml"
    ladder = tuple(yaml.safe_load(file.read_text("utf-8")).get("ladder", ())) if file.is_file() else ()
    for word in written:
        if word not in ladder:
            raise Rejected("unknown-rung", "--rung", f"use a rung of the ladder of {of}: {allowed(word, ladder)}")
    return tuple(sorted(set(written)))
