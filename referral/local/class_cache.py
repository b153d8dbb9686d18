"""Write the broker's classes into one file that the Java of the wheel maps at the next start (JEP 483): 4.4 s of CPU until a stack is
ready instead of 5.7 (measured). `make up`, `make demo` and `make test` make the file beside the environment, once."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import tempfile
from pathlib import Path

from referral.local import certificates
from referral.local.data_folder import Trouble
from referral.local.kafka import CLASSES, Kafka, find

WRITE_S = 180.0
"""Longest time in seconds (ours) for a broker to write down its classes at its end: it took 5 to 7 on two idle cores at half their speed,
and more than 15 beside other work (measured)."""
READ_BY = "JDK_JAVA_OPTIONS"
"""The variable whose words the launcher `java` reads before its own arguments."""


def make(file: Path) -> None:
    """Start a broker once, record the classes that it loads, and write them to the file. CalledProcessError: Java cannot do so.

    Trouble: the broker does not start, or was killed before it had written them.
    """
    file.unlink(missing_ok=True)  # what is in use is not recorded
    with tempfile.TemporaryDirectory() as folder:
        recorded = Path(folder) / "classes"
        certificates.ensure(Path(folder) / "ca", Path(folder))
        broker = Kafka(Path(folder) / "broker", Path(folder) / certificates.KAFKA, grace=WRITE_S)
        os.environ[READ_BY] = f"-XX:AOTMode=record -XX:AOTConfiguration={recorded}"
        try:
            broker.start()
            broker.stop()
        finally:
            del os.environ[READ_BY]
        if broker.child is not None and broker.child.poll() == 128 + signal.SIGKILL:
            raise Trouble(f"the broker has not written down its classes within {WRITE_S:.0f} s; run this again")
        arguments = f"@{broker.folder / 'java.args'}"
        fresh = file.with_name(f"{file.name}.new")  # no broker maps a part of it
        words = [str(find()), "-XX:AOTMode=create", f"-XX:AOTConfiguration={recorded}", f"-XX:AOTCache={fresh}", arguments]
        subprocess.run(words, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        fresh.replace(file)


if __name__ == "__main__":
    try:
        make(CLASSES)
    except (Trouble, subprocess.CalledProcessError) as error:
        sys.exit(f"referral: {error}")
