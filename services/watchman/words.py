"""The words of an alarm, for a person who must get up. They name the fault of the line and nothing of any case. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from services.watchman.alarms import Cause

OTHERWISE = "en"
# Unread by a native reader: Albanian and Serbian were written without one. Whoever corrects a text keeps the terms of docs/glossary.md.
WORDS: Mapping[str, str] = {
    "sq": "Roja: sherbimi i thirrjeve ka nevoje per ju. {alarms}. Shihni docs/operators.md, A watchman.",
    "sr-Latn": "Strazar: sluzbi poziva ste potrebni. {alarms}. Vidite docs/operators.md, A watchman.",
    "sr-Cyrl": "Strazar: sluzbi poziva ste potrebni. {alarms}. Vidite docs/operators.md, A watchman.",
    "en": "Watchman: the referral line needs you. {alarms}. See docs/operators.md, A watchman.",
}
"""In letters of the GSM 7-bit alphabet, as an SMS is."""


def written(alarms: Sequence[Cause], language: str) -> str:
    """Return the text of an SMS or an e-mail. The alarms are named by the words that operators.md explains, an alert of Prometheus with
    its place there: the first three, and how many more."""
    most = 3
    words = list(dict.fromkeys(map(str, alarms)))
    names = ", ".join(words[:most]) + (f" +{len(words) - most}" if len(words) > most else "")
    return WORDS.get(language, WORDS[OTHERWISE]).format(alarms=names)
