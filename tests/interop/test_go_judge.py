"""What we write, a Go program of other people's libraries accepts; what somebody changed, it and we refuse alike. It sees only files."""

from __future__ import annotations

import random
import shutil
import subprocess
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path

import pytest
from msgspec.structs import replace

from referral.errors import Malformed
from referral.tlog import integrity, merkle, note, proof_file, witness, witness_policy
from referral.tlog.checkpoint import Checkpoint
from referral.tlog.note import Note
from referral.tlog.note_keys import COSIGNATURE, ED25519, SignerKey
from referral.tlog.tile_layout import Tile
from referral.tlog.witness_policy import Policy
from tests.harness.made_log import LOG, NOW, ORIGIN, WITNESSES, Log, made, policy

SIZE = 70_000
SEED = 20_260_101
HERE = Path(__file__).parent
Files = dict[str, bytes]
"""Name → bytes: a proof and what it is about."""


@cache
def log() -> Log:
    return made(SIZE, "an entry of the log, number")


pytestmark = pytest.mark.xdist_group("go")
"""One worker builds the program, and nobody else has to."""


@pytest.fixture(scope="session")
def judge(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The built program; skips where Go, or the modules that go.sum names, cannot be had."""
    if shutil.which("go") is None:
        pytest.skip("Go is not installed (1.25 or newer builds tests/interop)")
    fetched = subprocess.run(["go", "mod", "download"], cwd=HERE, capture_output=True, text=True)
    if fetched.returncode:
        pytest.skip(f"Go cannot fetch the modules of tests/interop: {fetched.stderr.strip()[-300:]}")
    program = tmp_path_factory.mktemp("go") / "judge"
    subprocess.run(["go", "build", "-mod=readonly", "-o", program, "."], cwd=HERE, check=True)
    return program


@pytest.fixture(scope="session")
def written(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The log as files, with the policy beside it."""
    folder = tmp_path_factory.mktemp("log")
    log().write(folder / "log")
    (folder / "policy").write_bytes(policy())
    return folder


def theirs(judge: Path, folder: Path) -> dict[str, str]:
    """Path → "good" or "bad …" in Go's words."""
    done = subprocess.run([judge, folder], capture_output=True, text=True)
    assert not done.returncode, done.stderr
    lines = [line.partition(" ") for line in done.stdout.splitlines()]
    return {rest.partition(": ")[0]: word if word == "good" else f"bad {rest}" for word, _, rest in lines}


def ours(folder: Path) -> dict[str, str]:
    """The same by our own code."""
    rules, found = witness_policy.parse((folder / "policy").read_bytes()), {}
    checks: dict[str, Callable[[Policy, Path], None]] = {".tlog-proof": proven, ".consistency": continued, "": stands}
    for path in sorted(folder.rglob("*")):
        if path.name == "checkpoint" or path.suffix in (".tlog-proof", ".consistency"):
            try:
                checks[path.suffix](rules, path)
            except Malformed as error:
                found[str(path.relative_to(folder))] = f"bad {error}"
            else:
                found[str(path.relative_to(folder))] = "good"
    return found


def proven(rules: Policy, path: Path) -> None:
    leaf = merkle.leaf_hash(path.with_suffix(".entry").read_bytes())
    proof_file.check(proof_file.parse(path.read_bytes()), leaf, rules)


def continued(rules: Policy, path: Path) -> None:
    request = witness.parse(path.read_bytes())
    old = witness_policy.accept(rules, note.parse(path.with_suffix(".old").read_bytes())).checkpoint
    new = witness_policy.accept(rules, request.signed).checkpoint
    if request.old != old.size:
        raise Malformed("old", "another size")
    merkle.check_consistency(old.size, new.size, request.proof, old.root, new.root)


def stands(rules: Policy, path: Path) -> None:
    said = witness_policy.accept(rules, note.parse(path.read_bytes())).checkpoint

    def read(tile: Tile) -> bytes | None:
        place = path.parent / tile.path
        return place.read_bytes() if place.exists() else None

    integrity.check(said.size, said.root, read)


def inclusion(index: int, size: int = SIZE, extra: bytes | None = None) -> Files:
    proof = replace(log().proof(index, size), extra=extra)
    return {"one.tlog-proof": proof.encode(), "one.entry": log().entries[index]}


def consistency(old: int, new: int) -> Files:
    body = witness.body(old, merkle.consistency(log().nodes, old, new), log().signed(new))
    return {"one.consistency": body, "one.old": log().signed(old).encode()}


def put(folder: Path, cases: list[Files], rules: bytes = policy()) -> Path:
    for number, files in enumerate(cases):
        place = folder / f"{number:03}"
        place.mkdir(parents=True)
        for name, data in files.items():
            (place / name).write_bytes(data)
    (folder / "policy").write_bytes(rules)
    return folder


def good() -> list[Files]:
    """Proofs about the first, last and middle leaf of sizes at which tiles begin and end."""
    sizes = [1, 2, 255, 256, 257, 511, 65_535, 65_536, 65_537, 69_888, SIZE - 1, SIZE]
    found = [inclusion(index, size, extra) for size in sizes for index, extra in ((0, None), (size // 2, b""), (size - 1, b"anything"))]
    return found + [consistency(old, new) for old in sizes for new in sizes if old <= new]


def test_go_accepts_the_log_and_every_proof_of_it(judge: Path, written: Path, tmp_path: Path) -> None:
    assert theirs(judge, written) == ours(written) == {"log/checkpoint": "good"}
    folder = put(tmp_path, good())
    found = theirs(judge, folder)
    assert len(found) == len(good())
    assert set(found.values()) == {"good"}
    assert ours(folder) == found


@pytest.mark.parametrize("size", [0, 1, 255, 256, 257, 300])
def test_go_accepts_a_small_log(judge: Path, tmp_path: Path, size: int) -> None:
    made(size).write(tmp_path / "log")
    (tmp_path / "policy").write_bytes(policy())
    assert theirs(judge, tmp_path) == ours(tmp_path) == {"log/checkpoint": "good"}


def test_go_takes_a_witness_in_both_encodings_of_its_key(judge: Path, tmp_path: Path) -> None:
    rules = policy()
    for key in WITNESSES:
        rules = rules.replace(key.verifier.encode(), key.verifier.as_kind(ED25519).encode())
    folder = put(tmp_path, [inclusion(69_000)], rules)
    assert theirs(judge, folder) == {"000/one.tlog-proof": "good"}


def resigned(text: bytes, log_key: SignerKey = LOG, witnesses: tuple[SignerKey, ...] = WITNESSES) -> bytes:
    """A note by somebody who has the keys, so that nothing but the text is wrong with it."""
    return Note(text, tuple(note.sign(text, key, NOW) for key in (log_key, *witnesses))).encode()


def told_otherwise() -> Iterator[Files]:
    """With the keys of log and witnesses: other spellings of the same checkpoint, other heads, other keys."""
    good, entry = inclusion(4711), log().entries[4711]
    head, _, _ = good["one.tlog-proof"].partition(b"\n\n")
    text = log().checkpoint().text
    size, root = b"\n70000\n", text.split(b"\n")[2]
    texts = [text.replace(size, b"\n%s\n" % word) for word in (b"070000", b"+70000", b" 70000", b"70_000", b"4711", b"2000000")]
    texts += [text + b"extension\n", text.replace(root, root[:-2] + bytes([root[-2] + 1]) + b"="), text.replace(root, root[:-4])]
    texts += [text.replace(ORIGIN.encode(), b"log.example/other"), b"\n" + text, text[:-1].replace(b"\n", b"\v\n", 1) + b"\n"]
    notes = [resigned(text) for text in texts]
    notes += [resigned(text, witnesses=WITNESSES[1:]), resigned(text, SignerKey(ORIGIN, ED25519, bytes(32)))]
    notes += [resigned(text, witnesses=(*WITNESSES[:2], SignerKey(WITNESSES[2].name, COSIGNATURE, bytes(32))))]
    notes += [resigned(text, witnesses=(*WITNESSES[:2], replace(WITNESSES[2], kind=ED25519)))]
    notes += [note.parse(log().signed().encode()).text + b"\n" + b"".join(s.line for s in log().signed().signatures[1:])]
    notes += [resigned(Checkpoint(ORIGIN, SIZE, made(SIZE - 1).edge.root).text)]
    for signed in notes:
        yield {"one.tlog-proof": head + b"\n\n" + signed, "one.entry": entry}
    for word in (b"index 4712", b"index 04711", b"index +4711", b"Index 4711", b"index 4711 ", b"index 70000", b"extra x\nindex 4711"):
        yield good | {"one.tlog-proof": good["one.tlog-proof"].replace(b"index 4711", word)}
    yield good | {"one.tlog-proof": good["one.tlog-proof"].replace(b"\n", b"\r\n")}
    yield good | {"one.tlog-proof": good["one.tlog-proof"].replace(b"\n", b"\r\n", 3)}
    yield good | {"one.entry": entry + b"\n"}
    yield good | {"one.entry": b""}
    yield good | {"one.entry": b"\x01" + log().nodes(0, 4711)}
    fork = Log([b"another first entry", *(f"an entry of the log, number {number}".encode() for number in range(1, 300))])
    yield consistency(256, 300) | {"one.old": fork.signed(256).encode()}
    yield consistency(256, 300) | {"one.old": log().signed(257).encode()}
    yield {name: data.replace(b"old 256", b"old 0") for name, data in consistency(256, 300).items()}


def lines_moved(dice: random.Random) -> Files:
    """A line above the signatures is left out, comes twice, or changes its place with another one."""
    files = dice.choice([inclusion(dice.randrange(SIZE)), consistency(dice.randrange(1, SIZE // 2), dice.randrange(SIZE // 2, SIZE))])
    name = next(name for name in files if not name.endswith((".entry", ".old")))
    lines = files[name].split(b"\n")
    places = [number for number, line in enumerate(lines) if line and not line.startswith("—".encode())]
    one, other = dice.sample(places, 2)
    match dice.randrange(3):
        case 0:
            del lines[one]
        case 1:
            lines.insert(one, lines[one])
        case _:
            lines[one], lines[other] = lines[other], lines[one]
    return files | {name: b"\n".join(lines)}


def byte_changed(dice: random.Random) -> Files:
    """One byte of one file is another, but for the bits below base64's padding in a signature, which Go's decoder does not look at."""
    files = dice.choice([inclusion(dice.randrange(SIZE)), consistency(dice.randrange(1, SIZE // 2), dice.randrange(SIZE // 2, SIZE))])
    name = dice.choice(sorted(files))
    data = bytearray(files[name])
    place = dice.choice([at for at in range(len(data)) if data[at + 1 : at + 2] != b"="])
    data[place] ^= dice.randrange(1, 256)
    return files | {name: bytes(data)}


MUTATED_LOGS = 24


def small_mutations() -> list[Files]:
    dice, found = random.Random(SEED), list(told_otherwise())
    while len(found) < 100 - MUTATED_LOGS:
        found.append(dice.choice([lines_moved, byte_changed, byte_changed])(dice))
    return found


def test_go_and_we_refuse_the_same_changed_proofs(judge: Path, tmp_path: Path) -> None:
    folder = put(tmp_path, small_mutations())
    go, own = theirs(judge, folder), ours(folder)
    assert len(go) == 100 - MUTATED_LOGS
    assert [path for path, verdict in own.items() if verdict == "good"] == []
    assert [path for path, verdict in go.items() if verdict == "good"] == []
    assert go.keys() == own.keys()


def log_changed(folder: Path, dice: random.Random) -> Callable[[], None]:
    """One tile or bundle is changed, cut, lengthened, lost, or stands for another; the answer puts it back."""
    files = sorted(path for path in folder.rglob("*") if path.is_file() and (path.name == "checkpoint" or "tile" in path.parts))
    path = dice.choice([path for path in files if path.parent.name != "0"] if dice.random() < 0.5 else files)
    data = path.read_bytes()
    match dice.randrange(5):
        case 0:
            path.write_bytes(data[:-1])
        case 1:
            path.write_bytes(data + b"\0")
        case 2:
            path.unlink()
        case 3:
            other = dice.choice([other for other in files if other != path and other.read_bytes() != data])
            path.write_bytes(other.read_bytes())
        case _:
            changed = bytearray(data)
            changed[dice.randrange(len(data) - 3 if path.name == "checkpoint" else len(data))] ^= dice.randrange(1, 256)
            path.write_bytes(changed)
    return lambda: (path.write_bytes(data), None)[1]


def test_go_and_we_refuse_the_same_changed_logs(judge: Path, written: Path) -> None:
    dice = random.Random(SEED + 1)
    for _ in range(MUTATED_LOGS):
        put_back = log_changed(written / "log", dice)
        try:
            go, own = theirs(judge, written), ours(written)
        finally:
            put_back()
        assert [verdict for verdict in (*go.values(), *own.values()) if verdict == "good"] == []
        assert go.keys() == own.keys()
    assert theirs(judge, written) == ours(written) == {"log/checkpoint": "good"}
