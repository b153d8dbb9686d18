"""What audit itself says in the log: by which schemas its bodies are read, and whose keys vouch for it. Pure."""

from __future__ import annotations

from msgspec import json

from referral.proof.entry import Kind
from referral.wire.schema.definition import Schemas
from referral.wire.schema.load import written
from services.audit.ingest import Says


def schemas(known: Schemas) -> list[Says]:
    """Every schema that this program ships, each as Avro libraries take it."""
    return [
        Says(Kind.SCHEMA, json.encode(written(schema), order="sorted"), schema.type, schema.fingerprint)
        for schema in known.by_type.values()
    ]


def keys(policy: bytes) -> Says:
    """The C2SP policy file of the log: its key, its witnesses and their quorum."""
    return Says(Kind.KEYS, policy)
