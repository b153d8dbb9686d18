"""What an operator sees: metrics, readiness and logs. Nothing here may say anything about a person."""

from __future__ import annotations

import logging
import re
import sys
from collections.abc import Callable, Mapping, MutableMapping
from typing import Any

import structlog
from prometheus_client import Counter, Gauge, Histogram

from referral.errors import Misfit, NewerVersion, Rejected

RECORDS_IN = Counter("referral_records_in", "Records, queue rows and alarms handled.", ["service", "topic"])
"""Worry when it stands still while lag grows."""
RECORDS_OUT = Counter("referral_records_out", "Events published.", ["service"])
"""Worry when it stands still while records come in."""
LAG = Gauge("referral_lag", "Records of a partition that are not handled yet.", ["service", "topic", "partition"])
"""Worry above 1000 for a minute: decisions are late."""
BATCH_SECONDS = Histogram("referral_batch_seconds", "One turn of the loop: handle, commit, publish.", ["service", "stage"])
"""Worry when handle or commit passes 5 s: a lease lasts 10 s."""
OUTBOX_AGE = Gauge("referral_outbox_age_seconds", "Age of the oldest thing that was taken and is not on its topic.", ["service"])
"""Worry above 30 s: the broker does not take what is committed."""
ALARMS_OVERDUE = Gauge("referral_alarms_overdue", "Due alarms that still wait for their inputs, or for their turn.", ["service"])
"""Worry above 0 for two minutes: deadlines pass and nobody is woken."""
QUARANTINED = Counter("referral_quarantined", "Records that could not be understood.", ["service", "reason"])
"""Worry at the first: somebody sent what no program of ours sends, or a deploy is bad."""
LOST = Counter("referral_records_lost", "Gaps in a case's sequence.", ["service", "topic"])
"""Worry at the first: a record is missing; the case stands at its desk."""
FORKS = Counter("referral_forks", "The same sequence with other bytes; nothing of it was applied.", ["service", "topic"])
"""Worry at the first, at once: two writers, or somebody tampers."""
FOREIGN = Counter("referral_foreign", "Records on the service's own topic that it did not write.", ["service", "topic"])
"""Worry at the first, at once: somebody else writes there. `referral doctor` names the record; do not `recover`."""
REPEATS = Counter("referral_repeats", "Records that came again and were dropped.", ["service", "topic"])
"""Do not worry: each crash repeats a few."""
REWOUND = Gauge("referral_units_stopped", "Units that do not go on, by cause.", ["service", "cause"])
"""Worry above 0, at once: `rewound` needs `referral recover`."""
OWNED = Gauge("referral_units_owned", "Units that this instance owns.", ["service"])
"""Worry when the sum over the instances is below the number of units for 30 s."""
FENCED = Counter("referral_fenced", "Times that another instance had taken over.", ["service"])
"""Worry when it grows by the minute: instances stall for longer than a lease."""
POLICY_PASSED_OVER = Counter("referral_policy_passed_over", "Records of referral-policy that are no bundle in force.", ["reason"])
"""Worry at the first: somebody else writes there. The policy in force stays."""
SIGNINS = Counter("referral_signins", "Sign-ins of people, by result: in, out, refused, throttled.", ["service", "result"])
"""Worry when `refused` or `throttled` grows by the minute: somebody guesses."""
ERASED = Counter("referral_erased_dropped", "Events for a case whose key is destroyed; not published.", ["service"])
"""Worry when no case was erased lately."""

# The only fields a log line may have; any other is dropped, so that nobody's facts can get in by an oversight.
# fmt: off
ALLOWED = frozenset(
    {
        "event", "level", "timestamp", "service", "instance", "unit", "topic", "partition", "offset", "seq",
        "case_id", "event_id", "cause_id", "epoch", "reason", "kind", "count", "seconds", "port", "where",
        "hint", "code", "number", "digest", "attempt", "status", "method", "route", "channel", "delivery_id",
        "offer_id", "agency", "account", "place",
    }
)
# fmt: on


