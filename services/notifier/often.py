"""When somebody has been woken often enough. Apart, because the claim and the grouping both ask it."""

MANY = 5
"""Messages to one person by one channel within WINDOW_S that leave one by one (P): more wake nobody any better."""
WINDOW_S = 600
"""Seconds that a message counts (P)."""
GATHER_S = 60
"""Seconds between two messages to somebody who had MANY (P): each carries all that waits. Far below the shortest limit to acknowledge."""
