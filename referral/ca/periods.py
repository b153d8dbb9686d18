"""Periods of certificates and of lists of revoked certificates, each with its reason."""

from __future__ import annotations

from datetime import timedelta

from referral.ca.names import Plane

ROOT = timedelta(days=20 * 365)
"""Outlives every issuing authority; replacing it means visiting every machine and agency (ours)."""
ISSUING = timedelta(days=5 * 365)
"""Four years of use, and a fifth in which the last certificates of an agency end while its successor issues (ours)."""
LEAF = {Plane.SERVICES: timedelta(days=7), Plane.AGENCIES: timedelta(days=365), Plane.OPERATORS: timedelta(days=365)}
"""A service renews by itself, so what was stolen from it ends within a week. A person installs the others, once a year."""
LIST = timedelta(days=90)
"""Java refuses everybody once a list has ended: nobody may be stopped because an operator was away for two months (ours)."""
ROOT_LIST = timedelta(days=400)
"""The root leaves its safe once a year; a month is left for a year in which that is late (ours)."""
SKEW = timedelta(minutes=5)
"""A certificate begins this long before it is signed, because the clocks of two machines are never quite the same (ours)."""
LIST_WARNING = timedelta(days=30)
"""A list that ends sooner needs an operator now: bringing it to every agency takes weeks."""
SERVICE_WARNING = timedelta(days=2)
"""A service with less than this has missed its renewal at half for a day and a half: somebody must look, and has a weekend to do it."""
LEAF_WARNING = timedelta(days=30)
"""An agency or operator with less than this must be asked for its next request now."""
RETIRED = timedelta(days=30)
"""A holder whose last certificate ended longer ago than this is taken for retired, and no longer warned of."""
