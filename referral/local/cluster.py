"""Let several local servers be one: three brokers that copy each record to one another, a database with standbys. Pure but for files."""

from __future__ import annotations

import base64
import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

from referral.local import data_folder
from referral.local.data_folder import Trouble, of_os
from referral.runtime.kafka import replication

SOCKET = ".s.PGSQL.5432"
STANDBY = "standby.signal"
"""File in the data of a server that follows another one."""
PORT = 5432
"""Number in the name of a database's socket; a server without a network listens on no port."""
QUORUM = 2
"""Fewest standbys of which one must have a commit before it counts (ours). One alone only follows: its death would stop the line."""
KEPT_WAL = "512MB"
"""Log that each database server keeps for a standby that was away (ours): minutes under load. Who was away for longer is copied anew."""


@dataclass(frozen=True, slots=True)
class Broker:
    """One broker of several.

    node: its number, from 1. port: at which it answers. agencies: at which it answers agencies' systems. controllers: node → port of its
    controller. cluster: identifier of the cluster.
    """

    node: int
    port: int
    agencies: int
    controllers: Mapping[int, int]
    cluster: str


ALONE = Broker(1, 0, 0, {}, "")
"""A broker without others: it chooses its ports and makes its identifier itself."""


def brokers(data: Path, count: int, known: Mapping[str, int]) -> list[Broker]:
    """Return the brokers of a data folder. known: ports by the names of `port_names`. Trouble: it was made with another number of them."""
    file = data / "cluster"
    before = "1" if (data / name(1, 1)).exists() else str(count)
    try:
        if before == str(count) and count > 1 and not file.exists():
            file.write_text(f"{count} {fresh()}")
        before, _, cluster = file.read_text().partition(" ") if file.exists() else (before, "", "")
    except OSError as error:
        raise of_os(error, data) from error
    if before != str(count):
        raise Trouble(f"{data} was made with {before} brokers: start it with `--brokers {before}`, or name another data folder")
    if count == 1:
        return [ALONE]
    controllers = {node: known[_controller(node)] for node in range(1, count + 1)}
    return [Broker(node, known[name(node, count)], known[_agencies(node)], controllers, cluster) for node in controllers]


def fresh() -> str:
    """Return a new identifier of a cluster."""
    return base64.urlsafe_b64encode(secrets.token_bytes(16)).rstrip(b"=").decode().replace("-", "A")


def name(node: int, count: int) -> str:
    """Return the name of a broker's process."""
    return "kafka" if count == 1 else f"kafka-{node}"


def port_names(count: int) -> list[str]:
    """Return the names under which `ports.json` has the ports of several brokers; none for one, which remembers its own."""
    nodes = range(1, count + 1)
    return [] if count == 1 else [each for node in nodes for each in (name(node, count), _agencies(node), _controller(node))]


def _agencies(node: int) -> str:
    return f"kafka-{node} agencies"


def _controller(node: int) -> str:
    return f"kafka-{node} controller"


def filled(member: Broker, controller: int) -> dict[str, str]:
    """Return what deploy/kafka/server.properties says of the cluster. controller: port of the controller of a broker that is alone."""
    voters = member.controllers or {member.node: controller}
    copies = replication.copies(len(voters))
    return {
        "node": str(member.node),
        "voters": ",".join(f"{node}@127.0.0.1:{port}" for node, port in voters.items()),
        "copies": str(copies),
        "in_step": str(min(copies, replication.IN_STEP) if copies == replication.COPIES else 1),
    }


@dataclass(frozen=True, slots=True)
class Databases:
    """A database and its standbys, each a server with a folder of its own.

    folders: of the servers; the first begins as the primary. passfile: with the administrator's password, which all share.
    """

    folders: tuple[Path, ...]
    passfile: Path

    def check(self) -> None:
        """Check that one server alone takes writes. Trouble: an old primary was not made a standby again: two primaries are two truths."""
        primaries = [folder for folder in self.folders if (folder / "data").exists() and not (folder / "data" / STANDBY).exists()]
        if len(primaries) > 1:
            names = " and ".join(str(folder) for folder in primaries)
            raise Trouble(f"{names} would both take writes: move the data of the older one away, and it is copied anew")

    @property
    def empty(self) -> bool:
        """Return whether no server has data yet."""
        return not any((folder / "data").exists() for folder in self.folders)

    @property
    def waits(self) -> bool:
        """Return whether a commit waits until one standby has it."""
        return len(self.folders) > QUORUM

    def hosts(self) -> str:
        """Return the sockets' folders, as a client names several servers."""
        return ",".join(str(data_folder.sockets(folder, SOCKET)) for folder in self.folders)

    def url(self, database: str, user: str) -> str:
        """Return the URL with which a client finds the server that takes writes, whichever of them it is."""
        ports = ",".join([str(PORT)] * len(self.folders))
        query = f"host={quote(self.hosts())}&port={ports}&target_session_attrs=read-write&passfile={quote(str(self.passfile))}"
        return f"postgresql+asyncpg://{user}@/{database}?{query}"

    def conninfo(self, user: str, server: str) -> str:
        """Return how a server reaches the one that takes writes, in libpq's words. server: the name by which it is known there."""
        ports = ",".join([str(PORT)] * len(self.folders))
        words = f"host='{self.hosts()}' port='{ports}' user={user} passfile='{self.passfile}' application_name={server}"
        return f"{words} dbname=postgres target_session_attrs=read-write"

    def settings(self, folder: Path, user: str) -> tuple[str, ...]:
        """Return a server's settings, the same in either role: a file in its data alone says that it is a standby.

        They are arguments of the program, which go before `postgresql.auto.conf`: a copy by pg_rewind brings that of another server.
        """
        names = ",".join(server(one) for one in self.folders)
        followed = (f"synchronous_standby_names=ANY 1 ({names})",) if self.waits else ()
        return (f"primary_conninfo={self.conninfo(user, server(folder))}", f"wal_keep_size={KEPT_WAL}", *followed)


def server(folder: Path) -> str:
    """Return the name of a database server among its like."""
    return folder.name.replace("-", "_")
