"""Statements by which one password of a database role stopped the line, or told of each referral; and those that still fill a server."""

from __future__ import annotations

from referral.runtime.settings import LINE

BIG = "SELECT count(*) FROM (SELECT n, repeat('x', 100) FROM generate_series(1, 3000000) n ORDER BY 2, 1 OFFSET 1) s"
REFUSED = {
    "fill the lock table": "SELECT count(pg_advisory_lock(7, n)) FROM generate_series(1, 30000) n",
    "hold the roster's old lock": "SELECT pg_advisory_xact_lock(7236542)",
    "hold a lock by chance": "SELECT pg_try_advisory_lock_shared(7236541)",
    "keep a large object": "SELECT lo_from_bytea(0, decode(repeat('00', 1000000), 'hex'))",
    "fill the write-ahead log": "SELECT pg_logical_emit_message(false, 'x', repeat('x', 1000000))",
    "sort 300 MB on the disk": BIG,
    "lift its limit of temporary files": "SET temp_file_limit = -1",
    "lift its limit of connections": "ALTER ROLE CURRENT_USER CONNECTION LIMIT -1",
    "make a temporary table": "CREATE TEMPORARY TABLE t AS SELECT 1",
    "count the rows of others": "SELECT sum(n_tup_ins) FROM pg_stat_all_tables",
    "see who is at work": "SELECT backend_xid FROM pg_stat_activity UNION SELECT transactionid FROM pg_locks",
    "count transactions and bytes": "SELECT pg_snapshot_xmax(pg_current_snapshot()), pg_current_wal_lsn(), pg_database_size('postgres')",
    "end another's connection": "SELECT pg_terminate_backend({other})",
}
"""Statements by which one password stopped the line (finding N2), or told of each referral (N11)."""
HEARD = ("notifier_delivery", "audit_reading", "audit_head", *(f"{service}_queue" for service in LINE))
"""Channels that every role knew and heard."""
QUEUED = "INSERT INTO {role}.queue (id, partition, case_id, type, fingerprint, body) VALUES ($1, 0, '', '', 0, $2)"
ROWS = {
    **{role: QUEUED.format(role=role) for role in LINE},
    "oversight": "INSERT INTO oversight.counted (case_id, seen) VALUES ($1, $2)",
    "eraser": "INSERT INTO eraser.erasure (case_id, event_id, sha256) VALUES ($1, $1, encode($2, 'base64'))",
}
"""A row that each role may write: $1 its key, $2 its bytes."""


def row(role: str, key: str) -> str:
    """Return the statement for a small row of a role."""
    return ROWS[role].replace("$1", f"'{key}'").replace("$2", "'\\x00'::bytea")
