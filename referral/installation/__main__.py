"""Print the settings of this environment as a file: an installation of release 0.1.0 carries its variables over (docs/deploy.md)."""

from __future__ import annotations

import sys

from referral.installation import layout
from referral.runtime import settings

if __name__ == "__main__":
    sys.stdout.buffer.write(layout.settings(settings.given(), "this environment"))
