"""Verify a whole archive: checkpoint, tree, payloads, order, and every decision re-executed, on as many cores as requested."""

from __future__ import annotations

from collections.abc import Hashable, Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path

from msgspec import Struct, structs
from rich.progress import Progress

from referral.domain.events import Leaf
from referral.domain.inputs import ROSTER_BOOK
from referral.errors import Malformed, NewerVersion
from referral.parallel import Advance, shared
from referral.proof import archive
from referral.proof.act import Act
from referral.proof.archive import Archive, Joined, Trusted
from referral.proof.audit import frozen
from referral.proof.audit.frozen import FrozenEngines
from referral.proof.audit.spool import BUCKETS, Spool, cases, entries_of, every_decided, put_decided, put_results
from referral.proof.audit.state import State, Whole, policy, program, write
from referral.proof.entry import Entry, Kind, digest
from referral.proof.forgeries import TORN
from referral.proof.history.case import Read
from referral.proof.scan import START, Ended, before, walk
from referral.proof.unlogged import read_book
from referral.proof.verify import omissions
from referral.proof.verify.kept import Header, Lasting, encoded, fingerprint
from referral.proof.verify.log import Cases, Judge, Verification
from referral.proof.verify.report import Finding, Report, Weight, finding
from referral.tlog import merkle, tiles
from referral.tlog.merkle import Nodes
from referral.tlog.tile_layout import FULL
from referral.wire import leaf as wire
from referral.wire.signed import trust_lines

ALWAYS = frozenset({Kind.POLICY, Kind.QUARANTINE, Kind.KEYS})
"""Kinds that are read below an older checkpoint too: decisions are judged by them, and the policy file is compared with them."""


class VerifyOptions(Struct, frozen=True, kw_only=True):
    """Options of a verification. keys: case id → case key. pinned: the auditor's own witness policy. since: bytes of an older checkpoint.

    state: the file of the state that was kept with that checkpoint; None: there is none. keep: where to write the state of this log; None:
    nowhere. jobs: number of processes.
    max_age: seconds within which a quorum must have seen the log, before `now` (Unix seconds); None: any age is accepted.
    """

    keys: Mapping[str, bytes]
    pinned: bytes | None = None
    since: bytes | None = None
    state: Path | None = None
    keep: Path | None = None
    jobs: int = 1
    max_age: int | None = None
    now: int = 0


class Verdict(Struct, frozen=True):
    """The result. published: the accepted checkpoint, if any. size: number of entries examined.

    acts, book: of the operators, and the records of the roster's book that its key opens; None: not all entries were read.
    whole: why the whole log was verified although a state was given; empty: it was used. resumed: it was.
    """

    report: Report
    published: Trusted | None
    size: int = 0
    acts: Sequence[Act] = ()
    book: Sequence[Read] | None = None
    whole: str = ""
    resumed: bool = False


class LogHeads(Struct, frozen=True):
    """The heads of the walk: size and root of everything stored; the edge at an older checkpoint that an earlier run verified.

    seen: Unix seconds at which a quorum had signed, and the number of entries that it signed.
    """

    size: int
    root: bytes
    nodes: Nodes
    since: tiles.Edge
    seen: tuple[int | None, int]


class Part(Struct):
    """The result for some cases. once: single-use signature or number → the event that holds it."""

    report: Report
    once: list[tuple[Hashable, str]]


