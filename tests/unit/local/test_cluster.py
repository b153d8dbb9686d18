"""Three brokers and a database with standbys on one machine: what each is told of the others, and what cannot be started."""

from __future__ import annotations

from pathlib import Path

import pytest
from sqlalchemy.engine import make_url

from referral.local import cluster, data_folder, kafka
from referral.local.cluster import ALONE, STANDBY, Databases
from referral.local.data_folder import Trouble


def folders(at: Path, count: int) -> Databases:
    return Databases(tuple(at / f"p{number}" for number in range(1, count + 1)), at / "pgpass")


def test_three_brokers_vote_hold_three_copies_and_stay_three(tmp_path: Path) -> None:
    known = {name: 20_000 + number for number, name in enumerate(cluster.port_names(3))}
    members = cluster.brokers(tmp_path, 3, known)
    assert [(member.port, member.agencies) for member in members] == [(20_000, 20_001), (20_003, 20_004), (20_006, 20_007)]
    assert len({member.cluster for member in members}) == 1
    template = (data_folder.checkout() / "deploy" / "kafka" / "server.properties").read_text()
    places = {"data": Path("/d"), "identity": Path("/i"), "root": Path("/r")}
    text = kafka.render(template, kafka.Ports(20_003, 20_004, 20_005), **places, member=members[1])
    found = dict(line.split("=", 1) for line in text.splitlines() if line and not line.startswith("#"))
    assert found["node.id"] == "2"
    assert found["controller.quorum.voters"] == "1@127.0.0.1:20002,2@127.0.0.1:20005,3@127.0.0.1:20008"
    assert found["offsets.topic.replication.factor"] == "3" and found["transaction.state.log.min.isr"] == "2"
    assert cluster.brokers(tmp_path, 3, known) == members
    with pytest.raises(Trouble, match="--brokers 3"):
        cluster.brokers(tmp_path, 1, {})


def test_one_broker_alone_is_as_before_and_does_not_become_three(tmp_path: Path) -> None:
    assert cluster.brokers(tmp_path, 1, {}) == [ALONE] and cluster.port_names(1) == []
    (tmp_path / "kafka").mkdir()
    with pytest.raises(Trouble, match="--brokers 1"):
        cluster.brokers(tmp_path, 3, {})


def test_a_lone_standby_follows_and_of_two_one_must_have_each_commit(tmp_path: Path) -> None:
    one, two = folders(tmp_path, 2), folders(tmp_path, 3)
    assert not any("synchronous" in word for word in one.settings(one.folders[0], "postgres"))
    assert "synchronous_standby_names=ANY 1 (p1,p2,p3)" in two.settings(two.folders[0], "postgres")
    query = make_url(two.url("referral", "postgres")).query
    assert str(query["host"]).count(",") == 2 and query["target_session_attrs"] == "read-write"


def test_two_servers_that_would_both_take_writes_are_not_started(tmp_path: Path) -> None:
    among = folders(tmp_path, 2)
    assert among.empty
    for folder in among.folders:
        (folder / "data").mkdir(parents=True)
    with pytest.raises(Trouble, match="would both take writes"):
        among.check()
    (among.folders[0] / "data" / STANDBY).touch()
    among.check()
    assert not among.empty
