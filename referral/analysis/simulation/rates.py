"""Numbers of the made-up caseloads: frequencies, chances and delays. D: read in a public document (domain notes of the project). P: our
guess, for experts to correct.

No number describes a real agency or person. A word that is in no table gets the plain value named beside it.
"""

from __future__ import annotations

from collections.abc import Mapping

from referral.domain.durations import DAY_US, HOUR_US, MINUTE_US

MIX: Mapping[str, int] = {
    "trafficking-child": 12,  # D: 17 to 26 victims a year, children and adults
    "trafficking-adult": 10,  # D
    "juvenile-justice": 663,  # D (probation 2022): 387 diversion, 245 educational measure, 31 community work
    "child-labour": 120,  # P
    "without-parental-care": 300,  # P
    "disability": 250,  # P
    "rights-violation": 60,  # P
    "violence": 500,  # P, after D: police had 2,856 reports of violence at home in a year (July 2023 to June 2024), adults included
    "sexual-abuse": 60,  # P: no public figure for children in Kosovo was found
    "missing-child": 150,  # P: no public figure for Kosovo was found
    "unaccompanied-child": 40,  # P: no public figure for Kosovo was found
}
"""Cases a year in the whole country, by pathway."""
OTHERS = 100
"""Cases a year of a pathway that is not in MIX (P)."""

THOUSANDS: Mapping[str, float] = {  # inhabitants, roughly, census 2011; the north, which did not count, P
    "prishtine": 199, "prizren": 178, "ferizaj": 109, "peje": 96, "gjakove": 95, "gjilan": 90, "podujeve": 88, "mitrovice": 72,
    "vushtrri": 70, "suhareke": 60, "gllogovc": 58, "lipjan": 58, "rahovec": 56, "malisheve": 55, "skenderaj": 51, "viti": 47,
    "decan": 40, "istog": 39, "kline": 38, "kamenice": 36, "fushe-kosove": 35, "dragash": 34, "kacanik": 33, "shtime": 27, "obiliq": 22,
    "gracanice": 11, "hani-i-elezit": 9, "junik": 6, "mamushe": 6, "ranillug": 4, "kllokot": 3, "partesh": 2, "mitrovice-veriut": 12,
    "leposaviq": 14, "zvecan": 8, "novoberde": 7, "shterpce": 7, "zubin-potok": 7,
}  # fmt: skip
TRAITS: Mapping[str, float] = {"age=uncertain": 0.08}
"""Weight of a mark where a pathway takes several (P); else 1."""
FEMALE: Mapping[str, float] = {
    "trafficking-child": 0.8, "trafficking-adult": 0.8, "juvenile-justice": 0.06, "child-labour": 0.3, "sexual-abuse": 0.8,
}  # fmt: skip
"""Share of girls and women (P); else 0.5."""
BANDS: Mapping[str, Mapping[str, float]] = {
    "": {"0-2": 0.07, "3-5": 0.08, "6-11": 0.3, "12-14": 0.3, "14": 0.05, "15-17": 0.25},
    "trafficking-child": {"6-11": 0.1, "12-14": 0.35, "14": 0.05, "15-17": 0.5},
    "sexual-abuse": {"0-2": 0.02, "3-5": 0.08, "6-11": 0.3, "12-14": 0.35, "15-17": 0.25},
    "missing-child": {"0-5": 0.04, "6-11": 0.16, "12-14": 0.35, "14": 0.05, "15-17": 0.4},
    "unaccompanied-child": {"0-5": 0.02, "6-11": 0.08, "12-14": 0.2, "14": 0.05, "15-17": 0.65},
    "juvenile-justice": {"12-14": 0.08, "12-13": 0.04, "14": 0.04, "14-17": 0.4, "15-17": 0.84},
    "without-parental-care": {"0-2": 0.3, "3-5": 0.2, "6-11": 0.25, "12-14": 0.15, "14": 0.02, "15-17": 0.1},
}
"""Age bands of children (P)."""
URGENCY: Mapping[str, float] = {"emergency": 0.12, "urgent": 0.48, "routine": 0.4}
LANGUAGES: Mapping[str, float] = {"sq": 0.86, "sr-Latn": 0.06, "rom": 0.04, "tr": 0.02, "bs": 0.01, "other": 0.01}
FOREIGN: Mapping[str, float] = {"trafficking-child": 0.25, "trafficking-adult": 0.4, "unaccompanied-child": 0.98}
"""Share of people from abroad (P); else 0.03."""
ASYLUM: Mapping[str, float] = {"not-claimed": 0.75, "claimed": 0.2, "unknown": 0.05}
FLAGS: Mapping[str, float] = {
    "unaccompanied": 0.05, "siblings": 0.1, "disability": 0.06, "needs-interpreter": 0.04, "workplace": 0.4, "danger": 0.1, "crime": 0.05,
    "injured": 0.15, "suspect-at-home": 0.6, "suspect-is-parent": 0.3, "self-harm": 0.03, "marriage": 0.01, "abroad-soon": 0.01,
    "at-school": 0.08, "contact-recent": 0.4, "online": 0.25,
    "age-doubt": 0.1,
    "in-custody": 0.25, "in-hospital": 0.2, "care-question": 0.15, "benefit-question": 0.15, "advocate-first": 0.2, "has-dependants": 0.15,
}  # fmt: skip
"""Chance of a circumstance (P); else 2 in 1000: signs of exploitation are rare."""
CONSENT: Mapping[str, float] = {"GIVEN": 0.72, "NOT_ASKED": 0.2, "REFUSED": 0.04, "": 0.04}
WITHDRAWS, EXCLUDES, CHANGES = 0.02, 0.01, 0.04
"""Chances of a later event (P): consent is withdrawn, a relative is excluded, traits change, each within about a fortnight."""