def allow(_: Any, __: str, fields: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    """Drop what is not allow-listed; of an exception keep its class only, because its text may quote what was sent."""
    error = fields.pop("exc_info", None)
    if isinstance(error, BaseException):
        fields["kind"] = type(error).__name__
    return {name: value for name, value in fields.items() if name in ALLOWED}


def signed(service: str, result: str, account: str, place: str = "") -> None:
    """Log and count what became of a sign-in. account: an account's id or an office; empty where nobody is known. place: a keyed digest."""
    SIGNINS.labels(service, result).inc()
    log().info("sign-in", service=service, reason=result, account=account, place=place)


def configure() -> None:
    """Logs as JSON lines on stderr; libraries only from WARNING, by class and logger and without the values in their text."""
    structlog.configure(
        processors=[
            structlog.processors.add_log_level,
            allow,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.processors.JSONRenderer(),
        ],
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
        cache_logger_on_first_use=True,
    )
    logging.basicConfig(handlers=[_Quiet()], level=logging.WARNING, force=True)
    sys.excepthook = died


AGAIN_S = 10.0
"""Seconds until the same line of a library is said again: a client whose broker is away has warned 160 times a second (measured)."""


PASSING = frozenset({"Group Coordinator Request failed: %s", "Marking the coordinator dead (node %s)for group %s."})
"""Texts of aiokafka beside a broker that has just started (a second). They are logged if they come again AGAIN_S later."""


class _Quiet(logging.Handler):
    """A library's warning: which logger and line, and its text without values, which may be about a person."""

    def __init__(self) -> None:
        super().__init__()
        self._said: dict[tuple[str, str], float] = {}

    def emit(self, record: logging.LogRecord) -> None:
        kind = record.exc_info[0].__name__ if record.exc_info and record.exc_info[0] else record.levelname
        where = f"{record.name}:{record.lineno}"
        if record.msg in PASSING and (where, kind) not in self._said:
            self._said[where, kind] = record.created
        if record.created >= self._said.get((where, kind), 0.0) + AGAIN_S:
            self._said[where, kind] = record.created
            log().warning("library", where=where, kind=kind, hint=plain(record))


TEXT = 120
"""Characters of a library's text (ours)."""
_VALUE = re.compile(r"""'[^']*'|"[^"]*"|<[^>]*>?|(?<!\S)(?!\S*%)\S*(?:[0-9@/\\=]|:\S)\S*""")
"""What may be a value where a library has put its text together itself: quoted, in brackets, or a word with a digit, address or path."""


def plain(record: logging.LogRecord) -> str:
    """A library's text as it stands in its source: the template without its arguments, its first line, and nothing that may be a value."""
    template = record.msg if isinstance(record.msg, str) else type(record.msg).__name__
    first = template.split("\n", 1)[0]
    return _VALUE.sub("…", first)[:TEXT]


def where(error: BaseException | None) -> str:
    """file:line of the innermost frame, ours or a library's; never the text, which may quote what was sent."""
    trace = error.__traceback__ if error else None
    while trace is not None and trace.tb_next is not None:
        trace = trace.tb_next
    return "" if trace is None else f"{trace.tb_frame.f_code.co_filename.rpartition('/')[2]}:{trace.tb_lineno}"


def died(kind: type[BaseException], error: BaseException, _: object) -> None:
    """The process's last words, instead of a traceback: a database's exception quotes rows. Of our own ones the text is for operators."""
    hint = str(error) if kind in (Rejected, Misfit, NewerVersion) else ""
    log().critical("died", kind=kind.__name__, where=where(error), hint=hint)


def log() -> Any:
    """The structured logger."""
    return structlog.get_logger()


class Health:
    """Readiness: ready when nothing speaks against it. also: asked for what the service itself has against it."""

    def __init__(self, also: Callable[[], Mapping[str, str]] = dict) -> None:
        self._against: dict[str, str] = {"start": "starting"}
        self._also = also

    def red(self, what: str, why: str) -> None:
        """Something speaks against it now. what: a word; why: what an operator can do."""
        if self._against.get(what) != why:
            log().warning("not ready", reason=what, hint=why)
        self._against[what] = why

    def green(self, what: str) -> None:
        if self._against.pop(what, None):
            log().info("ready again", reason=what)

    def against(self) -> dict[str, str]:
        return {**self._against, **self._also()}