def judge(there: Archive, options: VerifyOptions, bar: Progress) -> Verdict:
    """Verify everything that the request covers."""
    report = Report()
    try:
        published = archive.trusted(there, options.pinned)
    except Malformed as error:
        report.add_finding(_about_log(Weight.BAD, _refused(error), str(error)))
        return Verdict(report, None)
    if published and options.max_age is not None and (why := published.accepted.old(options.now, options.max_age)):
        report.add_finding(_about_log(Weight.UNCHECKED, "STALE", f"the log may stand still: {why}"))
    older, why = None, ""
    try:
        heads = _log_heads(there, published, options, report)
        if options.state is not None:
            older, why, passed = _resumed(there, heads, options, bar)
            if older is not None:
                report.add(older)
                acts, book = passed
            else:
                heads = structs.replace(heads, since=START)
        if older is None:
            with Spool() as spool:
                acts, book = _verify_entries(there, heads, options, report, spool, bar)
    except Ended:
        return Verdict(report, published, whole=why)
    # After the walk, which has compared these hashes with the entries.
    if published and merkle.root(heads.nodes, published.size) != published.root:
        report.add_finding(
            _about_log(Weight.BAD, "FORKED", f"the first {published.size} entries make another root than the published checkpoint")
        )
    light = options.since is not None and options.state is None
    return Verdict(report, published, heads.size, acts, None if light or older else book, why, older is not None)


def _resumed(
    there: Archive, heads: LogHeads, options: VerifyOptions, bar: Progress
) -> tuple[Report | None, str, tuple[Sequence[Act], list[Read]]]:
    """Verify from the state of an older checkpoint on, into a report of its own; None: it cannot be used, and why."""
    report, nothing = Report(), (tuple[Act](), list[Read]())
    assert options.state is not None and options.since is not None
    older = archive.accepted(options.since, archive.rules(there, options.pinned))
    try:
        with State(options.state, there, heads.since, heads.size) as state, Spool() as spool:
            state.bound(older, options.pinned, heads.seen[0])
            return report, "", _verify_entries(there, heads, options, report, spool, bar, state)
    except Whole as why:
        return None, str(why), nothing
    except Ended:
        return None, "an entry after it does not fit into the tree", nothing


def _log_heads(there: Archive, published: Trusted | None, options: VerifyOptions, report: Report) -> LogHeads:
    """Compare the heads with one another. Ended."""
    try:
        size, root = archive.head(there, published)
        nodes, since = archive.nodes(there, size), START
        if published is None:
            weight = Weight.NOTE if options.pinned is None and there.read(archive.POLICY) is None else Weight.UNCHECKED
            report.add_finding(
                _about_log(weight, "NO_CHECKPOINT", "no checkpoint with a quorum of witnesses is there: nobody vouches for the log")
            )
        elif published.size > size:
            raise _Bad("TRUNCATED", f"{published.size} entries are signed and witnessed, {size} are there")
        elif published.size == size and published.root != root:
            raise _Bad("FORKED", "the published checkpoint has another root than the log at the same size")
        elif size > published.size:
            what = f"{size - published.size} entries stand above the published checkpoint: nobody but the log vouches for them yet"
            report.add_finding(_about_log(Weight.NOTE, "ABOVE", what))
        if options.since is not None:
            since = _since(there, options, published, size, root)
    except _Bad as bad:
        report.add_finding(_about_log(Weight.BAD, bad.code, bad.what))
        raise Ended from None
    except Malformed as error:
        report.add_finding(
            Finding(weight=Weight.BAD, code=error.reason.upper(), idx=getattr(error, "leaf", None), where="log", what=str(error))
        )
        raise Ended from None
    return LogHeads(size, root, nodes, since, (published.accepted.seen, published.size) if published else (None, 0))


class _Bad(Exception):
    def __init__(self, code: str, what: str) -> None:
        super().__init__(what)
        self.code, self.what = code, what


def _refused(error: Malformed) -> str:
    """Return the code of a checkpoint that is not accepted."""
    return error.reason.upper() if error.reason in ("quorum", "signature") else "CHECKPOINT"


