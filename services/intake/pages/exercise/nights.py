"""Forms by which a head agrees that exercises may wake the agency at any hour, and takes that back. The notifier holds it."""

from __future__ import annotations

from starlette.responses import Response

from referral.wire.roster import AgreeNights, EndNights, Refused
from services.intake.pages.agency import asking, showing
from services.intake.pages.exercise import pages
from services.intake.pages.page_request import PageRequest


async def agree(call: PageRequest) -> Response:
    """Agree for some days."""
    asking.head_only(call)
    form = call.form
    if errors := showing.missing(form, ("begins", "ends")):
        return await pages.list_page(call, errors, 422)
    made = await asking.change(call, AgreeNights(begin=form["begins"], end=form["ends"]), seen=False)
    if isinstance(made, Refused):
        return await pages.list_page(call, showing.refused(made), asking.status(made))
    return asking.sent(call, "/exercises", "nights")


async def end(call: PageRequest) -> Response:
    """Take it back."""
    asking.head_only(call)
    made = await asking.change(call, EndNights(), seen=False)
    if isinstance(made, Refused):
        return await pages.list_page(call, showing.refused(made), asking.status(made))
    return asking.sent(call, "/exercises", "nonights")
