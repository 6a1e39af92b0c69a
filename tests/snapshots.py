"""Small snapshots, as a poller would make them."""

from datetime import UTC, datetime, timedelta

from shared.availability import FlavorSegment, Interval, NodeAvailability, SiteAvailability, SiteFlavors

NOON = datetime(2026, 11, 22, 12, tzinfo=UTC)
HOUR = timedelta(hours=1)
MINUTE = timedelta(minutes=1)


def hours(start: float, end: float) -> Interval:
    """From `start` to `end`, in hours after noon."""
    return Interval(NOON + start * HOUR, NOON + end * HOUR)


def node(node_id: str = "n1", *reservations: Interval, maintenance: bool = False) -> NodeAvailability:
    return NodeAvailability(node_id, reservations, maintenance=maintenance)


def site(
    site_id: str = "tacc",
    generation: int = 1,
    *nodes: NodeAvailability,
    follows: int | None = None,
    observed_at: datetime = NOON,
    poll_interval: timedelta = MINUTE,
) -> SiteAvailability:
    return SiteAvailability(
        site_id=site_id,
        generation=generation,
        follows=follows,
        observed_at=observed_at,
        hosts_observed_at=observed_at,
        poll_interval=poll_interval,
        nodes={each.node_id: each for each in nodes or (node(),)},
    )


def flavors(site_id: str = "tacc", generation: int = 1, *, follows: int | None = None) -> SiteFlavors:
    return SiteFlavors(
        site_id=site_id,
        generation=generation,
        follows=follows,
        observed_at=NOON,
        poll_interval=MINUTE,
        window=hours(0, 48),
        flavors={"m1.large": (FlavorSegment(hours(0, 24), 3, 4), FlavorSegment(hours(24, 48), 4, 4))},
    )
