"""Run a service's process: its loop, its HTTP servers and its background tasks, started together and ended together."""

from __future__ import annotations

import asyncio
import errno
import signal
import sys
from collections.abc import Callable, Coroutine, Sequence
from contextlib import suppress
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

from msgspec import structs
from starlette.types import ASGIApp

from referral.ca import identity
from referral.errors import Malformed, Misconfigured, ReadOnly, Rejected, Unproven
from referral.runtime import garbage, http_listener, http_server, observe, tls
from referral.runtime.keys import case_keys, erasure_tag, service_keys
from referral.runtime.keys.case_keys import MASTER
from referral.runtime.loop.consumer import Loop
from referral.runtime.postgres import database
from referral.runtime.service import Service
from referral.runtime.settings import Address, Settings, address, load

Background = Callable[[], Coroutine[None, None, None]]


def start(main: Callable[[Settings], Coroutine[None, None, None]], *, opens_cases: bool = True) -> None:
    """Run a service's main with its settings. What stops it is logged in one line, also a setting that is wrong.

    opens_cases: it has keys of its own; the watchman has none.
    Rejected: the settings name the master key, with which this service could open what every other one opens, or no key of its own.
    """
    observe.configure()
    settings = load()
    if not opens_cases:
        settings = structs.replace(settings, master_key_file=None)
    elif settings.master_key_file is not None:
        hint = f"a service has its own keys, in {service_keys.FILE}: take this variable from its environment, and the file from its machine"
        raise Rejected("master-key", MASTER, hint)
    elif settings.service_key_file is None:
        hint = f"set it to this service's key file: `referral prepare` writes one for each service to {service_keys.FOLDER}"
        raise Rejected("missing", service_keys.FILE, hint)
    asyncio.run(main(settings))


async def run(service: Service, settings: Settings, app: ASGIApp | None = None, background: Sequence[Background] = ()) -> None:
    """Run a service whose work is the consumer loop, until SIGTERM or SIGINT. Raises as `stand` does.

    app: its public HTTP application.
    background: coroutine functions that run until cancelled.
    """
    erasure_tag.needed(settings)
    health = observe.Health(service.not_ready)
    engine = database.engine(settings, service.name, size=4)
    loop = Loop(service, settings, engine, case_keys.read(settings, service.name), health)
    try:
        await stand(service.name, settings, health, app, loop.run, loop.end, background)
    finally:
        await database.close(engine)


async def stand(
    name: str,
    settings: Settings,
    health: observe.Health,
    app: ASGIApp | None,
    work: Background,
    end: Callable[[], None],
    background: Sequence[Background],
    inner_app: ASGIApp | None = None,
) -> None:
    """Run the work, the HTTP servers and the background tasks until the work ends. Raises the error that stopped one of them.

    app: the public HTTP application; health and metrics have an inner address of their own.
    work: the service's main task. After ReadOnly only the HTTP servers go on, until a signal.
    end: called at SIGTERM and SIGINT; makes the work return.
    background: coroutine functions, cancelled when the work ends.
    inner_app: what the inner address answers besides; for operators and services alone.
    """
    secure = settings.is_secure(settings.public_url)
    outside, inside = address(settings.http), address(settings.inner)
    public = tls.listener(settings.identity(), asks=False) if outside.tls else None
    asking = tls.listener(settings.identity(), asks=True) if inside.tls else None
    doors = http_server.server(health, app, proxy=settings.proxy, secure=secure, tls=public)
    inner = http_server.inner(health, name, inner_app, tls=asking)
    bound, within = _sockets(settings, outside, inside)
    schemes = [f"http{'s' if context else ''}" for context in (public, asking)]
    sys.stdout.write(f"{name} listens on {schemes[0]}://{outside.host}:{bound.getsockname()[1]}\n")
    sys.stdout.write(f"{name} shows operators /readyz and /metrics at {schemes[1]}://{inside.host}:{within.getsockname()[1]}\n")
    sys.stdout.flush()
    garbage.keep()
    signalled = asyncio.Event()

    def ending() -> None:
        signalled.set()
        end()

    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, ending)
    try:
        async with asyncio.TaskGroup() as group:
            answering = [group.create_task(http_server.serve(server, at)) for server, at in ((doors, bound), (inner, within))]
            try:
                await _working(work, [*background, tls.follow, lambda: _certificate_ends(settings.tls, name)])
            except ReadOnly as error:
                observe.log().error("only reading goes on", service=name, hint=str(error))
                task = asyncio.current_task()
                if task is not None and task.cancelling():  # a group forgets a cancellation that comes while its tasks end
                    raise asyncio.CancelledError from None
                await signalled.wait()
            doors.should_exit = inner.should_exit = True
            await asyncio.gather(*answering)
    except BaseExceptionGroup as several:
        raise several.exceptions[0] from None


def _sockets(settings: Settings, outside: Address, inside: Address) -> tuple[http_listener.Listener, http_listener.Listener]:
    """Return the public and the inner socket: those that we were given, else new ones. Misconfigured: as `_listen`."""
    if settings.sockets:
        public, inner = (http_listener.Listener(fileno=number) for number in settings.sockets)
        return public, inner
    return _listen(outside.host, outside.port), _listen(inside.host, inside.port)


def _listen(host: str, port: int) -> http_listener.Listener:
    """Bind a socket. Misconfigured: another program has the port, or this machine has no such address."""
    try:
        return http_listener.listen(host, port)
    except OSError as error:
        why = "another program has it: end that one, or choose another port" if error.errno == errno.EADDRINUSE else error.strerror
        raise Misconfigured(f"cannot listen on port {port} of {host}: {why}") from None


async def _certificate_ends(folder: Path | None, service: str) -> None:
    """Set the gauge of what ends in our identity, until cancelled. An identity that cannot be read keeps the last values, and they fall."""
    known: list[tuple[str, int]] = []
    while folder is not None:
        with suppress(Malformed, Rejected, Unproven, OSError):
            if (there := _written(folder)) != known:  # reading takes eight milliseconds
                ends = {identity.IDENTITY: identity.read(folder).leaf.not_after, identity.REVOKED: identity.lists_end(folder)}
                for file, at in ends.items():
                    observe.CERTIFICATE_ENDS.labels(service, file).set_function(partial(_until, at))
                known = there
        await asyncio.sleep(tls.REFRESH_S)


def _written(folder: Path) -> list[tuple[str, int]]:
    """Return the names of a folder's files, and when each was written."""
    return sorted((file.name, file.stat().st_mtime_ns) for file in folder.iterdir())


def _until(at: datetime) -> float:
    """Return the seconds until a time."""
    return (at - datetime.now(UTC)).total_seconds()  # noqa: TID251 - certificates end by the clock of each machine


async def _working(work: Background, background: Sequence[Background]) -> None:
    """Run the work, and the background tasks until it ends. Raises the first error of either."""
    try:
        async with asyncio.TaskGroup() as group:
            beside = [group.create_task(start()) for start in background]
            await work()
            for task in beside:
                task.cancel()
    except BaseExceptionGroup as several:
        raise several.exceptions[0] from None