def _since(there: Archive, options: VerifyOptions, published: Trusted | None, size: int, root: bytes) -> tiles.Edge:
    """Return the edge at the older checkpoint, which the tree must continue. size, root: of everything stored. Malformed."""
    try:
        old = archive.accepted(options.since or b"", archive.rules(there, options.pinned))
    except Malformed as error:
        raise _Bad(_refused(error), f"the older checkpoint: {error}") from None
    if published and old.origin != published.accepted.checkpoint.origin:
        raise _Bad("CHECKPOINT", f"the older checkpoint is of another log, {old.origin}")
    if old.size > (published.size if published else size):
        raise _Bad("TRUNCATED", f"an older checkpoint has {old.size} entries, the log's has fewer")
    edge = archive.edge(there, old.size, size)
    if edge.root == old.root:
        return edge
    if old.size:
        try:
            proof = merkle.consistency(archive.nodes(there, size), old.size, size)
            merkle.check_consistency(old.size, size, proof, edge.root, root)
        except Malformed as error:
            raise _Bad("TILE", f"a tile is damaged: those of the older checkpoint's edge do not make the log's root ({error})") from None
    raise _Bad("FORKED", f"the log does not continue the older checkpoint: its first {old.size} entries have another root")


def _verify_entries(
    there: Archive, heads: LogHeads, options: VerifyOptions, report: Report, spool: Spool, bar: Progress, state: State | None = None
) -> tuple[Sequence[Act], list[Read]]:
    """Run both passes, and return the operators' acts and the roster's book.

    If sequences are torn, repeat the first pass with the verdict on the genuine records. Ended.
    """
    task = bar.add_task("entries hashed", total=heads.size)
    touched = set() if state else _touched(there, heads, report)
    torn, repeated = set[str](), dict[str, Entry]()
    pinned = options.pinned or b""
    begun = partial(
        Verification,
        options.keys,
        seen=heads.seen[0],
        size=heads.seen[1],
        erasers=trust_lines.erasers(pinned),
        signers=trust_lines.policy_keepers(pinned),
        writers=trust_lines.writers(pinned),
        operators=trust_lines.operators(pinned),
    )
    proof = begun(())
    if state:
        state.resume(proof, repeated)
    try:
        for joined, proven in _entries(there, heads, touched, proof.report, resumed=state is not None):
            entry = joined.entry
            _take(proof, joined, proven)
            if path := archive.export_path(entry):
                repeated[path] = entry
            if entry.case_id and proven:
                spool.put(entry)
                if entry.kind in TORN:
                    torn.add(entry.case_id)
            if state:
                state.look(entry)
            if entry.idx % FULL == FULL - 1:
                bar.advance(task, FULL)
        bar.update(task, completed=heads.size)
        if state:
            state.fetch(options.keys, proof, spool)
        torn = torn.union(proof.unwritten.values()) - {""}
        if torn and not state:
            spool.close()
            proof = begun(entries_of(spool.folder, torn), unwritten=proof.unwritten)
            for joined, proven in _entries(there, heads, touched, proof.report):
                _take(proof, joined, proven)
        first = proof.kept() if options.keep else {}
        proof.taken()
        _check_repeated_files(there, repeated, proof.report)
    except Ended:
        report.add(proof.report)
        raise
    known = proof.cases()
    if state:
        state.compare(known, proof, spool)
    spool.close()
    report.add(proof.report)
    task = bar.add_task("cases decided again", total=BUCKETS)
    if state:
        state.reused(report)
    for part in _parts(spool.folder, known, options.jobs, lambda steps: bar.advance(task, steps)):
        report.add(part.report)
        if state:
            state.once(part.once)
    omissions.settle(report)
    bar.update(task, completed=BUCKETS)  # in a small log most buckets are empty
    proof.sweep(state.merged(every_decided(spool.folder)) if state else every_decided(spool.folder), report)
    if options.keep:
        header = Header(
            size=heads.size,
            root=heads.root,
            policy=policy(options.pinned),
            program=program(),
            seen=heads.seen[0],
            drill=known.drill,
            engines=frozen.named(known.activated),
            torn=frozenset(torn | (state.head.torn if state else set())),
            broken=known.broken,
            lost=known.lost,
            disowned=known.disowned,
            repeated={path: structs.replace(entry, value=b"") for path, entry in repeated.items()},
            first=first,
        )
        write(options.keep, header, spool.folder, state)
    book = (known.judged.corrected(entry) for entry in entries_of(spool.folder, {ROSTER_BOOK}))
    return proof.acts, read_book((entry for entry in book if entry.idx not in known.judged.forged), options.keys.get(ROSTER_BOOK))


