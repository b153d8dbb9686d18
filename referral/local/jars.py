"""Fetch and verify the broker's jars: `deploy/kafka/jars.lock` lists each one with its hash, and any other content is refused."""

from __future__ import annotations

import hashlib
import os
import tempfile
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from referral.local.data_folder import Trouble, of_os

FETCHERS = 8
"""Jars fetched in parallel: 44 MB took 7 s, and 18 s one at a time (measured)."""
TRIES = 3
"""Times that a jar is asked for (ours): a repository ends one of many connections now and then, and a first start must not end with it."""


@dataclass(frozen=True, slots=True, order=True)
class Jar:
    """A line of the lock. sha256: of the jar's bytes, hexadecimal."""

    group: str
    name: str
    version: str
    sha256: str

    @property
    def file(self) -> str:
        """Return its file name in the cache; the group distinguishes equal names of different groups."""
        return f"{self.group}.{self.name}-{self.version}.jar"


def parse(text: str, where: str = "jars.lock") -> tuple[Jar, ...]:
    """Read a lock: `group name version sha256` on each line, `#` begins a comment. Raises Trouble naming file and line."""
    jars: list[Jar] = []
    for number, line in enumerate(text.splitlines(), 1):
        words = line.partition("#")[0].split()
        if not words:
            continue
        if len(words) != 4 or len(words[3]) != 64 or set(words[3]) - set("0123456789abcdef"):
            raise Trouble(f"{where}:{number}: expected `group name version sha256`; restore the file from the repository")
        jars.append(Jar(*words))
    if len({(jar.group, jar.name) for jar in jars}) != len(jars) or not jars:
        raise Trouble(f"{where}: empty, or a jar is named twice; restore the file from the repository")
    return tuple(sorted(jars))


def digest(path: Path) -> str:
    """Return the SHA-256 of a file, hexadecimal."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def verify(jar: Jar, path: Path) -> None:
    """Refuse a jar whose hash is not the one in the lock. Raises Trouble."""
    actual = digest(path)
    if actual != jar.sha256:
        seen = f"SHA-256 {actual[:12]}…, expected {jar.sha256[:12]}…"
        raise Trouble(f"{jar.name} {jar.version} is not the file named in jars.lock ({seen}); nothing of it was run")


def classpath(jars: Iterable[Jar], cache: Path, told: Callable[[Jar, int, int], None] = lambda *_: None) -> str:
    """Return the Java class path of all jars, each verified; missing ones are fetched into `cache` first.

    told(jar, done, of) is called after each fetched jar. Raises Trouble: no network, disk full, hash differs.
    A jar in the cache with another hash is fetched once more (it may be half written), then refused.
    """
    wanted = tuple(jars)
    cache.mkdir(parents=True, exist_ok=True)
    missing = tuple(jar for jar in wanted if not _good(jar, cache / jar.file))
    if missing:
        with tempfile.TemporaryDirectory(dir=cache, prefix=".fetching-") as folder, ThreadPoolExecutor(FETCHERS) as pool:
            try:
                for done, jar in enumerate(pool.map(lambda jar: _fetch(jar, Path(folder), cache), missing), 1):
                    told(jar, done, len(missing))
            finally:
                pool.shutdown(cancel_futures=True)
    return os.pathsep.join(str(cache / jar.file) for jar in wanted)


def _good(jar: Jar, path: Path) -> bool:
    return path.exists() and digest(path) == jar.sha256


def _fetch(jar: Jar, folder: Path, cache: Path) -> Jar:
    """Fetch one jar beside the cache, verify it, then move it in, so that a reader of the cache never gets half a jar."""
    from jgo.config import GlobalSettings  # imported here: it takes 0.3 s, and a start with a full cache does not need it
    from jgo.constants import MAVEN_CENTRAL_URL
    from jgo.maven import MavenContext
    from requests import RequestException

    repositories = {"central": MAVEN_CENTRAL_URL, **GlobalSettings.load().repositories}
    context = MavenContext(repo_cache=folder, remote_repos=repositories, timeout=30)
    try:
        for left in reversed(range(TRIES)):
            try:
                path = context.project(jar.group, jar.name).at_version(jar.version).artifact().resolve()
                break
            except RequestException:
                if not left:
                    raise
        verify(jar, path)
        path.replace(cache / jar.file)
    except RequestException as error:
        raise Trouble(
            f"cannot fetch {jar.name} {jar.version}: no answer from the Maven repository ({type(error).__name__}); check network and proxy"
        ) from error
    except RuntimeError as error:
        raise Trouble(f"the Maven repository does not have {jar.group}:{jar.name}:{jar.version}; check jgo.conf and proxy") from error
    except OSError as error:
        raise of_os(error, cache) from error
    return jar
