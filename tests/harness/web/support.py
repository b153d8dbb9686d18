"""Put the step of support for a trafficked child to a centre for social work: the step that may write most."""

from __future__ import annotations

from referral.domain.events import TrackChanged, TrackState
from tests.harness.web.world import WHY, World

CSW = "csw-prizren"
SHOWS = ("identity", "contact", "location", "family", "care-needs", "safety-plan", "note")


def began(track: str, pathway: str) -> TrackChanged:
    return TrackChanged(why=WHY, track_id=track, pathway=pathway, digest="", state=TrackState.OPENED, paused_by="", outcome="")


def support(world: World, case: str, agency: str = CSW, *, seat: int = 1, step: str = "support", **more: object) -> str:
    """An offer of the procedure for trafficked children, on a track of it; its id."""
    track = "7b6e7c1e-0000-4000-8000-" + case[-12:]
    world.say(case, began(track, "trafficking-child"))
    return world.offer(case, agency, step, **({"track_id": track, "seat": seat, "shows": SHOWS} | more))
