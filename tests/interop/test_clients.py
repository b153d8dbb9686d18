"""Clients that public generators make of /openapi.json compile, and run against a real door; a public linter finds no error.

`make interop` runs them. Each downloads its generator from its language's registry, so that they are no part of `make test`.
"""

from __future__ import annotations

import asyncio
import os
import shutil
import subprocess
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from referral.runtime import http_server
from referral.runtime.observe import Health
from referral.runtime.settings import Settings
from services.intake.api import routes
from services.intake.pages import routes as pages
from tests.harness.line.intake_stack import Certified, stack
from tests.integration.intake.test_hostile import policy

pytestmark = [pytest.mark.servers, pytest.mark.long, pytest.mark.timeout(1800)]
HERE = Path(__file__).parent / "clients"
MOST_S = 1500
"""Seconds for a download and a build with empty caches on two busy cores (measured: 6 minutes for Go's)."""
OAPI_CODEGEN = "github.com/oapi-codegen/oapi-codegen/v2/cmd/oapi-codegen@v2.8.2"
NODE = ("@redocly/cli@2.0.8", "openapi-typescript@7.13.0", "typescript@5.9.3")
JAVA = "org.openapitools:openapi-generator-cli:7.17.0"


@dataclass(frozen=True)
class Door:
    """folder: holds openapi.json. url: of a door with the shipped policy's agencies."""

    folder: Path
    url: str

    async def run(self, *command: str, folder: Path | None = None, **more: str) -> str:
        """Run one command as an agency's developer does, and return what it printed."""
        environment = os.environ | {"REFERRAL_URL": self.url, "REFERRAL_TOKEN": "token-of-school"} | more
        ran = await asyncio.to_thread(
            lambda: subprocess.run(
                command, cwd=folder or self.folder, env=environment, capture_output=True, text=True, timeout=MOST_S, check=False
            )
        )
        assert ran.returncode == 0, f"{' '.join(command)}\n{ran.stdout[-4000:]}\n{ran.stderr[-4000:]}"
        return ran.stdout


def needs(*programs: str) -> None:
    """Skip with a reason where a language is not installed."""
    for program in programs:
        if not shutil.which(program):
            pytest.skip(f"{program} is not here: install it to try this generator")


@pytest.fixture
async def door(database: str, key_files: tuple[Path, Path], tmp_path: Path) -> AsyncIterator[Door]:
    settings = Settings(kafka="", database=database, master_key_file=key_files[0], instance="test", drill_clock=True)
    async with stack(settings) as made:
        in_force = policy()
        app = Certified(pages.application(routes.routes(made.door, b"k" * 32), pages.made(made.door, lambda: in_force, secure=True)))
        bound, server = http_server.listen("127.0.0.1", 0), http_server.server(Health(), app)
        bound.listen()
        task = asyncio.create_task(http_server.serve(server, bound))
        (tmp_path / "openapi.json").write_bytes((await made.http.get("/openapi.json")).content)
        try:
            yield Door(tmp_path, f"http://127.0.0.1:{bound.getsockname()[1]}")
        finally:
            server.should_exit = True
            await task


def placed(name: str, folder: Path) -> None:
    """Copy a program of ours beside the generated client."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / name).write_text((HERE / f"{name}.txt").read_text("utf-8"), "utf-8")


async def test_a_generated_go_client_sends_the_first_referral(door: Door) -> None:
    needs("go")
    (door.folder / "client").mkdir()
    (door.folder / "go.mod").write_text("module client\n\ngo 1.24\n")
    await door.run("go", "run", OAPI_CODEGEN, "-package", "client", "-generate", "types,client", "-o", "client/client.go", "openapi.json")
    placed("main.go", door.folder)
    await door.run("go", "mod", "tidy")
    assert (await door.run("go", "run", ".")).startswith("case ")


async def test_generated_types_take_the_first_referral_and_a_linter_finds_no_error(door: Door) -> None:
    needs("node", "npm", "npx")
    (door.folder / "package.json").write_text("{}")
    await door.run("npm", "install", "--no-audit", "--no-fund", "--ignore-scripts", "--silent", *NODE)
    quiet = {"REDOCLY_TELEMETRY": "off", "REDOCLY_SUPPRESS_UPDATE_NOTICE": "true"}
    await door.run("npx", "redocly", "lint", "--max-problems", "1000", "openapi.json", **quiet)
    await door.run("npx", "openapi-typescript", "openapi.json", "-o", "api.ts")
    placed("main.ts", door.folder)
    options = ("--strict", "--target", "es2022", "--module", "commonjs", "--lib", "es2022,dom")
    await door.run("npx", "tsc", *options, "main.ts")
    assert (await door.run("node", "main.js")).startswith("case ")


async def test_a_generated_java_client_sends_the_first_referral(door: Door) -> None:
    needs("java", "mvn")
    await door.run("mvn", "-q", "dependency:copy", f"-Dartifact={JAVA}", "-DoutputDirectory=jar")
    jar = next((door.folder / "jar").glob("*.jar"))
    made = door.folder / "made"
    plain = "apiTests=false,modelTests=false,apiDocs=false,modelDocs=false"
    generate = ("generate", "-i", "openapi.json", "-g", "java", "--library", "native", "-o", "made", "--global-property", plain)
    await door.run("java", "-jar", str(jar), *generate)
    placed("Main.java", made / "src" / "main" / "java")
    await door.run("mvn", "-q", "compile", "dependency:build-classpath", "-Dmdep.outputFile=classpath", folder=made)
    classes = f"{made}/target/classes:{(made / 'classpath').read_text().strip()}"
    assert (await door.run("java", "-cp", classes, "Main")).startswith("case ")
