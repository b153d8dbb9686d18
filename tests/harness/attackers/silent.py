"""Somebody who opens connections and says nothing: `python -m tests.harness.attackers.silent PORT COUNT`.

They come from a thousand addresses of four networks. What the server ends is opened again. It writes a line once all are held, and goes on
until its input ends.
"""

from __future__ import annotations

import select
import socket
import sys
import time
from collections.abc import Callable
from functools import partial

AGAIN_S = 5.0
"""Seconds between two looks for what was ended: a thousand connections a second are opened again."""


def opened(port: int, number: int) -> socket.socket:
    """Begin a connection from the address of this number."""
    one = socket.socket()
    one.setblocking(False)
    one.bind((f"127.0.{number % 4}.{2 + number % 250}", 0))
    one.connect_ex(("127.0.0.1", port))
    return one


def run(port: int, count: int, told: Callable[[], None]) -> None:
    """Hold so many connections. told: called once all are held."""
    held, ended = dict[int, tuple[int, socket.socket]](), select.poll()

    def hold(number: int) -> None:
        one = opened(port, number)
        held[one.fileno()] = number, one
        ended.register(one.fileno(), select.POLLIN)

    for number in range(count):
        hold(number)
    told()
    ended.register(sys.stdin.fileno(), select.POLLIN)
    while True:
        time.sleep(AGAIN_S)
        for file, _ in ended.poll(0):
            if file == sys.stdin.fileno():
                return
            number, one = held.pop(file)
            ended.unregister(file)
            one.close()
            hold(number)


if __name__ == "__main__":
    run(int(sys.argv[1]), int(sys.argv[2]), partial(print, "held", flush=True))
