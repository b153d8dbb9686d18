"""Write `deploy/kafka/jars.lock` for another broker version: `python -m referral.local.jars_lock`.

It resolves the broker's dependencies with Maven, fetches and hashes them; every later start then requires these hashes. Read the difference
before committing it.
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
"""Kafka's own distribution adds this jar to Maven's list; without it the broker logs nothing. Its version is that of log4j-core."""
HEADER = """# Every jar of the embedded broker: group name version sha256. A jar that differs is refused.
# Written by `python -m referral.local.jars_lock`.
"""


def render(jars: Iterable[Jar]) -> str:
    """Return the lock's text."""
    return HEADER + "".join(f"{jar.group} {jar.name} {jar.version} {jar.sha256}\n" for jar in sorted(jars))


def resolve(broker: str, *alone: str) -> set[Jar]:
    """Return every jar that the broker needs at run time, and the jars in `alone`.

    The latter are resolved without dependencies: resolved together, the versions of one would change those of the other.
    """
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
    """Write the lock. Return 1 if it changed."""
    file = kafka.lock_file()
    before = file.read_text() if file.exists() else ""
    after = render(resolve(BROKER, LOGGING))
    file.write_text(after)
    print(f"{file}: {'changed' if before != after else 'the same'}")  # noqa: T201 (a command)
    return int(before != after)


if __name__ == "__main__":
    sys.exit(main())