def _check_repeated_files(there: Archive, repeated: Mapping[str, Entry], report: Report) -> None:
    """Check the files of an export that repeat the content of an entry."""
    for path, entry in repeated.items():
        data = there.read(path)
        if data is not None and digest(data) != entry.sha256:
            report.add_finding(finding(Weight.BAD, "FILE_DIFFERS", entry, f"{path} is not what this entry says"))


def _entries(there: Archive, heads: LogHeads, touched: set[str], report: Report, *, resumed: bool = False) -> Iterator[tuple[Joined, bool]]:
    def wanted(leaf: Leaf) -> bool:
        return leaf.case_id in touched or leaf.kind in ALWAYS

    if heads.since.size and not resumed:
        yield from before(there, heads.since.size, heads.size, heads.nodes, wanted, report)
    for joined in walk(there, heads.size, heads.root, report, heads.since):
        yield joined, True


def _take(proof: Verification, joined: Joined, proven: bool) -> None:
    entry: Entry = joined.entry
    if not proven:
        proof.passed(entry)
    else:
        if joined.here and not joined.fits:
            proof.report.add_finding(finding(Weight.BAD, "REST_DIFFERS", entry, "key or headers are not the ones that were logged"))
        proof.take(entry)


def _touched(there: Archive, heads: LogHeads, report: Report) -> set[str]:
    """Return the cases that have an entry after the older checkpoint. `before` hashes their older leaves."""
    old, found = heads.since.size, set[str]()
    try:
        for number in range(old // FULL, -(-heads.size // FULL)) if old else ():
            for leaf in archive.bundle(there, number, heads.size)[max(0, old - number * FULL) :]:
                found.add(wire.decode(leaf).case_id or "")
    except (Malformed, NewerVersion):
        return found  # the walk reports it
    return found - {""}


def _parts(folder: Path, known: Cases, jobs: int, advance: Advance) -> list[Part]:
    """Judge all buckets. If one signature occurs in two buckets, judge again in one process, which sees both."""
    arguments = [(folder, known, number, jobs) for number in range(jobs)]
    found = share(*arguments[0], advance) if jobs == 1 else shared(share, arguments, BUCKETS, advance)
    parts, once = list[Part](), dict[Hashable, str]()
    for part in found:
        parts.append(part)
        if jobs > 1 and any(once.setdefault(sign, event) != event for sign, event in part.once):
            return list(share(folder, known, 0, 1, lambda _: None))
    return parts


def share(folder: Path, known: Cases, first: int, jobs: int, advance: Advance) -> Iterator[Part]:
    """Judge every `jobs`-th bucket, from `first` on."""
    with FrozenEngines(frozen.named(known.activated)) as engines:
        judging = Judge(known, Report(), engines)
        for number in range(first, BUCKETS, jobs):
            if jobs > 1:
                judging.afresh(Report())
            part, results = Part(Report(), []), list[bytes]()
            for case_id, entries in cases(folder, number).items():
                judging.into(Report())
                until, once = judging.case(case_id, entries), judging.signatures.fresh[:]
                judging.signatures.fresh.clear()
                part.report.add(judging.report)
                part.once += once
                key, idxs = fingerprint(known.keys.get(case_id)), [entry.idx for entry in entries]
                results.append(encoded(Lasting(case_id, key, idxs, until, judging.report if until else Report(), once)))
            put_results(folder, number, results)
            put_decided(folder, number, judging.decided)
            judging.decided.clear()
            advance(1)
            yield part


def _about_log(weight: Weight, code: str, what: str) -> Finding:
    return Finding(weight=weight, code=code, idx=None, where="log", what=what)