SILENT, UNREACHED = 0.08, 0.02
"""Chances at each rung (P): nobody answers, nobody can be reached at all."""
DECLINES: Mapping[str, float] = {"police-thbs": 0.02, "social-worker": 0.03, "prosecutor": 0.02, "court": 0.01, "judge": 0.01}
"""Chance that an agency declines what it may decline (P); else 0.1."""
REASONS: Mapping[str, float] = {
    "NO_CAPACITY": 6, "OUT_OF_AREA": 3, "OUT_OF_MANDATE": 2, "PERSON_DECLINED": 2, "LANGUAGE_NOT_AVAILABLE": 1, "MISSING_INFORMATION": 1,
}  # fmt: skip
"""Weight of a reason (P); else 0.4."""
HOLDS, RETURNS = 0.05, 0.015
SEES: Mapping[str, int] = {
    "police-thbs": 5 * MINUTE_US, "police": 5 * MINUTE_US, "social-worker": 12 * MINUTE_US,
    "victim-advocate": 10 * MINUTE_US, "prosecutor": 3 * HOUR_US,
    "health-house": 15 * MINUTE_US, "hospital": 15 * MINUTE_US, "court": 18 * HOUR_US, "judge": 6 * HOUR_US,
    "school": 5 * HOUR_US, "probation": 6 * HOUR_US, "guardianship-authority": 20 * MINUTE_US, "police-border": 5 * MINUTE_US,
    "police-child": 30 * MINUTE_US, "police-cyber": 40 * MINUTE_US, "forensic-medicine": 30 * MINUTE_US, "psychologist": 6 * HOUR_US,
    "education-inspectorate": 10 * HOUR_US, "interpreter": 10 * MINUTE_US,
    "education-directorate": 10 * HOUR_US, "labour-inspector": 5 * HOUR_US, "iom": 4 * HOUR_US, "child-rights-coordinator": 4 * HOUR_US,
    "disability-centre": 9 * HOUR_US, "disability-mobile-team": 12 * HOUR_US, "rights-team": 5 * HOUR_US, "day-support": 3 * HOUR_US,
}  # fmt: skip
"""Median time until the offer has been read (P); else 10 minutes. Accepting takes as long again."""
ROUTINE = 3
"""Factor of that time for routine cases (P)."""
COMES = 90 * MINUTE_US
"""Median time from accepting until somebody is present, or a person has arrived (P)."""
DECIDES: Mapping[str, int] = {"police": 45 * MINUTE_US, "police-thbs": 3 * HOUR_US, "rights-team": 7 * HOUR_US, "judge": 3 * DAY_US,
    "court": DAY_US, "guardianship-authority": 4 * HOUR_US,
}  # fmt: skip
"""Median time of a decision, by role (P); else 5 hours."""
COMPLETES: Mapping[str, int] = {
    "health-house": 5 * HOUR_US, "hospital": 8 * HOUR_US, "prosecutor": 26 * HOUR_US, "social-worker": 4 * DAY_US,
    "school": 5 * DAY_US, "court": 9 * DAY_US,
    "probation": 8 * DAY_US, "labour-inspector": 20 * HOUR_US, "disability-centre": 5 * DAY_US, "rights-team": 12 * DAY_US,
    "iom": 6 * DAY_US,
    "round-table": 4 * DAY_US, "visits": DAY_US, "child-told": DAY_US, "travel-stop": 2 * HOUR_US, "health-now": 2 * HOUR_US,
    "planning": 2 * DAY_US, "interview": 6 * DAY_US, "judge-hearing": 8 * DAY_US, "not-left-alone": 2 * HOUR_US, "out-tonight": HOUR_US,
    "suspect-told": 8 * HOUR_US, "order-told": 8 * HOUR_US, "longer-told": 8 * HOUR_US, "forensic-exam": 5 * HOUR_US,
    "device": 12 * HOUR_US, "therapy": 120 * DAY_US,
    "return-talk": 14 * HOUR_US, "search-round": 2 * HOUR_US, "assessment": 5 * DAY_US, "asylum-request": 150 * DAY_US,
    "tracing-search": 50 * DAY_US, "home-look": 20 * DAY_US, "travel": 15 * DAY_US,
    "parents": HOUR_US, "execution": 90 * DAY_US, "institution-answer": 18 * DAY_US, "monitoring": 3 * DAY_US, "hospital-days": 6 * DAY_US,
}  # fmt: skip
"""Median time until the work is done, by step or role (P); else 2 days."""
STAYS = 35 * DAY_US
"""Median stay in a place (P)."""
CODES: Mapping[str, float] = {
    "reconciliation": 90, "school-attendance": 80, "community-work": 60, "warning": 87, "compensation": 20, "job-training": 10,
    "counselling": 30, "keep-away": 10,  # D: 387 diverted; how they divide P
    "proceed": 276, "no-case": 20, "reprimand": 60, "supervision-parent": 120, "supervision-family": 5, "supervision-authority": 50,
    "educational-institution": 8, "special-care": 2,  # D: 245 educational measures; how they divide P
    "community-service": 31, "fine": 5, "juvenile-imprisonment": 3, "no-measure": 8,  # D; the others P
    "LOW": 0.4, "MEDIUM": 0.42, "HIGH": 0.18, "csw-guardian": 0.65, "relative": 0.25, "parent": 0.1, "agree": 0.8, "refuse": 0.2,
    "stay": 0.7, "move": 0.3, "leave": 0.7, "remain": 0.3, "return": 0.3, "third-country": 0.05, "fulfilled": 0.9, "failed": 0.1,
    "not-exploited": 0.994, "exploited": 0.006, "no-signs": 0.9, "neglected": 0.05, "working": 0.03, "fourteen-or-over": 0.93,
    "under-14": 0.07, "released": 0.9, "before-judge": 0.1, "continue": 0.5, "change-place": 0.05, "end-care": 0.45, "no-placement": 0.55,
    "no-urgency": 0.7, "measure-asked": 0.3,
    "stays-protected": 0.5, "suspect-out": 0.25, "kin-agreed": 0.1, "safety-72": 0.1, "ask-court-first": 0.05, "all-seen": 0.6,
    "none-other": 0.3, "not-all-seen": 0.1, "granted": 0.85, "refused": 0.15, "ask-return": 0.4, "not-yet": 0.2, "other-care": 0.1,
    "goals-met": 0.75, "adult-with-plan": 0.02, "moved-and-handed-over": 0.03, "ask-longer": 0.2, "custody": 0.4, "assessment-21": 0.3,
    "found-well": 0.9, "found-hurt": 0.06, "found-abroad": 0.035, "dead": 0.005, "told": 0.85, "not-told-would-harm": 0.1,
    "no-carers": 0.05, "nothing-to-fear": 0.55, "harmed-there": 0.2, "child-said-no": 0.25,
    "back-to-care": 0.1, "stays-here": 0.2, "brought-back": 0.7,
    "protected-there": 0.3, "outside-guardian": 0.75, "is-child": 0.6, "is-adult": 0.1, "not-settled": 0.3, "claims-asylum": 0.45,
    "in-five-days": 0.3, "when-not-known": 0.2, "longer-ago": 0.3, "no-touch": 0.2, "medicine-given": 0.4, "no-medicine-needed": 0.45,
    "child-says-no": 0.15, "no-sign": 0.75, "sign": 0.15, "not-asked": 0.1, "by-advocate": 0.7, "by-lawyer": 0.3, "police-order": 0.25,
    "ask-court": 0.25, "held-by-police": 0.3, "not-known-who": 0.15, "carer-protects": 0.6, "carer-not-sure": 0.25, "no-carer": 0.15,
    "forensic-asked": 0.35, "forensic-not-needed": 0.65, "authorised": 0.9, "judge-hears": 0.35, "two-steps": 0.5, "no-interview": 0.15,
    "enough": 0.7, "second-needed": 0.3, "suspect-held": 0.1, "suspect-released": 0.1, "suspect-charged": 0.1, "no-charge": 0.1,
    "trial-over": 0.1, "no-news": 0.5,
    "no-asylum": 0.25, "not-ready": 0.3, "trace": 0.5, "do-not-trace": 0.5, "look-again": 0.2,
}  # fmt: skip
"""Weight of a decision's code beside the other codes of its step (P where not D); else 0.5."""
DESK = 40 * MINUTE_US
"""Median time until a desk has acted on a task (P)."""
CONFIRMS = 0.9
"""Chance that a desk confirms a change that one party has recorded (P)."""
OBTAINS = 0.8
"""Chance that a desk which asks for consent gets it (P)."""
