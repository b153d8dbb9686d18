"""`python -m referral.cli`: the same as `referral`, for an image that has no scripts."""

from __future__ import annotations

from referral.cli import main

main()
