"""Write all files that are generated from `schemas/avro`: `python -m referral.wire.schema.generate [codecs | --check]`.

These are the structs in `referral/domain/events/`, the reference in `docs/reference/`, and the codecs in `referral/wire/compiled/`. People
read the first two, so these are committed, and `--check` refuses a stale one and any breach of the rules for schemas. Nobody reads the
codecs: `make setup`, the wheel and the images write them alone (`codecs`).
"""

from __future__ import annotations

import sys
from pathlib import Path

from referral.wire import topics
from referral.wire.schema import codegen, docgen, lint, release_lock, structgen
from referral.wire.schema.definition import SchemaError, Schemas
from referral.wire.schema.load import load

ROOT = Path(__file__).parents[3]
SCHEMAS = ROOT / "schemas" / "avro"
CODECS = "referral/wire/compiled"
"""The one folder of generated files that git does not hold."""
MADE = "GENERATED from schemas/avro"
"""Text in the first line of every generated file; other files in the same folder are never touched."""


def render(folder: Path) -> dict[str, str]:
    """Return path below the project → text of every generated file. folder: the schemas'. Raises SchemaError or TopicError."""
    release_lock.check(folder)
    schemas, cards = load(folder), topics.load(folder / "topics.yaml")
    lint.orphans(schemas, (name for name, card in cards.items() if not name.startswith(topics.INGRESS) and not card.bodies_of))
    packages = {"referral/domain/events": structgen.render(schemas), "docs/reference": docgen.render(schemas, cards)}
    return {**codecs(schemas), **{f"{package}/{name}": text for package, files in packages.items() for name, text in files.items()}}


def codecs(schemas: Schemas) -> dict[str, str]:
    """Return path below the project → text of every file of the codecs."""
    return {f"{CODECS}/{name}": text for name, text in codegen.render(schemas).items()}


def differences(root: Path, files: dict[str, str]) -> tuple[list[str], list[str]]:
    """Return (paths that are stale or missing, generated files that no schema needs any more)."""
    stale = [path for path, text in files.items() if not (root / path).exists() or (root / path).read_text("utf-8") != text]
    folders = {Path(path).parent for path in files}
    present = [path for folder in folders for path in (root / folder).glob("*.*") if path.is_file()]
    there = {str(path.relative_to(root)) for path in present if MADE in path.read_text("utf-8").partition("\n")[0]}
    return stale, sorted(there - set(files))


def main(arguments: list[str]) -> int:
    """Write the files, or with `codecs` only those, or with --check compare them.

    Return 0: all files match the schemas; 1: they do not, and stderr says what to do.
    """
    try:
        files = codecs(load(SCHEMAS)) if "codecs" in arguments else render(SCHEMAS)
    except (SchemaError, topics.TopicError) as error:
        sys.stderr.write(f"schemas/avro: {error}\n")
        return 1
    stale, gone = differences(ROOT, files)
    if "--check" in arguments:
        if stale or gone:
            sys.stderr.write(f"stale: {', '.join([*stale, *gone])}: run `make generate`\n")
        return 1 if stale or gone else 0
    for path in gone:
        (ROOT / path).unlink()
    for path in stale:
        (ROOT / path).parent.mkdir(parents=True, exist_ok=True)
        (ROOT / path).write_text(files[path], "utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
