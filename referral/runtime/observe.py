"""Metrics, readiness and logs for operators. None of them may contain anything about a person."""

from __future__ import annotations

import logging
import re
import sys
import time
from collections.abc import Callable, Mapping, MutableMapping
from typing import Any

import structlog
from prometheus_client import Counter, Gauge, Histogram

from referral.errors import Misconfigured, NewerVersion, Rejected

RECORDS_IN = Counter("referral_records_in", "Records, queue rows and alarms handled.", ["service", "topic"])
"""Worry when it does not grow while lag grows."""
RECORDS_OUT = Counter("referral_records_out", "Events published.", ["service"])
"""Worry when it does not grow while records come in."""
LAG = Gauge("referral_lag", "Records of a partition that are not handled yet.", ["service", "topic", "partition"])
"""Worry above 1000 for a minute: decisions are late."""
BATCH_SECONDS = Histogram("referral_batch_seconds", "One turn of the loop: handle, commit, publish.", ["service", "stage"])
"""Worry when handle or commit passes 5 s: a lease lasts 10 s."""
OUTBOX_AGE = Gauge("referral_outbox_age_seconds", "Age of the oldest thing that was taken and is not on its topic.", ["service"])
"""Worry above 30 s: the broker does not accept the committed events."""
ALARMS_OVERDUE = Gauge("referral_alarms_overdue", "Due alarms that still wait for their inputs, or for their turn.", ["service"])
"""Worry above 0 for two minutes: deadlines pass without a decision."""
QUARANTINED = Counter("referral_quarantined", "Records that could not be understood.", ["service", "reason"])
"""Worry at the first: a record that no program of ours sends, or a bad deploy."""
LOST = Counter("referral_records_lost", "Gaps in a case's sequence.", ["service", "topic"])
"""Worry at the first: a record is missing; the case waits at its desk."""
FORKS = Counter("referral_forks", "The same sequence with other bytes; nothing of it was applied.", ["service", "topic"])
"""Worry at the first, at once: a second writer, or tampering."""
FOREIGN = Counter("referral_foreign", "Records on the service's own topic that it did not write.", ["service", "topic"])
"""Worry at the first, at once: another program writes to the topic. `referral doctor` names the record; do not `recover`."""
REPEATS = Counter("referral_repeats", "Records that came again and were dropped.", ["service", "topic"])
"""Do not worry: each crash repeats a few."""
REWOUND = Gauge("referral_units_stopped", "Units that do not go on, by cause.", ["service", "cause"])
"""Worry above 0, at once: `rewound` needs `referral recover`."""
OWNED = Gauge("referral_units_owned", "Units that this instance owns.", ["service"])
"""Worry when the sum over the instances is below the number of units for 30 s."""
FENCED = Counter("referral_fenced", "Times that another instance had taken over.", ["service"])
"""Worry when it grows by the minute: instances stall for longer than a lease."""
POLICY_PASSED_OVER = Counter("referral_policy_passed_over", "Records of referral-policy that are no bundle in force.", ["reason"])
"""Worry at the first: another program writes to the topic. The policy in force stays."""
SIGNINS = Counter("referral_signins", "Sign-ins of people, by result: in, out, refused, throttled.", ["service", "result"])
"""Worry when `refused` or `throttled` grows by the minute: somebody guesses passwords."""
ERASED = Counter("referral_erased_dropped", "Events for a case whose key is destroyed; not published.", ["service"])
"""Worry when no case was erased lately."""
TURNED_AWAY = Counter("referral_turned_away", "Connections not taken and requests refused, for coming too often.", ["what"])
"""Worry above 100 in ten minutes: somebody floods a door; no other network is refused for it."""
NOT_READY = Gauge("referral_not_ready", "1 for each word of /readyz that stands.", ["service", "word"])
"""Worry when one stands for two minutes: the word says what to do."""
CERTIFICATE_ENDS = Gauge("referral_certificate_ends_seconds", "Time until the first end of what a file holds.", ["service", "file"])
"""Worry below two days for identity.pem, and below thirty for revoked.pem: nobody is believed after its end."""
CLOCK_AHEAD = Gauge("referral_clock_ahead_seconds", "How far this machine's clock is ahead of the database's.", ["service"])
"""Worry above 5 or below -5: one of the two machines has a wrong clock."""

# The only fields that a log line may have; any other is dropped, so that no fact about a person gets into the log by mistake.
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
    """Drop every field that is not in ALLOWED. Log only the class of an exception, because its text may quote received data."""
    error = fields.pop("exc_info", None)
    if isinstance(error, BaseException):
        fields["kind"] = type(error).__name__
    return {name: value for name, value in fields.items() if name in ALLOWED}


def signed(service: str, result: str, account: str, place: str = "") -> None:
    """Log and count the result of a sign-in.

    service: the service's name.
    result: in, out, refused or throttled.
    account: an account's id or an office; empty when it is not known.
    place: a keyed digest of the client's address.
    """
    SIGNINS.labels(service, result).inc()
    log().info("sign-in", service=service, reason=result, account=account, place=place)


