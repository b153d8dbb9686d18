"""Write the need-to-know matrix anew: `python -m tests.harness.need_to_know [--check]`. With --check: return 1 if the page is another."""

from __future__ import annotations

import sys

from referral.domain.policy import compile
from referral.runtime.settings import CHECKOUT
from referral.wire import policy_digest
from tests.harness.need_to_know.page import PAGE, page

if __name__ == "__main__":
    made = page(compile(policy_digest.read(CHECKOUT / "policy")))
    if "--check" in sys.argv[1:]:
        sys.exit(0 if PAGE.exists() and PAGE.read_text("utf-8") == made else f"stale: {PAGE.name}: run `make generate`")
    PAGE.write_text(made, "utf-8")
