"""`referral policy check`: check that a policy is complete, and that every case reaches somebody, whichever agency fails."""

from __future__ import annotations

import os
import time
from collections.abc import Iterable
from pathlib import Path
from typing import Annotated

import typer

from referral.analysis.reachability.run import CheckOptions, Result, families, run
from referral.cli import console
from referral.cli.policy import charts, policy_folder
from referral.cli.policy.check_report import document, print_found, print_sums, print_times, write
from referral.domain.policy import Policy
from referral.domain.policy.reading.reader import allowed
from referral.runtime import settings
from referral.wire import policy_digest

CORES = os.cpu_count() or 1
Quick = Annotated[bool, typer.Option("--quick", help="Only read the files: is everything known and complete?")]
Whole = Annotated[bool, typer.Option("--all", help="Every procedure in every municipality, not only the longest waits.")]
Only = Annotated[list[str] | None, typer.Option("--pathway", help="Only this procedure; may be given several times.")]
Where = Annotated[list[str] | None, typer.Option("--in", help="Only this municipality; may be given several times.")]
Deep = Annotated[bool, typer.Option("--deep", help="For trafficking any two agencies that fail: takes minutes.")]
Failing = Annotated[int, typer.Option("--failing", min=0, max=2, help="Number of agencies that fail, one after the other, in one case.")]
Svg = Annotated[Path | None, typer.Option("--svg", help="Draw the longest waits of every municipality into this file.")]
Stories = Annotated[Path | None, typer.Option("--stories", help="Write the faults into this folder, as stories that can be run.")]
Jobs = Annotated[int, typer.Option("--jobs", min=1, help="Processes; the result is the same for any number.")]


def check(
    folder: policy_folder.Folder = None,
    quick: Quick = False,
    every: Whole = False,
    pathway: Only = None,
    where: Where = None,
    failing: Failing = 1,
    deep: Deep = False,
    svg: Svg = None,
    stories: Stories = None,
    jobs: Jobs = CORES,
    as_json: console.Json = False,
) -> int:
    """Check that everything in the folder is known and complete, and that every case reaches somebody, whichever one agency fails.

    Every procedure, municipality and kind of child goes through the decision engine itself. Exit 0 yes, 1 no, 2 it cannot be read.

    Example: referral policy check policy
    """
    files = policy_folder.read_argument(folder or settings.CHECKOUT / "policy")
    digest, (compiled, errors) = policy_digest.digest(files), policy_folder.check(files)
    if compiled is None or quick:
        if as_json:
            console.document({"ok": not errors, "digest": digest, "files": len(files), "errors": errors})
        else:
            console.wrong(errors)
            console.console.print(_verdict(len(errors), len(files), digest))
        return 1 if errors else 0
    _known("pathway", pathway or (), [one.id for one in compiled.current])
    _known("municipality", where or (), list(compiled.municipalities))
    fails = "one or two agencies fail" if deep or failing > 1 else ("nobody fails", "one agency fails")[failing]
    for path in filter(None, (svg, stories)):
        if not path.absolute().parent.is_dir():
            raise typer.BadParameter(f"{path.parent}: there is no such folder")
    options = CheckOptions(files=files, depth=failing, deep=deep, pathways=tuple(pathway or ()), places=tuple(where or ()))
    began = time.perf_counter()
    result = _check_families(compiled, options, jobs, as_json)
    seconds = time.perf_counter() - began
    wrong = bool(result.found)
    if stories is not None:
        write(stories, result, files)
    if svg is not None:
        svg.write_text(charts.longest_waits(result, compiled, fails), "utf-8")
    if as_json:
        console.document({"ok": not wrong, "digest": digest, "files": len(files), "errors": [], **document(result)})
    else:
        print_times(result, compiled, fails, every)
        print_found(result, compiled, told=stories is None)
        print_sums(result, seconds)
        console.console.print(_verdict(len(result.found), len(files), digest))
    return 1 if wrong else 0


def _verdict(errors: int, files: int, digest: str) -> str:
    """Return the last line of the report: the number of errors, or the files and digest of a good policy."""
    return f"{errors} error{'s' if errors > 1 else ''}" if errors else f"good: {files} files, digest {digest[:16]}"


def _check_families(compiled: Policy, options: CheckOptions, jobs: int, quiet: bool) -> Result:
    with console.progress(quiet=quiet) as bar:
        task = bar.add_task("kinds of cases", total=None)
        made = families(compiled, options)
        bar.update(task, total=sum(map(len, made)))
        result = run(compiled, options, made, jobs, lambda done: bar.advance(task, done))
    result.finish(compiled)
    return result


def _known(kind: str, named: Iterable[str], known: list[str]) -> None:
    for word in named:
        if word not in known:
            raise typer.BadParameter(f"{kind} {word} is not known; {allowed(word, known)}")