def configure() -> None:
    """Configure logs: JSON lines on stderr; libraries only from WARNING, with class and logger and without the values in their text."""
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
"""Seconds before the same line of a library is logged again: a client whose broker was away warned 160 times a second (measured)."""


PASSING = frozenset({"Group Coordinator Request failed: %s", "Marking the coordinator dead (node %s)for group %s."})
"""Warnings of aiokafka in the first second of a new broker. They are logged only if they come again AGAIN_S later."""


class _Quiet(logging.Handler):
    """Log a library's warning with its logger and line, and its text without values, which may be about a person."""

    def __init__(self) -> None:
        super().__init__()
        self._logged: dict[tuple[str, str], float] = {}

    def emit(self, record: logging.LogRecord) -> None:
        kind = record.exc_info[0].__name__ if record.exc_info and record.exc_info[0] else record.levelname
        where = f"{record.name}:{record.lineno}"
        if record.msg in PASSING and (where, kind) not in self._logged:
            self._logged[where, kind] = record.created
        if record.created >= self._logged.get((where, kind), 0.0) + AGAIN_S:
            self._logged[where, kind] = record.created
            log().warning("library", where=where, kind=kind, hint=plain(record))


TEXT = 120
"""Longest logged text of a library, in characters (ours)."""
_VALUE = re.compile(r"""'[^']*'|"[^"]*"|<[^>]*>?|(?<!\S)(?!\S*%)\S*(?:[0-9@/\\=]|:\S)\S*""")
"""Parts of a library's text that may be a value: quoted, in brackets, or a word with a digit, an address or a path."""


def plain(record: logging.LogRecord) -> str:
    """Return a library's text without values: the first line of the template, its arguments left out, possible values replaced by `…`."""
    template = record.msg if isinstance(record.msg, str) else type(record.msg).__name__
    first = template.split("\n", 1)[0]
    return _VALUE.sub("…", first)[:TEXT]


def where(error: BaseException | None) -> str:
    """Return file:line of the innermost frame, ours or a library's; never the error's text, which may quote received data."""
    trace = error.__traceback__ if error else None
    while trace is not None and trace.tb_next is not None:
        trace = trace.tb_next
    return "" if trace is None else f"{trace.tb_frame.f_code.co_filename.rpartition('/')[2]}:{trace.tb_lineno}"


def died(kind: type[BaseException], error: BaseException, _: object) -> None:
    """Log why the process dies, in place of a traceback, because a database's exception quotes rows.

    The text is logged only for our own exceptions that are written for operators.
    """
    hint = str(error) if kind in (Rejected, Misconfigured, NewerVersion) else ""
    log().critical("died", kind=kind.__name__, where=where(error), hint=hint)


def log() -> Any:
    """Return the structured logger."""
    return structlog.get_logger()


STANDS_S = 120.0
"""Seconds without a turn of the loop after which the process counts as stuck (ours): more than twice the longest turn, 45 s."""


OUTSIDE = frozenset({"knocks-late", "knocks-paused", "cap-reached", "channel-away"})
"""Words of /readyz about what is outside the process: it has started, its doors take replies, receipts and answers as before, and another
start would cut calls that ring. An operator reads them; no supervisor and no load balancer acts on them."""


class Health:
    """Readiness: the service is ready when there is no reason why not. also: returns the service's own reasons."""

    def __init__(self, also: Callable[[], Mapping[str, str]] = dict, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._not_ready: dict[str, str] = {"start": "starting"}
        self._also, self._monotonic = also, monotonic
        self._turned: float | None = None
        self._told: frozenset[str] = frozenset()

    def turned(self) -> None:
        """Note that the loop has come round, also if only to find a server away."""
        self._turned = self._monotonic()

    def stands(self) -> bool:
        """Return whether the loop has not come round for STANDS_S: a restart is the way out. A process without a loop never stands."""
        return self._turned is not None and self._monotonic() - self._turned > STANDS_S

    def red(self, what: str, why: str) -> None:
        """Add a reason for not being ready. what: its word; why: what an operator can do."""
        if self._not_ready.get(what) != why:
            log().warning("not ready", reason=what, hint=why)
        self._not_ready[what] = why

    def green(self, what: str) -> None:
        """Remove a reason."""
        if self._not_ready.pop(what, None):
            log().info("ready again", reason=what)

    def not_ready(self) -> dict[str, str]:
        """Return the reasons for not being ready: word → what an operator can do. The service's own are logged as they come and go."""
        also = self._also()
        for word in sorted(also.keys() - self._told):
            log().warning("not ready", reason=word, hint=also[word])
        for word in sorted(self._told - also.keys()):
            log().info("ready again", reason=word)
        self._told = frozenset(also)
        return {**self._not_ready, **also}
