"""`python -m referral.local.jars_lock`: write `deploy/kafka/jars.lock` anew, for another broker. Read the difference before committing.

What Maven says the broker needs is resolved, fetched and hashed; the hashes are then what every later start insists on.
"""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

from referral.local import kafka
from referral.local.jars import FETCHERS, Jar, digest

BROKER = "org.apache.kafka:kafka_2.13:4.3.1"
LOGGING = "org.apache.logging.log4j:log4j-slf4j-impl:2.25.4"
"""Kafka's own distribution adds it to what Maven says; without it the broker logs nothing. Its version is that of log4j-core."""
HEADER = """# Every jar of the embedded broker: group name version sha256. A jar that differs is refused.
# Written by `python -m referral.local.jars_lock`.
"""


def render(jars: Iterable[Jar]) -> str:
    """The lock's text."""
    return HEADER + "".join(f"{jar.group} {jar.name} {jar.version} {jar.sha256}\n" for jar in sorted(jars))


def resolve(broker: str, *alone: str) -> set[Jar]:
    """Every jar that the broker needs at run time, and those named alone: together, one's versions would change the other's."""
    from jgo.maven import MavenContext
    from jgo.parse import Coordinate

    with tempfile.TemporaryDirectory() as folder, ThreadPoolExecutor(FETCHERS) as pool:
        context = MavenContext(repo_cache=Path(folder), timeout=60)
        wanted, *more = (context.create_dependency(replace(Coordinate.parse(words), scope="compile")) for words in (broker, *alone))
        given, needed = context.resolver.resolve([wanted])
        artifacts = [d.artifact for d in (*given, *more, *(d for d in needed if d.scope in ("compile", "runtime")))]
        paths = pool.map(lambda artifact: artifact.resolve(), artifacts)
        return {Jar(a.groupId, a.artifactId, a.version, digest(p)) for a, p in zip(artifacts, paths, strict=True)}


def main() -> int:
    """Write the lock; 1 if it changed."""
    file = kafka.lock_file()
    before = file.read_text() if file.exists() else ""
    after = render(resolve(BROKER, LOGGING))
    file.write_text(after)
    print(f"{file}: {'changed' if before != after else 'the same'}")  # noqa: T201 (a command)
    return int(before != after)


if __name__ == "__main__":
    sys.exit(main())
