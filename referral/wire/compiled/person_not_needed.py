"""GENERATED from schemas/avro by `make generate`. Do not edit."""

from __future__ import annotations

from referral.domain.events import PersonNotNeeded
from referral.wire import avro
from referral.wire.compiled import head
from referral.wire.compiled import why


def read_v1(d: bytes, i: int) -> tuple[PersonNotNeeded, int]:
    """person-not-needed.v1"""
    n = d[i]
    i += 1
    f_head = None
    if n:
        if n != 2:
            avro.fail("union")
        f_head, i = head.read_v1(d, i)
    f_why, i = why.read_v1(d, i)
    f_task_id = avro.ident(d[i : (i := i + 37)])
    f_how = avro.WORDS[d[i : (i := i + 1 + (d[i] >> 1))]]
    return PersonNotNeeded(head=f_head, why=f_why, task_id=f_task_id, how=f_how), i


def write(x: PersonNotNeeded) -> bytes:
    """person-not-needed.v1"""
    return b"".join((
        b"\x00" if (v_head := x.head) is None else b"\x02" + head.write(v_head),
        why.write(x.why),
        avro.ident_bytes(x.task_id),
        avro.CODES[x.how],
    ))
