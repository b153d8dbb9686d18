"""`referral audit prove`: write proofs as self-contained files, and check them with nothing but the policy file."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated, Any

import typer

from referral.cli import console
from referral.cli.audit import source
from referral.cli.audit.source import Export
from referral.errors import Malformed, NewerVersion, Rejected, Unproven
from referral.proof import adjacency, archive
from referral.proof.adjacency import Between
from referral.proof.archive import Archive, Trusted
from referral.tlog import merkle, note, proof_file, witness, witness_policy
from referral.tlog.checkpoint import Checkpoint
from referral.tlog.merkle import leaf_hash
from referral.tlog.proof_file import TlogProof
from referral.tlog.tile_layout import FULL
from referral.tlog.witness_policy import Policy
from referral.wire import leaf as wire

EntryNumber = Annotated[int | None, typer.Option("--entry", min=0, help="Index of an entry: prove that it is in the log.")]
EventId = Annotated[str, typer.Option("--event", help="Id of an event: prove that it is in the log.")]
Heads = Annotated[
    tuple[Path, Path] | None,
    typer.Option("--between", metavar="OLD NEW", help="Two checkpoints: prove that the second continues the first."),
]
Apart = Annotated[
    tuple[int, int] | None,
    typer.Option("--nothing-between", metavar="I J", help="Two entries of a case in one topic: prove that no entry of it is between them."),
]
Out = Annotated[Path | None, typer.Option("--out", help="Write the proof there; by default to standard output.")]
Check = Annotated[Path | None, typer.Option("--check", metavar="FILE", help="Check a proof instead; reads nothing but files.")]
Rules = Annotated[
    Path | None,
    typer.Option("--trust", "--witnesses", help="trust.toml or C2SP policy file that says which signatures count; --check needs it."),
]
LeafFile = Annotated[Path | None, typer.Option("--leaf", help="With --check: the leaf's bytes, where the proof does not hold them.")]
OldFile = Annotated[Path | None, typer.Option("--old", help="With --check of a proof between checkpoints: the first of them.")]


def prove_command(
    export: Export = None,
    entry: EntryNumber = None,
    event: EventId = "",
    heads: Heads = None,
    apart: Apart = None,
    out: Out = None,
    check: Check = None,
    witnesses: Rules = None,
    leaf: LeafFile = None,
    old: OldFile = None,
    as_json: console.Json = False,
) -> int:
    """Write a proof that others can check: of an entry (.tlog-proof), between two checkpoints, or that nothing stands between two entries.

    Or check one with --check FILE --trust FILE. A proof of an entry contains the entry's leaf, and any C2SP verifier accepts it.

    Exit 0 written, or it holds; 1 it does not hold, or no such entry is below a witnessed checkpoint; 2 usage, or a file is unavailable.

    Example: referral audit prove export --entry 17 --out entry-17.tlog-proof
    """
    asked = sum((entry is not None, bool(event), heads is not None, apart is not None, check is not None))
    if asked != 1:
        raise typer.BadParameter("name one of --entry, --event, --between, --nothing-between and --check")
    if check is not None:
        if witnesses is None:
            raise typer.BadParameter("--check needs to know whose signatures count: name a file with --trust")
        return _tell(_checked(check, witnesses, leaf, old), as_json)
    pinned = source.rules(witnesses)
    files = [source.file(path) or b"" for path in heads or ()]
    with source.opened(export) as there:
        published = archive.trusted(there.archive, pinned)
        if published is None:
            raise Rejected("not-published-yet", "checkpoint", "no checkpoint has its witnesses' quorum yet")
        data = _made(there.archive, published, pinned, entry, event, files, apart)
    if out is None:
        sys.stdout.buffer.write(data)
        sys.stdout.flush()
        return 0
    source.put(out.parent, out.name, data)
    return _tell({"written": str(out), "bytes": len(data)}, as_json)


def _made(
    there: Archive,
    published: Trusted,
    pinned: bytes | None,
    entry: int | None,
    event: str,
    heads: list[bytes],
    apart: tuple[int, int] | None,
) -> bytes:
    size, _ = archive.head(there, published)
    if heads:
        before, after = (archive.accepted(signed, archive.rules(there, pinned)) for signed in heads)
        return consistency(there, size, before, after, heads[1])
    if apart is not None:
        proof = Between(*(inclusion(there, published, size, index) for index in apart))
        adjacency.check(proof, witness_policy.parse(archive.rules(there, pinned)))
        return proof.encode()
    if entry is None:
        places = archive.find(there, size, "event_id", event)
        if not places:
            raise Rejected("unknown-event", "--event", "the log has no entry of this event; audit may lag by a second")
        entry = places[0]
    return inclusion(there, published, size, entry).encode()


def inclusion(there: Archive, published: Trusted, size: int, index: int) -> TlogProof:
    """Return the proof of an entry, checked before it is returned. Rejected, Malformed, Unproven."""
    if index >= published.size:
        raise Rejected("not-published-yet", f"entry {index}", f"the newest witnessed checkpoint has {published.size} entries")
    leaf = archive.bundle(there, index // FULL, size)[index % FULL]
    hashes = tuple(merkle.inclusion(archive.nodes(there, size), index, published.size))
    merkle.check_inclusion(leaf_hash(leaf), index, published.size, hashes, published.root)
    return TlogProof(index, hashes, published.signed, leaf)


def consistency(there: Archive, size: int, old: Checkpoint, new: Checkpoint, signed: bytes) -> bytes:
    """Return the proof that the new checkpoint continues the old one, in the form that a log posts to a witness. Unproven."""
    if new.size > size:
        raise Unproven("consistency", f"the newer checkpoint has {new.size} entries, here are {size}")
    hashes = merkle.consistency(archive.nodes(there, size), old.size, new.size) if 0 < old.size <= new.size else []
    merkle.check_consistency(old.size, new.size, hashes, old.root, new.root)
    return witness.body(old.size, hashes, note.parse(signed))


def _checked(path: Path, witnesses: Path, leaf: Path | None, old: Path | None) -> dict[str, Any]:
    data, rules = source.file(path) or b"", witness_policy.parse(source.rules(witnesses) or b"")
    if data.startswith(b"old "):
        return _continued(data, rules, source.file(old))
    try:
        if data.startswith(adjacency.FIRST):
            shown = adjacency.check(adjacency.parse(data), rules)
            facts = {
                "case_id": shown.case_id,
                "topic": shown.topic,
                "sequences": [shown.seq, shown.seq + 1],
                "entries": list(shown.indexes),
            }
            return {"holds": "nothing-between", **facts, **_head(shown.accepted.checkpoint), "witnesses": shown.accepted.witnesses}
        proof = proof_file.parse(data)
        bytes_ = proof.extra if leaf is None else source.file(leaf)
        if bytes_ is None:
            raise Rejected("no-leaf", "--leaf", "the proof does not hold the entry's leaf: name a file that does")
        accepted = proof_file.check(proof, leaf_hash(bytes_), rules)
    except NewerVersion as error:
        raise Malformed("leaf", str(error)) from None
    return {"holds": "entry", "entry": proof.index, **_leaf(bytes_), **_head(accepted.checkpoint), "witnesses": accepted.witnesses}


def _continued(data: bytes, rules: Policy, old: bytes | None) -> dict[str, Any]:
    if old is None:
        raise Rejected("no-old", "--old", "name the file of the checkpoint that this proof begins with")
    request = witness.parse(data)
    before = witness_policy.accept(rules, note.parse(old)).checkpoint
    after = witness_policy.accept(rules, request.signed)
    if before.size != request.old or before.origin != after.checkpoint.origin:
        raise Unproven("consistency", f"the proof begins with {request.old} entries, the older checkpoint has {before.size}")
    merkle.check_consistency(before.size, after.checkpoint.size, request.proof, before.root, after.checkpoint.root)
    return {"holds": "consistency", "old": before.size, **_head(after.checkpoint), "witnesses": after.witnesses}


def _head(said: Checkpoint) -> dict[str, Any]:
    return {"origin": said.origin, "size": said.size}


def _leaf(data: bytes) -> dict[str, Any]:
    """Return the fields of the leaf, or nothing where it is not a leaf of this system."""
    try:
        leaf = wire.decode(data)
    except (Malformed, NewerVersion):
        return {}
    return {
        "kind": leaf.kind,
        "topic": leaf.topic,
        "case_id": leaf.case_id,
        "case_seq": leaf.case_seq,
        "type": leaf.type,
        "event_id": leaf.event_id,
    }


BETWEEN = """of case {case_id} in {topic} nothing has a sequence between {0} and {1} (entries {2} and {3})
not excluded: what audit logged as a fork or as foreign, and other topics; that no sequence is given twice, `audit verify` proves"""


def _tell(result: dict[str, Any], as_json: bool) -> int:
    if as_json:
        return console.document(result)
    match result.get("holds"):
        case "nothing-between":
            text = BETWEEN.format(*result["sequences"], *result["entries"], case_id=result["case_id"], topic=result["topic"])
        case "entry":
            what = (
                f"{result['type']} of case {result['case_id'] or '-'}, sequence {result['case_seq']}"
                if "kind" in result
                else "of another log"
            )
            text = f"entry {result['entry']} ({what}) stands in the log"
        case "consistency":
            text = f"the log of {result['size']} entries begins with the one of {result['old']}"
        case _:
            text = f"{result['written']}: {result['bytes']} bytes"
    if "origin" in result:
        text = f"HOLDS: {text}\n{result['origin']}, {result['size']} entries, seen by {', '.join(result['witnesses']) or 'nobody'}"
    console.say(text)
    return 0
