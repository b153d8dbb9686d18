"""The places of one world: who holds how many now, and how long each service had none left."""

from __future__ import annotations

from collections.abc import Mapping

from referral.domain.policy import Policy


class Beds:
    """free: places that nobody holds, by service. full: µs without any within the year, by service."""

    __slots__ = ("_since", "end", "free", "full", "start")

    def __init__(self, policy: Policy, start: int, end: int) -> None:
        self.free = {s.id: s.places for s in policy.services.values() if s.places is not None}
        self.full = dict.fromkeys(self.free, 0)
        self.start, self.end = start, end
        self._since = {service: start for service, places in self.free.items() if places <= 0}

    def change(self, before: Mapping[str, int], now: Mapping[str, int], at: int) -> None:
        """One case holds other places than before."""
        for service in sorted(before.keys() | now.keys()):
            if service not in self.free:
                continue
            self.free[service] += before.get(service, 0) - now.get(service, 0)
            if self.free[service] <= 0:
                self._since.setdefault(service, at)
            elif service in self._since:
                self._count(service, self._since.pop(service), at)

    def finish(self) -> dict[str, int]:
        """How long each service was full, now that the year is over for those that still are."""
        for service, since in self._since.items():
            self._count(service, since, self.end)
        self._since.clear()
        return self.full

    def _count(self, service: str, since: int, until: int) -> None:
        self.full[service] += max(min(until, self.end) - max(since, self.start), 0)
