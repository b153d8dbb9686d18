"""`referral audit export`: write the log as a folder that anybody can verify without this system."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Annotated

import typer
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PublicKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from msgspec import Struct

from referral.cli import console
from referral.cli.audit import live_log
from referral.cli.audit import source as audit_folder
from referral.cli.audit import source as audit_open
from referral.errors import Malformed, NewerVersion, Rejected, Unproven
from referral.proof import archive
from referral.proof.archive import CHECKPOINT, KEYS, POLICY, Archive, Trusted
from referral.proof.entry import Kind
from referral.proof.reading import OPERATOR, How, Reading
from referral.runtime import settings
from referral.tlog import checkpoint, merkle, note, tile_layout, tiles
from referral.tlog.tile_layout import FULL, Tile
from referral.wire import hpke

Target = Annotated[Path, typer.Argument(metavar="DIR", help="A new folder, or an older export of the same log: what is new is added.")]
CasesWanted = Annotated[list[str] | None, typer.Option("--case", help="Lend the key of this case; may be given several times.")]
EveryCase = Annotated[bool, typer.Option("--all-cases", help="Lend the keys of all cases.")]
Witnesses = Annotated[
    Path | None,
    typer.Option("--trust", "--witnesses", help="trust.toml or C2SP policy file to hand out with it; by default the log's own."),
]
Auditor = Annotated[
    Path | None, typer.Option("--for", metavar="FILE", help="The auditor's public key, to which the lent keys are encrypted.")
]


class Export(Struct, frozen=True, kw_only=True):
    """The parts of an export. policy: the witness policy file. keys: case keys that the auditor may read, to be encrypted to `auditor`."""

    folder: Path
    there: Archive
    published: Trusted
    policy: bytes
    keys: Mapping[str, bytes]
    auditor: X25519PublicKey | None


def export_command(
    target: Target,
    case: CasesWanted = None,
    every: EveryCase = False,
    auditor: Auditor = None,
    witnesses: Witnesses = None,
    as_json: console.Json = False,
) -> int:
    """Write the log up to its newest witnessed checkpoint into DIR: tiles, entries, payloads, schemas, witness policy, and lent keys.

    The tiles are C2SP tlog-tiles: any verifier reads them. Bodies stay sealed; --case or --all-cases with --for lends their keys; the
    log first gets an entry of it.
    The checkpoint is written last, so an interrupted folder is not an export; run the command again.

    Exit 0 written, 1 no checkpoint has a quorum yet, an unknown case, or DIR is of another log, 2 the database or audit is down, or the
    disk is full.

    Example: referral audit export export --all-cases --for auditor.key.pub
    """
    if bool(case or every) != bool(auditor):
        raise typer.BadParameter("--for names the auditor to whom keys are lent: give it together with --case or --all-cases")
    public, pinned = audit_open.public_key(auditor) if auditor else None, audit_open.rules(witnesses)
    with audit_open.opened(None) as source:
        published = archive.trusted(source.archive, pinned)
        policy = source.archive.read(POLICY) if pinned is None else pinned
        if published is None or policy is None:
            raise Rejected("not-published-yet", "checkpoint", "no checkpoint has its witnesses' quorum yet: look at `referral doctor`")
        keys = source.keys(None if every else case or [])
        for case_id in case or ():
            if case_id not in keys:
                raise Rejected("unknown-case", "--case", f"{case_id} has no key: it is erased, or never was")
        wanted = Export(folder=target, there=source.archive, published=published, policy=policy, keys=keys, auditor=public)
        if public is not None:
            lent = hashlib.sha256(public.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)).hexdigest()
            cases = () if every else tuple(case or ())
            live_log.record(settings.load(), Reading(reader=OPERATOR, how=How.EXPORT, cases=cases, lent=lent))
        with console.progress(quiet=as_json) as bar:
            task = bar.add_task("files written", total=None)
            written = write(wanted, lambda: bar.advance(task))
    summary = {"folder": str(target), "size": published.size, "files": written, "keys": len(keys) if public else 0}
    return console.answer(
        as_json,
        summary,
        f"{target}: {published.size} entries, {written} files written, keys of {summary['keys']} cases lent; "
        f"check it with `referral audit verify {target}`",
    )


def write(wanted: Export, advance: Callable[[], None]) -> int:
    """Write the export and return the number of files. advance: called after each.

    Rejected: the folder holds something else. Unproven: the stored tiles do not make the signed root.
    """
    there, published = wanted.there, wanted.published
    size, _ = archive.head(there, published)
    nodes = archive.nodes(there, size)
    if size < published.size or merkle.root(nodes, published.size) != published.root:
        raise Unproven("export", "the stored tiles do not make the root of the published checkpoint: `referral audit verify` says where")
    old, count = _before(wanted, nodes), 0
    for tile in tile_layout.every(published.size):
        count += _tile(wanted, tile, old, tile.path)
        advance()
    for tile in tile_layout.bundles(published.size):
        count += _tile(wanted, tile, old, archive.path(tile)) + _tile(wanted, tile, old, tile.path)
        _schemas(wanted, tile)
        advance()
    last = {POLICY: wanted.policy}
    if wanted.auditor is not None:
        last[KEYS] = hpke.lend(wanted.auditor, published.accepted.checkpoint.origin, wanted.keys)
    else:
        (wanted.folder / KEYS).unlink(missing_ok=True)
    audit_folder.finish(wanted.folder, {**last, CHECKPOINT: published.signed})
    return count + len(last) + 1


def _before(wanted: Export, nodes: merkle.Nodes) -> int:
    """Return the size of the export already in the folder, which this log must continue; 0 for a new or unfinished one."""
    folder, published = wanted.folder, wanted.published
    signed = audit_folder.Folder(folder).read(CHECKPOINT)
    if signed is None:
        if folder.exists() and any(path.name not in ("tile", "payload", "schemas", POLICY, KEYS) for path in folder.iterdir()):
            raise Rejected("not-empty", str(folder), "it contains files that are not an export: name a new folder")
        return 0
    try:
        old = checkpoint.parse(note.parse(signed).text)
    except Malformed as error:
        raise Rejected("not-an-export", str(folder), f"its checkpoint cannot be read: {error}") from None
    if old.size > published.size or merkle.root(nodes, old.size) != old.root:
        raise Rejected("other-log", str(folder), f"the log does not continue the export of {old.size} entries in this folder")
    return old.size


def _tile(wanted: Export, tile: Tile, old: int, path: str) -> bool:
    """Write one file, unless the older export has it complete. Return True if it was written."""
    if tile.width == FULL and tile.leaves[1] <= old:
        return False
    data = wanted.there.read(path)
    if data is None:
        raise Unproven("export", f"{path} is missing in the database")
    audit_folder.put(wanted.folder, path, data)
    return True


def _schemas(wanted: Export, bundle: Tile) -> None:
    """Write the schemas that this bundle logs as files too; the bodies are decoded with them."""
    held = audit_folder.Folder(wanted.folder)
    leaves, beside = held.read(bundle.path), held.read(archive.path(bundle))
    if leaves is None or beside is None:
        return
    start, _ = bundle.leaves
    for place, (one, kept) in enumerate(zip(tiles.unpack(bundle, leaves), archive.unpack(bundle, beside), strict=True)):
        try:
            entry = archive.join(start + place, one, kept).entry
        except NewerVersion:
            continue
        if entry.kind is Kind.SCHEMA and (path := archive.export_path(entry)):
            audit_folder.put(wanted.folder, path, entry.value)
