"""`referral policy check`: check that a policy is complete, and that every case reaches somebody, whichever agency fails."""

from __future__ import annotations

import os
import time
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Annotated

import msgspec
import typer

from referral.analysis.reachability.counterexample import text
from referral.analysis.reachability.explore import Row
from referral.analysis.reachability.run import CheckOptions, LocatedFinding, Result, families, run
from referral.cli import console
from referral.cli.policy import charts, policy_folder
from referral.domain.policy import Policy, questions
from referral.domain.policy.reading.reader import allowed
from referral.errors import Rejected
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
    _known("pathway", pathway or (), [one.id for one in compiled.every])
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
        print_unread(compiled)
        print_sums(result, seconds)
        console.console.print(_verdict(len(result.found), len(files), digest))
    return 1 if wrong else 0


def print_unread(policy: Policy) -> None:
    """Print a note about the flags that people are asked for and no procedure tests: the answer is kept, and opens nothing."""
    if unread := questions.unread(policy.questions, policy.current):
        console.console.print(f"note: people are asked about {', '.join(unread)}, and no procedure tests it: the answer opens nothing")


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


TITLE = "Longest wait when everybody answers in the last minute → when {} (one time: the same)"
COLUMNS = ("first acceptance", "a bed", "a desk is asked")
STEPS = 6
"""Steps named in one note."""
WORST = 3
"""Municipalities named for each procedure."""


def print_times(result: Result, policy: Policy, fails: str, every: bool) -> None:
    """Print the longest waits of each procedure and their places; or those of every municipality. fails: the failing agencies, in words."""
    rows = []
    for pathway in policy.every:
        by_place = {place: row for (id, place), row in result.tally.rows.items() if id == pathway.id}
        if not by_place:
            continue
        whole = Row()
        for row in by_place.values():
            whole.add(row)
        name = policy.names("pathway", pathway.id, "en")
        if every:
            rows += [(name, policy.names("municipality", place, "en"), *_cells(row)) for place, row in sorted(by_place.items())]
        else:
            rows.append((name, _worst(by_place, policy), *_cells(whole)))
    where = "municipality" if every else "where it is longest"
    console.table(("procedure", where, *COLUMNS), rows, title=TITLE.format(fails))


def _worst(by_place: dict[str, Row], policy: Policy) -> str:
    longest = max(max(row.bed, row.first) for row in by_place.values())
    places = [place for place, row in by_place.items() if max(row.bed, row.first) == longest]
    if len(places) == len(policy.municipalities):
        return "everywhere"
    names = [policy.names("municipality", place, "en") for place in places]
    more = f" and {len(names) - WORST} more" if len(names) > WORST else ""
    return ", ".join(names[:WORST]) + more


def _cells(row: Row) -> tuple[str, ...]:
    return _times(row.calm_first, row.first), _times(row.calm_bed, row.bed), f"{row.desks / row.ways:.0%}" if row.ways else ""


def _times(calm: int, worst: int) -> str:
    if worst < 0 or calm == worst:
        return charts.waits(worst)
    return f"{charts.waits(calm)} → {charts.waits(worst)}"


def print_found(result: Result, policy: Policy, *, told: bool) -> None:
    """Print one line for each weakness, one paragraph for each fault, and a story that leads to the first fault."""
    for line in _notes(result, policy):
        console.console.print(line, soft_wrap=True, markup=False, style="dim")
    for fault in result.found.values():
        for line in lines(fault, policy):
            console.errors.print(line, soft_wrap=True, markup=False)
    example = next((fault.story for fault in result.found.values() if fault.story is not None), None)
    if example is not None and told:
        console.errors.print(
            f"\nHow one comes to the first (--stories DIR writes this for all):\n{text(example)}", soft_wrap=True, markup=False
        )


def _notes(result: Result, policy: Policy) -> Iterator[str]:
    """Yield the weaknesses by procedure; steps with the same weakness in equally many municipalities share a line."""
    steps: dict[tuple[str, str, int], list[str]] = {}
    for weakness in result.weak.values():
        finding = weakness.finding
        steps.setdefault((finding.pathway, finding.said, len(weakness.places)), []).append(finding.step)
    for (pathway, said, count), names in steps.items():
        where = "everywhere" if count == len(policy.municipalities) else f"in {count} municipalit{'ies' if count > 1 else 'y'}"
        more = f" and {len(names) - STEPS} more" if len(names) > STEPS else ""
        yield f"note: {pathway}, {', '.join(names[:STEPS])}{more}: {said} ({where})"


