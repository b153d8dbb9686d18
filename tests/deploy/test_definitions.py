"""The operators' definitions come by name and hash from registries; other content is refused, and a test without a registry says so."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from referral.local.data_folder import Trouble
from referral.runtime.settings import CHECKOUT
from tests.deploy.kubernetes import definitions

OPERATORS = ("kafka.strimzi.io", "postgresql.cnpg.io")


def test_each_kind_of_an_operator_that_the_manifests_use_has_a_definition(tmp_path: Path) -> None:
    known = {
        (document["spec"]["names"]["kind"], f"{document['spec']['group']}/{version['name']}")
        for file in definitions.written(tmp_path)
        for document in [yaml.safe_load(file.read_text("utf-8"))]
        for version in document["spec"]["versions"]
    }
    manifests = [
        document
        for file in sorted((CHECKOUT / "deploy" / "kubernetes").rglob("*.yaml"))
        for document in yaml.safe_load_all(file.read_text("utf-8"))
        if isinstance(document, dict) and str(document.get("apiVersion")).startswith(OPERATORS)
    ]
    used = {(document["kind"], document["apiVersion"]) for document in manifests}
    assert len(used) >= 4 and used <= known, used - known


def test_a_jar_or_a_module_that_differs_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    definitions.written(tmp_path)  # skips where no registry answers
    monkeypatch.setattr(definitions, "CLOUDNATIVEPG_SUM", "h1:another")
    with pytest.raises(AssertionError, match=r"cloudnative-pg@v1\.28\.0 is not what it was"):
        definitions.written(tmp_path)
    lock = tmp_path / "jars.lock"
    right = definitions.LOCK.read_text()
    lock.write_text(right.replace(right.split()[-1], "0" * 64))
    monkeypatch.setattr(definitions, "LOCK", lock)
    with pytest.raises(Trouble, match=r"crd-generator 1\.2\.0 is not the file named"):
        definitions.written(tmp_path)


def test_without_a_registry_the_skip_names_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("HTTPS_PROXY", "https_proxy"):
        monkeypatch.setenv(name, "http://127.0.0.1:1")
    monkeypatch.setenv("REFERRAL_JARS", str(tmp_path / "jars"))
    with pytest.raises(pytest.skip.Exception, match=r"Strimzi's definitions: cannot fetch .*: no answer from the Maven repository"):
        definitions.written(tmp_path)
    monkeypatch.setenv("GOMODCACHE", str(tmp_path / "modules"))
    monkeypatch.setenv("GOPROXY", "off")
    monkeypatch.setattr(definitions, "_strimzi", lambda _: [])
    with pytest.raises(pytest.skip.Exception, match=r"no Go module proxy answers for github\.com/cloudnative-pg"):
        definitions.written(tmp_path)
