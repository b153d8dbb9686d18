"""The images of this commit, built once for each content: `archive("services")` is a file for `docker load` or `ctr images import`.

They are kept in ~/.cache/referral/images by the digest of what they are made of, so that a second run builds none. `elsewhere` builds one
again, as another person would on another machine.
"""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
import shutil
import subprocess
import tarfile
from pathlib import Path

import pytest

from referral.local import data_folder

ROOT = data_folder.checkout()
CODE = ("deploy/image", "referral", "services", "schemas", "policy", "engines", "deploy/monitoring/rules.yaml", "LICENSE")
MADE_OF = {"services": CODE, "oversight": CODE, "broker": ("deploy/image", "deploy/kafka", "referral/local"), "database": ("deploy/image",)}
"""Name → what its content depends on, as in deploy/image/build.sh. Each image's name in an engine is `referral-NAME`."""
NEEDS = {"buildah": "buildah", "dpkg-deb": "dpkg", "apt-get": "apt"}
"""Program → the Debian package that has it."""


def archive(name: str) -> Path:
    """Return the archive of an image of this commit, building it if there is none. Skips the test where images cannot be built."""
    folder = data_folder.default_jars().parent / "images"
    folder.mkdir(parents=True, exist_ok=True)
    file = folder / f"{name}-{_inputs(name)}.tar"
    with (folder / f"{name}.lock").open("w") as lock:  # two runs that want the same one build it once
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not file.exists():
            build(name, file.with_suffix(".new"))
            for older in folder.glob(f"{name}-*.tar"):
                older.unlink()
            file.with_suffix(".new").rename(file)
    return file


def digest(archive: Path) -> str:
    """Return the number by which an engine lists an image."""
    with tarfile.open(archive) as whole:
        manifest = whole.extractfile("manifest.json")
        assert manifest is not None
        return "sha256:" + str(json.load(manifest)[0]["Config"]).removesuffix(".json")


def build(name: str, file: Path) -> str:
    """Build an image into a file and return its digest. Skips the test where images cannot be built."""
    return _built(name, file, ROOT, [])


class Elsewhere:
    """A checkout of this commit in another folder, where it is tomorrow, in another time zone, and files are private at first."""

    def __init__(self, folder: Path) -> None:
        """Make the checkout. folder: a new one. Skips the test where there is no other clock."""
        if shutil.which("faketime") is None:
            pytest.skip("no faketime, for a second build on another day: apt-get install faketime")
        self._checkout, self._temporary = folder / "a checkout", folder / "temporary"
        self._temporary.mkdir(parents=True)
        subprocess.run(["git", "clone", "-q", "--shared", str(ROOT), str(self._checkout)], check=True, timeout=120)
        # How to build is taken as it stands here, be it committed or not; so is the first build's.
        shutil.copytree(ROOT / "deploy" / "image", self._checkout / "deploy" / "image", dirs_exist_ok=True)
        (self._checkout / ".venv").symlink_to(ROOT / ".venv")

    def build(self, name: str, file: Path) -> str:
        """Build an image there into a file and return its digest."""
        words = ["sh", "-c", 'umask 077; exec "$@"', "sh", "faketime", "-f", "+25h"]
        return _built(name, file, self._checkout, words, TZ="Pacific/Kiritimati", TMPDIR=str(self._temporary))


def _built(name: str, file: Path, checkout: Path, within: list[str], **variables: str) -> str:
    missing = sorted({package for program, package in NEEDS.items() if shutil.which(program) is None})
    if missing:
        pytest.skip(f"no {', '.join(missing)}, which builds images: apt-get install {' '.join(missing)}")
    if os.geteuid() != 0:
        pytest.skip("images are built by root here: run `make deploy-test` as root")
    words = [*within, "bash", "deploy/image/build.sh", name, str(file)]
    environment = {**os.environ, **variables}
    done = subprocess.run(words, cwd=checkout, env=environment, capture_output=True, text=True, timeout=900, check=False)
    assert done.returncode == 0, f"deploy/image/build.sh {name} failed:\n{done.stdout}{done.stderr}"
    return done.stdout.split()[-1]


def _inputs(name: str) -> str:
    """Return a digest of what an image is made of: the commit that last changed it, and how to build it, be that committed or not."""
    last = subprocess.run(["git", "log", "-1", "--format=%H", "--", *MADE_OF[name]], cwd=ROOT, capture_output=True, check=True).stdout
    whole = hashlib.sha256(last)
    for path in sorted(path for path in (ROOT / "deploy" / "image").rglob("*") if path.is_file()):
        whole.update(path.read_bytes())
    return whole.hexdigest()[:16]
