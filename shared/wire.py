"""The bodies of the messages, and the only bridges between them and the domain."""

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Annotated, ClassVar, Final, Self

from pydantic import AfterValidator, AwareDatetime, BaseModel, ConfigDict, Field, model_validator

from shared.availability import MAX_GENERATION, FlavorSegment, Interval, NodeAvailability, SiteAvailability, SiteFlavors
from shared.topology import SITE_ID, Subject

MAX_NODE_ID: Final = 255
"""Characters."""

SITE_TYPE: Final = "reference-api.availability.site.v1"
FLAVORS_TYPE: Final = "reference-api.availability.flavors.v1"


def _utc(moment: datetime) -> datetime:
    try:
        return moment.astimezone(UTC)
    except OverflowError as error:
        raise ValueError("beyond the calendar in UTC") from error


UtcDatetime = Annotated[AwareDatetime, AfterValidator(_utc)]
Generation = Annotated[
    int, Field(ge=0, le=MAX_GENERATION, description="Strictly increasing per site: max(clock in ms, follows + 1).")
]
Follows = Annotated[
    int | None,
    Field(
        ge=0,
        le=MAX_GENERATION,
        description="The newest generation the poller knew when it began; null: none, so it replaces nothing known.",
    ),
]
SiteId = Annotated[str, Field(pattern=f"^{SITE_ID.pattern}$")]


class Wire(BaseModel):
    """Base of everything on the wire."""

    model_config = ConfigDict(frozen=True, extra="ignore")


class IntervalMessage(Wire):
    """Half-open: `start` included, `end` excluded."""

    start: UtcDatetime
    end: UtcDatetime

    @classmethod
    def from_domain(cls, interval: Interval) -> Self:
        """The wire form of `interval`."""
        return cls(start=interval.start, end=interval.end)

    def to_domain(self) -> Interval:
        """Raises ValueError if the interval is empty or reversed."""
        return Interval(self.start, self.end)


class NodeAvailabilityMessage(Wire):
    """One node: facts as of `observed_at`; who booked it never enters a message."""

    node_id: Annotated[str, Field(min_length=1, max_length=MAX_NODE_ID)]
    maintenance: bool = False
    reservations: tuple[IntervalMessage, ...] = ()
    unreadable: bool = Field(default=False, description="Blazar's record could not be understood: the node is unknown.")

    @classmethod
    def from_domain(cls, node: NodeAvailability) -> Self:
        """The wire form of `node`."""
        return cls(
            node_id=node.node_id,
            maintenance=node.maintenance,
            reservations=tuple(map(IntervalMessage.from_domain, node.reservations)),
            unreadable=node.unreadable,
        )

    def to_domain(self) -> NodeAvailability:
        """Raises ValueError if a reservation is empty or reversed."""
        return NodeAvailability(
            self.node_id,
            tuple(each.to_domain() for each in self.reservations),
            maintenance=self.maintenance,
            unreadable=self.unreadable,
        )


class SnapshotMessage(Wire):
    """What the messages of both subjects share."""

    TYPE: ClassVar[str]
    SUBJECT: ClassVar[Subject]

    site_id: SiteId
    generation: Generation
    follows: Follows = None
    observed_at: UtcDatetime = Field(description="Taken before the poll's first request.")
    poll_interval_seconds: float = Field(gt=0, le=86_400)

    @model_validator(mode="after")
    def _later_than_what_it_follows(self) -> Self:
        if self.follows is not None and self.follows >= self.generation:
            raise ValueError("generation is not above follows")
        return self


class SiteHeadMessage(SnapshotMessage):
    """What a site's message tells beside its nodes."""

    TYPE: ClassVar = SITE_TYPE
    SUBJECT: ClassVar = Subject.SITE

    hosts_observed_at: UtcDatetime = Field(description="When the host list was read: `maintenance` is as of then.")
    node_count: int = Field(ge=0)

    def with_nodes(self, nodes: Mapping[str, NodeAvailability]) -> SiteAvailability:
        """The site that has these, by their ids."""
        return SiteAvailability(
            site_id=self.site_id,
            generation=self.generation,
            follows=self.follows,
            observed_at=self.observed_at,
            hosts_observed_at=self.hosts_observed_at,
            poll_interval=timedelta(seconds=self.poll_interval_seconds),
            nodes=nodes,
        )


class SiteAvailabilityMessage(SiteHeadMessage):
    """The availability of every node of one site, as one poll saw it."""

    nodes: tuple[NodeAvailabilityMessage, ...]

    @model_validator(mode="after")
    def _complete(self) -> Self:
        if not len({node.node_id for node in self.nodes}) == len(self.nodes) == self.node_count:
            raise ValueError("node_count does not match the nodes")
        return self

    @classmethod
    def from_domain(cls, site: SiteAvailability) -> Self:
        """The wire form of `site`."""
        return cls(
            site_id=site.site_id,
            generation=site.generation,
            follows=site.follows,
            observed_at=site.observed_at,
            hosts_observed_at=site.hosts_observed_at,
            poll_interval_seconds=site.poll_interval.total_seconds(),
            node_count=len(site.nodes),
            nodes=tuple(map(NodeAvailabilityMessage.from_domain, site.nodes.values())),
        )

    def to_domain(self) -> SiteAvailability:
        """Raises ValueError if a reservation is empty or reversed."""
        return self.with_nodes({node.node_id: node.to_domain() for node in self.nodes})


class FlavorSegmentMessage(IntervalMessage):
    """How many instances could run from `start` to `end`."""

    available: int = Field(ge=0, lt=2**31)
    total: int = Field(ge=0, lt=2**31)


class FlavorMessage(Wire):
    """One flavor's capacity over time."""

    flavor_id: str = Field(min_length=1, max_length=255, description="The flavor's name: its uid in the inventory.")
    availability: tuple[FlavorSegmentMessage, ...]


class SiteFlavorsMessage(SnapshotMessage):
    """The capacity of every flavor that a site publishes."""

    TYPE: ClassVar = FLAVORS_TYPE
    SUBJECT: ClassVar = Subject.FLAVORS

    window: IntervalMessage = Field(description="What was asked for; nothing is known outside it.")
    flavors: tuple[FlavorMessage, ...]

    @classmethod
    def from_domain(cls, site: SiteFlavors) -> Self:
        """The wire form of `site`."""
        return cls(
            site_id=site.site_id,
            generation=site.generation,
            follows=site.follows,
            observed_at=site.observed_at,
            poll_interval_seconds=site.poll_interval.total_seconds(),
            window=IntervalMessage.from_domain(site.window),
            flavors=tuple(
                FlavorMessage(
                    flavor_id=flavor_id,
                    availability=tuple(
                        FlavorSegmentMessage(
                            start=each.during.start,
                            end=each.during.end,
                            available=each.available,
                            total=each.total,
                        )
                        for each in segments
                    ),
                )
                for flavor_id, segments in site.flavors.items()
            ),
        )

    def to_domain(self) -> SiteFlavors:
        """Raises ValueError if an interval is empty or reversed."""
        return SiteFlavors(
            site_id=self.site_id,
            generation=self.generation,
            follows=self.follows,
            observed_at=self.observed_at,
            poll_interval=timedelta(seconds=self.poll_interval_seconds),
            window=self.window.to_domain(),
            flavors={
                flavor.flavor_id: tuple(
                    FlavorSegment(each.to_domain(), each.available, each.total) for each in flavor.availability
                )
                for flavor in self.flavors
            },
        )
