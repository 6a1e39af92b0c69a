"""What requests ask; the OpenAPI document is made of these models."""

from datetime import datetime, timedelta
from typing import Annotated, Final

from pydantic import BaseModel, ConfigDict, Field

from api_service.http.examples import SHA
from api_service.http.values import MAX_VALUES, Duration, Flag, Instant, Second, Sha, State, Whole, Word, Words

MAX_PAGE: Final = 5000
MAX_FREE_TEXT: Final = 200
MAX_CONDITIONS: Final = 50
"""Fields that one request asks for."""

MAX_LENGTH: Final = 300
"""Of one value of a condition."""

MAX_NAMES: Final = 20
Names = Annotated[list[Word], Field(max_length=MAX_NAMES, json_schema_extra={"comma": True})]


class Query(BaseModel):
    """Base of query strings. Old guides send parameters that nobody knows: most paths ignore them."""

    model_config = ConfigDict(extra="ignore", frozen=True)


class TravelQuery(Query):
    """Which commit to answer from; without it, the newest. One parameter at most may be given."""

    version: Sha | None = Field(
        default=None, description="A commit: its full sha, or 7 digits of it or more.", examples=[SHA]
    )
    timestamp: Annotated[int, Field(ge=0, le=253_402_300_799), Second] | None = Field(
        default=None,
        description="The commit that the served branch was at then, in epoch seconds.",
        examples=[1795334400],
    )
    date: Instant | None = Field(
        default=None, description="The commit that the served branch was at then.", examples=["2026-11-22T08:00:00Z"]
    )
    branch: str | None = Field(
        default=None, description="The newest commit of a branch.", min_length=1, max_length=255, examples=["master"]
    )

    def given(self) -> dict[str, str | int | datetime]:
        """What was asked for, by the name of its parameter."""
        asked = {"version": self.version, "timestamp": self.timestamp, "date": self.date, "branch": self.branch}
        return {name: value for name, value in asked.items() if value is not None}


TRAVEL: Final = frozenset(TravelQuery.model_fields)
"""The names of its parameters."""


class PageQuery(Query):
    """Which part of a collection; without it, everything up to 5000 items."""

    offset: Annotated[int, Whole] = Field(default=0, ge=0, le=2**53, description="How many items to pass over.")
    limit: Annotated[int, Whole] = Field(
        default=MAX_PAGE, ge=1, le=MAX_PAGE, description="How many items to answer at most."
    )
    continues: Sha | None = Field(
        default=None,
        description="The commit whose list this continues: the links `next` and `prev` have it, so that a list stays "
        "the same from page to page. States of nodes are those of now all the same.",
        examples=[SHA],
    )


class NodeFilters(Query):
    """Which nodes; a repeated parameter means any of its values. Any other parameter is a condition of a field."""

    model_config = ConfigDict(extra="allow", frozen=True)

    site_id: Words | None = Field(default=None, description="Sites, repeated or separated by commas.")
    cluster_id: Words | None = Field(default=None, description="Clusters, likewise.")
    node_type: Words | None = Field(default=None, description="Node types, likewise.")
    arch: Words | None = Field(
        default=None, description="`architecture.platform_type`, likewise.", examples=[["x86_64"]]
    )
    gpu: Annotated[list[Flag], Field(max_length=MAX_VALUES)] | None = Field(
        default=None, description="`gpu.gpu`; absent means false."
    )
    infiniband: Annotated[list[Flag], Field(max_length=MAX_VALUES)] | None = Field(
        default=None, description="`infiniband`; absent means false."
    )
    min_ram: Annotated[list[Annotated[int, Field(ge=0, le=2**63 - 1), Whole]], Field(max_length=MAX_VALUES)] | None = (
        Field(default=None, description="Bytes of `main_memory.ram_size`, at least.")
    )
    availability: Annotated[list[State], Field(max_length=MAX_VALUES, json_schema_extra={"comma": True})] | None = (
        Field(
            default=None,
            description="States, repeated or separated by commas: as of now, or in a search with a window throughout "
            "that, where every node is `available`.",
        )
    )
    availability_now: Annotated[list[State], Field(max_length=MAX_VALUES, json_schema_extra={"comma": True})] | None = (
        Field(default=None, description="States as of now, likewise, also in a search with a window.")
    )
    q: Annotated[str, Field(max_length=MAX_FREE_TEXT)] | None = Field(
        default=None,
        description="Words, each of which is in a text of the node or in the name of its site or cluster, "
        "whatever its case.",
        examples=["sgx"],
    )


class CollectionQuery(PageQuery, TravelQuery):
    """Which part of a collection, and of which commit."""


