"""When nodes are free together, and how many are over time: sweeps over merged intervals."""

from api_service.domain.node_query import Match
from shared.availability import Interval


def bookings_in(match: Match, window: Interval) -> tuple[Interval, ...]:
    """The node's merged reservations that share a moment with `window`, whole; none where nothing is known."""
    if match.known is None:
        return ()
    return tuple(block for block in match.known.reservations if block.overlaps(window))
