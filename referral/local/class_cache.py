"""Write the broker's classes into one file that the Java of the wheel maps at the next start (JEP 483): 4.4 s of CPU until a stack is
ready instead of 5.7 (measured). `make up`, `make demo` and `make test` make the file beside the environment, once."""

from __future__ import annotations

import os
import subprocess
import tempfile
from pathlib import Path

from referral.local import certificates
from referral.local.kafka import CLASSES, Kafka, find

READ_BY = "JDK_JAVA_OPTIONS"
"""The variable whose words the launcher `java` reads before its own arguments."""


def make(file: Path) -> None:
    """Start a broker once, record the classes that it loads, and write them to the file. CalledProcessError: Java cannot do so."""
    file.unlink(missing_ok=True)  # what is in use is not recorded
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
    make(CLASSES)
