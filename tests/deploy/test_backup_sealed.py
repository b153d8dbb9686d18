"""A backup is encrypted to two operators: whoever has the folder reads nothing, either operator restores, and nobody else does."""

from __future__ import annotations

import shutil
from pathlib import Path

from referral.cli.policy import policy_folder
from referral.domain.policy import policy
from tests.deploy.backups import ENCRYPTS, Backups, in_clear, keys
from tests.deploy.test_backup import Server, backups, local, place, server
from tests.harness.waiting import comes

__all__ = ["backups", "place", "server"]
pytestmark = ENCRYPTS
AGENCIES = sorted(policy.compile(policy_folder.read(Path(__file__).parents[2] / "policy")).agencies)[:20]
PATHWAY = "trafficking-child"


def test_whoever_has_the_backups_reads_nothing_and_either_operator_restores(server: Server) -> None:
    new = server.place / "new"
    with server.archived(local(server.place)) as backups:
        server.sql("CREATE TABLE offer (agency text, pathway text)")
        for number, agency in enumerate(AGENCIES):
            server.sql(f"INSERT INTO offer VALUES ('{agency}', '{PATHWAY}')")
            if number == 5:
                backups.take("full")
            if number == 10:
                last = backups.take("incremental")
                server.put(1)
                moment = server.now(after=last)
                server.put(2)
        assert comes(lambda: any(backups.folder.glob("wal/*.partial.age"))), "the segment that is being written is there too"
        assert in_clear(backups.folder, PATHWAY, *AGENCIES) == set()
        assert in_clear(server.place / "data", PATHWAY, *AGENCIES) == {PATHWAY, *AGENCIES}, "where the rows are, the same look finds them"
    assert in_clear(backups.folder, PATHWAY, *AGENCIES) == set(), "nor after the archive has ended"

    (stranger,) = keys(server.place, "nobody")
    done = backups.restore(new, moment, key=stranger)
    said = done.stderr.splitlines()
    assert done.returncode == 1 and not new.exists(), done.stderr
    assert len(said) == 2 and "does not open it; take the key of one of the two operators" in said[0] and "nothing was written" in said[1]
    for key in backups.keys:
        done = backups.restore(new, moment, key=key)
        assert done.returncode == 0, done.stderr
        assert server.rows(new) == [1]
        shutil.rmtree(new)
    assert [path.name for path in server.place.iterdir() if "new." in path.name] == [], "nothing of what was decrypted is left"


def test_nothing_is_written_where_nobody_could_read_it_or_everybody(server: Server, backups: Backups) -> None:
    backups.take("full")
    when = "SELECT rolconfig FROM pg_roles WHERE rolname = 'archive'"
    before, one = server.sql(when), server.place / "one"
    one.write_text(Path(backups.environment["RECIPIENTS"]).read_text().splitlines()[1] + "\n")
    for recipients in ("", "/nonexistent", str(one), str(backups.keys[0])):
        backups.refused("must name a file with the lines age1... of two operators", "full", RECIPIENTS=recipients)
        said = backups.run("archive.sh", str(server.place / "another"), RECIPIENTS=recipients)
        assert said.returncode == 1 and said.stderr.startswith("archive: nothing was written: RECIPIENTS"), said.stderr
    without = server.place / "without"
    without.mkdir()
    for program in ("bash", "dirname", "basename", "realpath", "mkdir"):
        (without / program).symlink_to(str(shutil.which(program)))
    backups.refused("there is no program age", "full", PATH=str(without))
    said = backups.run("archive.sh", str(server.place / "another"), RUNTIME_DIRECTORY="/var")
    assert said.returncode == 1 and "must be a folder in memory" in said.stderr, said.stderr
    (backups.folder / "wal" / "00000001000000000000000F").write_bytes(b"of a release before")
    backups.refused("wal/00000001000000000000000F is not encrypted; let BACKUPS name a new folder", "full")
    assert server.sql(when) == before, "so the last good one grows old: `referral doctor` and BackupOld say it"


def test_what_the_memory_lost_is_received_again(server: Server) -> None:
    new = server.place / "new"
    with server.archived(local(server.place)) as backups:
        backups.take("full")
        server.put(1)
        server.put(2)
        server.sql("INSERT INTO kept VALUES (3)")  # in the next segment: of the one before, the server's slot keeps nothing
    wal = backups.folder / "wal"
    *_, last = sorted(path for path in wal.glob("*.age") if ".partial" not in path.name)
    for path in (last, *wal.glob("*.partial.age")):
        path.unlink()  # a power cut, between the last segment's end and its encryption
    with backups.received():
        server.put(4)
        assert comes(last.exists), "the server has sent it again"
    done = backups.restore(new)
    assert done.returncode == 0, done.stderr
    assert server.rows(new) == [1, 2, 3, 4]


def test_an_archive_that_cannot_write_counts_for_no_commit(server: Server, backups: Backups) -> None:
    server.put(1)
    shutil.rmtree(backups.folder / "wal")
    (backups.folder / "wal").write_text("no folder")
    server.sql("SELECT pg_switch_wal()")
    counts = "SELECT count(*) FROM pg_stat_replication WHERE application_name = 'archive'"
    assert comes(lambda: server.sql(counts) == "0"), "it ends, and commits wait"
    (backups.folder / "wal").unlink()
    server.put(2)