def lines(fault: LocatedFinding, policy: Policy) -> Iterator[str]:
    """Yield a fault, its places, an example child, and a possible remedy."""
    finding = fault.finding
    step = f", step {finding.step}" if finding.step else ""
    yield f"pathways/{finding.pathway}.yaml{step}: {finding.said}"
    if fault.places:
        where = ", ".join(policy.names("municipality", place, "en") for place in fault.places[:WORST])
        more = f" and {len(fault.places) - WORST} more" if len(fault.places) > WORST else ""
        place = "everywhere" if len(fault.places) == len(policy.municipalities) else where + more
        yield f"    where: {place}; for example: {finding.who}"
    if finding.do:
        yield f"    {finding.do}"


def print_sums(result: Result, seconds: float) -> None:
    """Print how much was checked, and the violations that never occurred."""
    tally = result.tally
    apart = f", {tally.excluded} with somebody excluded" if tally.excluded else ""
    walked = f"{tally.walked} of these walked{apart}, the others go alike"
    looked = f"{tally.kinds} kinds of cases on {tally.ways} ways; {walked}; {tally.decisions} decisions; {seconds:.0f} s"
    console.say(looked)
    if not any(found.finding.kind == "forbidden" for found in result.found.values()):
        said = "no one of them went to somebody banned or excluded, or showed a section that its step does not show"
        console.say(f"{tally.offers} offers: {said}")


def document(result: Result) -> dict[str, object]:
    """Return everything for a program. Times in seconds; -1: never."""
    tally = result.tally
    return {
        "times": [
            {
                "pathway": pathway,
                "municipality": place,
                "first_nobody_fails": _seconds(row.calm_first),
                "first": _seconds(row.first),
                "first_when": row.by_first,
                "bed_nobody_fails": _seconds(row.calm_bed),
                "bed": _seconds(row.bed),
                "bed_when": row.by_bed,
                "desk_before_anybody": _seconds(row.desk),
                "ways": row.ways,
                "ways_to_a_desk": row.desks,
                "ways_without_a_bed": row.no_bed,
            }
            for (pathway, place), row in sorted(tally.rows.items())
        ],
        "wrong": [_found(found) for found in result.found.values()],
        "weak": [_found(found) for found in result.weak.values()],
        "looked_at": {name: getattr(tally, name) for name in ("kinds", "ways", "walked", "decisions", "offers")},
    }


def _found(found: LocatedFinding) -> dict[str, object]:
    said: dict[str, object] = msgspec.to_builtins(found.finding)
    return {**said, "municipalities": found.places, **({"story": text(found.story)} if found.story else {})}


def _seconds(micros: int) -> float:
    return micros / 1e6 if micros >= 0 else -1


POLICIES = "policies"


def write(folder: Path, result: Result, files: Mapping[str, bytes]) -> list[Path]:
    """Write one story for each fault that has one. Rejected: the folder cannot be made."""
    changed = differing(files, policy_digest.read(settings.CHECKOUT / "policy"))
    name = f"{POLICIES}/{policy_digest.digest(changed)[:8]}" if changed else ""
    with_story = [fault for fault in result.found.values() if fault.story is not None]
    if not with_story:
        return []
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for file, data in changed.items():
            target = folder / name / file
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(data)
    except OSError as error:
        raise Rejected("no-folder", str(folder), error.strerror or str(error)) from None
    written: list[Path] = []
    for fault in with_story:
        assert fault.story is not None
        finding = fault.finding
        stem = "-".join(filter(None, (finding.kind, finding.pathway, finding.step)))
        same = sum(1 for path in written if path.stem.startswith(stem))
        written.append(folder / f"{stem}{f'-{same + 1}' if same else ''}.yaml")
        written[-1].write_text(text(fault.story, name), "utf-8")
    return written


def differing(files: Mapping[str, bytes], shipped: Mapping[str, bytes]) -> dict[str, bytes]:
    """Return the files that are new or changed; a removed file is empty."""
    changed = {path: data for path, data in files.items() if shipped.get(path) != data}
    return {**changed, **{path: b"" for path in shipped if path not in files}}
