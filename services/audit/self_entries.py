"""Build audit's own entries: the schemas that decode the logged bodies, and the keys that sign the log. Pure."""

from __future__ import annotations

from msgspec import json

from referral.proof.entry import Kind
from referral.wire.schema.definition import Schemas
from referral.wire.schema.load import written
from services.audit.ingest import Says


def schemas(known: Schemas) -> list[Says]:
    """Return every schema that this program ships, each in the form that Avro libraries read."""
    return [
        Says(Kind.SCHEMA, json.encode(written(schema), order="sorted"), schema.type, schema.fingerprint)
        for schema in known.by_type.values()
    ]


def keys(policy: bytes) -> Says:
    """Return the C2SP policy file of the log: its key, its witnesses, their quorum, and everybody's keys (`Trust.logged`)."""
    return Says(Kind.KEYS, policy)
