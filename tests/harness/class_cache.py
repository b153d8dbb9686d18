"""Write the broker's classes into one file that the Java of the wheel maps at the next start (JEP 514), so that a run that starts fifty
brokers spends 2.0 s of CPU on each instead of 3.6 (measured). `make test` makes the file, `tests/conftest.py` hands it to every broker;
without it, or where it does not fit the Java, each start reads the jars as it always did."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from pathlib import Path

from referral.local import certificates
from referral.local.kafka import Kafka, find

FILE = Path(sys.prefix) / "broker.aot"
READ_BY = "JDK_JAVA_OPTIONS"
"""The variable whose words the launcher `java` reads before its own arguments."""


def use(environment: dict[str, str] | os._Environ[str]) -> None:
    """Let every broker that is started with this environment use the file, if there is one."""
    if FILE.is_file():
        environment.setdefault(READ_BY, f"-XX:+IgnoreUnrecognizedVMOptions -XX:AOTCache={FILE}")


def make(file: Path) -> None:
    """Start a broker once, record the classes that it loads, and write them to the file. CalledProcessError: Java cannot do so."""
    with tempfile.TemporaryDirectory() as folder:
        recorded = Path(folder) / "classes"
        certificates.ensure(Path(folder) / "ca", Path(folder))
        broker = Kafka(Path(folder) / "broker", Path(folder) / certificates.KAFKA)
        os.environ[READ_BY] = f"-XX:AOTMode=record -XX:AOTConfiguration={recorded}"
        try:
            broker.start()
            broker.stop()
        finally:
            del os.environ[READ_BY]
        arguments = f"@{broker.folder / 'java.args'}"
        words = [str(find()), "-XX:AOTMode=create", f"-XX:AOTConfiguration={recorded}", f"-XX:AOTCache={file}", arguments]
        subprocess.run(words, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


if __name__ == "__main__":
    make(FILE)
