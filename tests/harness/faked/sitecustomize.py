"""Sleep as Python up to 3.10 did, in every Python program under libfaketime: `tests.harness.clocks` puts this folder on its path.

Python 3.11 sleeps until a moment of the monotonic clock, and libfaketime 0.9.10 computes that moment wrongly where it leaves that clock
alone: `OSError: Invalid argument` (its issue 426).
"""

import select
import time
from typing import SupportsFloat


def _sleep(seconds: SupportsFloat, /) -> None:
    if float(seconds) < 0:
        raise ValueError("sleep length must be non-negative")
    select.select((), (), (), float(seconds))


time.sleep = _sleep  # type: ignore[assignment]
