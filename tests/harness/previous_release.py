"""The release before this one, as deploy/compat.txt names it: its commit, and its migrations, which nobody edits any more.

python -m tests.harness.previous_release COMMIT writes the file, when a release is made.
"""

from __future__ import annotations

import hashlib
import re
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from referral.local import data_folder

ROOT = data_folder.checkout()
FILE = ROOT / "deploy" / "compat.txt"
MIGRATIONS = re.compile(r"(?:referral/runtime|services/[a-z]+)/migrations/versions/\d*\w+\.(?:py|sql)")
HEAD = """# The release before this one, which runs beside it during an upgrade (docs/deploy.md, Upgrade), and the migrations that it has.
# Nobody edits those any more; a migration that is not named here may only add: tests/unit/runtime/test_migrations.py.
"""
SUBTRACTS = re.compile(
    r"\b(DROP|RENAME|TRUNCATE|DELETE\s+FROM|SET\s+NOT\s+NULL)\b|\bALTER\s+COLUMN\s+\S+\s+(SET\s+DATA\s+)?TYPE\b"
    r"|\bADD\s+(COLUMN\s+)?(IF\s+NOT\s+EXISTS\s+)?\w+\s(?=[^,;]*\bNOT\s+NULL\b)(?![^,;]*\bDEFAULT\b)"
    r"|\bADD\s+(CONSTRAINT|CHECK|UNIQUE|PRIMARY|FOREIGN|EXCLUDE)\b|\bop\.(drop|alter|rename)_\w+",
    re.I,
)
"""What takes something from a program of the release before: a table, a column, a name, a type, or a row that it may write."""


@dataclass(frozen=True)
class Previous:
    """commit: of the release before. migrations: path → SHA-256 of its content there."""

    commit: str
    migrations: dict[str, str]


def read(text: str) -> Previous:
    """Return what deploy/compat.txt says."""
    lines = [line.split() for line in text.splitlines() if line and not line.startswith("#")]
    (commit,) = [words[1] for words in lines if words[0] == "commit"]
    return Previous(commit, {path: digest for digest, path in (words for words in lines if words[0] != "commit")})


def present() -> Iterator[Path]:
    """Yield each migration of this checkout."""
    for folder in (ROOT / "referral" / "runtime" / "migrations", *sorted((ROOT / "services").glob("*/migrations"))):
        yield from (path for path in sorted((folder / "versions").iterdir()) if path.suffix in (".py", ".sql"))


def digest(content: bytes) -> str:
    """Return the SHA-256 of a migration."""
    return hashlib.sha256(content).hexdigest()


def subtractions(statements: str) -> list[str]:
    """Return what a migration takes away; comments and docstrings count too, so they are best without such words in capitals."""
    return [" ".join(found[0].split()) for found in SUBTRACTS.finditer(statements)]


def at(commit: str) -> Previous:
    """Return the migrations of a commit. CalledProcessError: this checkout has not got it."""
    full = git("rev-parse", "--verify", f"{commit}^{{commit}}").decode().strip()
    paths = [path for path in git("ls-tree", "-r", "--name-only", full).decode().splitlines() if MIGRATIONS.fullmatch(path)]
    return Previous(full, {path: digest(git("show", f"{full}:{path}")) for path in paths})


def git(*words: str) -> bytes:
    """Return what a command of git prints. CalledProcessError: it failed."""
    return subprocess.run(["git", "-C", str(ROOT), *words], check=True, capture_output=True).stdout


if __name__ == "__main__":
    found = at(sys.argv[1])
    lines = [f"commit {found.commit}", *(f"{value}  {path}" for path, value in found.migrations.items())]
    FILE.write_text(HEAD + "\n".join(lines) + "\n")
