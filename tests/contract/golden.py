"""What the golden messages say. Neither these nor the files ever change: a new field gets a file of its own."""

from datetime import UTC, datetime, timedelta

from shared.availability import FlavorSegment, Interval, NodeAvailability, SiteAvailability, SiteFlavors, Snapshot


def at(day: int, hour: int = 0, minute: int = 0) -> datetime:
    return datetime(2026, 11, day, hour, minute, tzinfo=UTC)


OBSERVED = datetime(2026, 11, 22, 12, 0, 0, 123000, tzinfo=UTC)

SITE = SiteAvailability(
    site_id="tacc",
    generation=1_795_348_800_123,
    follows=1_795_348_740_456,
    observed_at=OBSERVED,
    hosts_observed_at=at(22, 11, 56),
    poll_interval=timedelta(seconds=60),
    nodes={
        node.node_id: node
        for node in (
            NodeAvailability("1c2fa3c0-5b6e-4e5c-9a4b-0f4f6d0e8a11"),
            NodeAvailability(
                "2d3fb4d1-6c7f-4f6d-8b5c-1a5a7e1f9b22",
                (Interval(at(22, 8), at(23, 8)), Interval(at(25), at(26, 0, 30))),
            ),
            NodeAvailability("3e4ac5e2-7d8a-4a7e-9c6d-2b6b8f2a0c33", maintenance=True),
            NodeAvailability("4f5bd6f3-8e9b-4b8f-8d7e-3c7c9a3b1d44", unreadable=True),
        )
    },
)

EMPTY = SiteAvailability(
    site_id="kvm-tacc_2",
    generation=0,
    follows=None,
    observed_at=OBSERVED,
    hosts_observed_at=OBSERVED,
    poll_interval=timedelta(seconds=0.5),
    nodes={},
)

BARE = SiteAvailability(
    site_id=SITE.site_id,
    generation=SITE.generation,
    follows=None,
    observed_at=SITE.observed_at,
    hosts_observed_at=SITE.hosts_observed_at,
    poll_interval=SITE.poll_interval,
    nodes={node_id: NodeAvailability(node_id) for node_id in SITE.nodes},
)

FLAVORS = SiteFlavors(
    site_id="tacc",
    generation=1_795_348_800_124,
    follows=None,
    observed_at=OBSERVED,
    poll_interval=timedelta(seconds=60),
    window=Interval(at(22, 12), at(30)),
    flavors={
        "g1.h100.pci.1": (
            FlavorSegment(Interval(at(22, 12), at(24)), available=20, total=28),
            FlavorSegment(Interval(at(24), at(30)), available=0, total=28),
        ),
        "m1.tiny": (),
    },
)

GOLDEN: dict[str, Snapshot] = {
    "site.v1": SITE,
    "site.v1.without_a_follows_header": SITE,
    "site.v1.empty": EMPTY,
    "site.v1.from_a_later_writer": SITE,
    "site.v1.only_what_is_required": BARE,
    "flavors.v1": FLAVORS,
}