class SearchQuery(CollectionQuery, NodeFilters):
    """Filters of a search."""

    start: Instant | None = Field(
        default=None,
        description="Start of a window in which a node must be reservable throughout; needs `end`.",
        examples=["2030-01-01T08:00:00Z"],
    )
    end: Instant | None = Field(
        default=None, description="End of that window, excluded; needs `start`.", examples=["2030-01-04T08:00:00Z"]
    )
    sort: Names | None = Field(
        default=None,
        description="Fields by dotted path, each with a `-` before it for descending; nodes without one come last.",
        examples=[["-main_memory.ram_size"]],
    )
    fields: Names | None = Field(
        default=None,
        description="What of a node is answered, by dotted path; `uid`, `site_id` and `cluster_id` always are.",
        examples=[["node_type", "gpu.gpu_model"]],
    )
    facets: Names | None = Field(
        default=None,
        description="Fields by dotted path: how many of all matches have which value.",
        examples=[["node_type"]],
    )


NO_FILTERS: Final = frozenset(SearchQuery.model_fields) - frozenset(NodeFilters.model_fields)
"""Parameters of a search that do not select nodes by what they are; plans have none of them, or others of that name."""


class WindowQuery(Query):
    """The window of a calendar; by default all that is to come."""

    start: Instant | None = Field(
        default=None, description="Bookings that end later are told; by default now.", examples=["2030-01-01T08:00:00Z"]
    )
    end: Instant | None = Field(
        default=None,
        description="Bookings that start earlier are told; by default all.",
        examples=["2030-02-01T08:00:00Z"],
    )


class SubscriptionQuery(WindowQuery, NodeFilters):
    """The nodes of a calendar that programs subscribe to, which has no pages, and its window."""


class CalendarQuery(PageQuery, SubscriptionQuery):
    """The nodes of a calendar, and its window."""


class EarliestQuery(NodeFilters):
    """How many nodes are needed together, for how long, and from when on."""

    count: Annotated[int, Whole] = Field(default=1, ge=1, le=1000, description="How many nodes.")
    duration: Duration = Field(
        default=timedelta(days=1),
        description="ISO 8601, in weeks, days, hours, minutes and seconds, or a number of hours: "
        "from a minute to 366 days.",
        examples=["PT72H"],
    )
    after: Instant | None = Field(
        default=None,
        description="The earliest start that will do; by default now.",
        examples=["2030-01-01T08:00:00Z"],
    )
    across_sites: Flag = Field(default=False, description="Whether the nodes may be at several sites.")
    alternatives: Annotated[int, Whole] = Field(default=3, ge=0, le=10, description="How many later slots to tell.")


class CapacityQuery(NodeFilters):
    """Of which groups, when, and how finely."""

    group_by: Annotated[list[Word], Field(max_length=5, json_schema_extra={"comma": True})] | None = Field(
        default=None,
        description="Fields of a node by dotted path, `site_id` or `cluster_id`, repeated or separated by commas; "
        "by default all nodes are one group.",
        examples=[["node_type"]],
    )
    start: Instant | None = Field(default=None, description="By default now.", examples=["2030-01-01T08:00:00Z"])
    end: Instant | None = Field(
        default=None,
        description="Excluded; by default 30 days after the start, at most 366.",
        examples=["2030-01-31T08:00:00Z"],
    )
    step: Duration | None = Field(
        default=None,
        description="The length of a segment, counted from `start`, as `duration` is written for the earliest slot; "
        "by default a segment lasts until something changes.",
        examples=["P1D"],
    )


class EventsQuery(Query):
    """Whose events, and since when. A parameter that nobody knows is refused."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    site_id: Words | None = Field(default=None, description="Sites, repeated or separated by commas; by default all.")
    node_id: Words | None = Field(default=None, description="Nodes by uid, likewise.")
    last_event_id: str | None = Field(
        default=None,
        description="For clients that cannot send the header `Last-Event-ID`, which goes before it. "
        "What is not understood counts as nothing seen.",
    )
    newest_event_id: str | None = Field(
        default=None,
        alias="lastEventId",
        description="The same from clients that add it when they connect again; it goes before `last_event_id`.",
    )


class FlavorAvailabilityQuery(Query):
    """The window of a flavor's capacity; by default the 30 days from now."""

    start_date: Instant | None = Field(
        default=None,
        description="By default now. Before now capacity is told as far as it is known: the last hour at least.",
    )
    end_date: Instant | None = Field(
        default=None, description="Excluded; by default 30 days after the start, or from now if that is later."
    )
