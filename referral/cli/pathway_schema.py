"""`referral policy schema`: the JSON Schema with which an editor marks a slip while it is typed."""

from __future__ import annotations

from referral.cli import pathway_files, show
from referral.domain.procedure_schema import schema


def schema_command(folder: pathway_files.Folder = None, as_json: show.Json = True) -> int:
    """The JSON Schema of a procedure's file, with the code lists of this policy. It is always JSON.

    An editor takes it from the first line of a file: # yaml-language-server: $schema=../../docs/reference/pathway.schema.json

    Exit 0 printed, 1 the policy is wrong, 2 there is no such folder.

    Example: referral policy schema
    """
    policy = pathway_files.compiled(folder)
    if policy is None:
        return 1
    show.document(schema(policy.codes))
    return 0
