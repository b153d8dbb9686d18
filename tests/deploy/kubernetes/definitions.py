"""The resource definitions of Strimzi and CloudNativePG, by name and hash from where their authors publish: Maven's and Go's registries.

Both are the oldest version that the manifests promise to run with, so no newer word of an operator passes for a known one. Which registry
answers is the machine's to say: `jgo.conf` for Maven, GOPROXY for Go. What was fetched stays in the caches of the broker's jars and of Go.
"""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path

import pytest
from requests import RequestException

from referral.local import data_folder, jars, kafka

LOCK = Path(__file__).with_name("jars.lock")
STRIMZI = {"kafka": "Kafka", "nodepool": "KafkaNodePool", "topic": "KafkaTopic", "user": "KafkaUser"}
"""Package below io.strimzi.api.kafka.model → the resource that it defines."""
CLOUDNATIVEPG = "github.com/cloudnative-pg/cloudnative-pg@v1.28.0"
CLOUDNATIVEPG_SUM = "h1:vkv0a0ewDSfJOPJrsyUr4uczsxheReAWf/k171V0Dm0="
"""Hash of the module's files, as a go.sum writes it."""
FETCH_S = 600
"""Longest fetch, and longest printing, in seconds (ours): each takes 5 s on idle cores."""
UNREACHABLE = ("dial tcp", "no such host", "module lookup disabled")
"""Words with which Go says that no module proxy answers."""


def written(folder: Path) -> list[Path]:
    """Write the definitions into a folder and return the files. Skips the test where no registry answers; other content is refused."""
    return [*_strimzi(folder), *_cloudnativepg()]


def _strimzi(folder: Path) -> list[Path]:
    try:
        path = jars.classpath(jars.parse(LOCK.read_text(), str(LOCK)), data_folder.default_jars())
    except data_folder.Trouble as trouble:
        if isinstance(trouble.__cause__, RequestException):
            pytest.skip(f"Strimzi's definitions: {trouble}")
        raise
    files = {folder / f"{kind}.yaml": f"io.strimzi.api.kafka.model.{package}.{kind}" for package, kind in STRIMZI.items()}
    words = [str(kafka.find()), "-cp", path, "io.strimzi.crdgenerator.CrdGenerator", "--yaml"]
    _run([*words, *(f"{kind}={file}" for file, kind in files.items())], folder)
    return list(files)


def _cloudnativepg() -> list[Path]:
    if shutil.which("go") is None:
        pytest.skip("no Go, which fetches CloudNativePG's definitions: install golang 1.26 or newer")
    fetched = json.loads(_run(["go", "mod", "download", "-json", CLOUDNATIVEPG], Path("/")))  # in no module of ours
    assert fetched["Sum"] == CLOUDNATIVEPG_SUM, f"{CLOUDNATIVEPG} is not what it was: {fetched['Sum']}"
    bases = Path(fetched["Dir"]) / "config" / "crd" / "bases"
    return [bases / f"postgresql.cnpg.io_{name}.yaml" for name in ("backups", "clusters", "scheduledbackups")]


def _run(command: list[str], place: Path) -> str:
    done = subprocess.run(command, cwd=place, capture_output=True, text=True, timeout=FETCH_S)
    if any(words in done.stdout + done.stderr for words in UNREACHABLE):
        pytest.skip(f"no Go module proxy answers for {command[-1]}")
    assert done.returncode == 0, f"{' '.join(command)} failed:\n{done.stdout}\n{done.stderr}"
    return done.stdout
