"""The services, one package each. Who imports one is about to load all of its parts."""

from __future__ import annotations

from referral.runtime import garbage

garbage.loading()
