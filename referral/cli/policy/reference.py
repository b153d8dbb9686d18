"""Generate the pages of docs/reference that follow from the policy: `python -m referral.cli.policy.reference [--check]`.

It writes a page and a picture for each procedure, a page of the guidance, the page of rights, and the JSON Schema for editors. They are in
the repository, so that an expert can read and sign them.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping

from referral.cli.policy import authority_page, guidance_page
from referral.cli.policy.picture import picture
from referral.cli.policy.sheet import Rows, Sheet, sheet
from referral.domain.authority import reading
from referral.domain.policy import Policy, PolicyErrors, compile
from referral.domain.policy.policy import RIGHTS
from referral.domain.policy.reading.json_schema import schema
from referral.runtime.settings import CHECKOUT
from referral.wire import policy_digest

MADE = "<!-- GENERATED from policy/ by `make generate`. Do not edit. -->"
FOLDER, SCHEMA = "docs/reference/pathways", "docs/reference/pathway.schema.json"


def schema_text(policy: Policy) -> str:
    """Return the JSON Schema of a procedure's file under this policy's code lists."""
    return json.dumps(schema(policy.codes), ensure_ascii=False, indent=1) + "\n"


def page(found: Sheet) -> str:
    """Return the Markdown page of a procedure: its overview, the picture, then every step."""
    ours, limits = found.ours
    lines = [
        MADE,
        "",
        f"# {found.name}",
        "",
        f"`policy/pathways/{found.id}.yaml`, version {found.version}. Marks of limits: **S** stated by the source, **D** read in a public",
        f"document, **P** our default, never law. {ours} of its {limits} limits are P: a domain expert should confirm them.",
        "",
        *_table(found.rows),
        "",
        f"![The steps of this procedure and what each waits for]({found.id}.svg)",
    ]
    for number, step in enumerate(found.steps, 1):
        lines += ["", f"## {number}. {step.name}: {step.does} (`{step.id}`)", "", *_table(step.rows)]
    return "\n".join([*lines, ""])


def _table(rows: Rows) -> list[str]:
    return ["| | |", "|---|---|", *(f"| {label} | {text.replace('|', '/')} |" for label, text in rows)]


def index(policy: Policy) -> str:
    """Return the list of all procedures."""
    rows = [
        (f"[{policy.names('pathway', pathway.id, 'en')}]({pathway.id}.md)", f"{len(pathway.steps)} steps, version {pathway.version}")
        for pathway in policy.current
    ]
    return "\n".join(
        [
            MADE,
            "",
            "# The procedures",
            "",
            "What runs, as a page each; `referral policy show` prints the same.",
            "",
            *_table(tuple(rows)),
            "",
        ]
    )


def render(policy: Policy) -> dict[str, str]:
    """Return path below the project → text, for every generated file."""
    files = {SCHEMA: schema_text(policy), f"{FOLDER}/README.md": index(policy)}
    if policy.guidance:
        files[guidance_page.PAGE] = guidance_page.page(policy, MADE)
    for pathway in policy.current:
        files[f"{FOLDER}/{pathway.id}.md"] = page(sheet(pathway, policy))
        files[f"{FOLDER}/{pathway.id}.svg"] = picture(pathway, policy)
    return files


def stale(files: Mapping[str, str]) -> list[str]:
    """Return the paths that differ from the policy, are missing, or belong to no procedure any more."""
    there = {path.relative_to(CHECKOUT).as_posix(): path for path in (CHECKOUT / FOLDER).glob("*.*")}
    changed = [path for path, text in files.items() if not (CHECKOUT / path).exists() or (CHECKOUT / path).read_text("utf-8") != text]
    return sorted({*changed, *(set(there) - set(files))})


def main(arguments: list[str]) -> int:
    """Write or check the pages.

    Return 0 if every page matches the policy; 1 if not, or if the policy has errors (stderr names the remedy).
    """
    try:
        read = policy_digest.read(CHECKOUT / "policy")
        files = render(compile(read)) | {authority_page.PAGE: authority_page.page(reading.read(read[RIGHTS]))}
    except PolicyErrors as error:
        sys.stderr.write(f"{error}\n")
        return 1
    outdated = stale(files)
    if "--check" in arguments:
        if outdated:
            sys.stderr.write(f"stale: {', '.join(outdated)}: run `make generate`\n")
        return 1 if outdated else 0
    for path in outdated:
        target = CHECKOUT / path
        target.parent.mkdir(parents=True, exist_ok=True)
        if path in files:
            target.write_text(files[path], "utf-8")
        else:
            target.unlink()
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
