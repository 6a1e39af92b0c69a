"""What requests ask and answers hold; the OpenAPI document is made of these models."""

import re
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Annotated, Any, Final, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, WithJsonSchema

from shared.availability import AvailabilityState

MAX_PAGE: Final = 5000
MAX_VALUES: Final = 200
"""Values of one filter in one request."""

_INSTANT: Final = re.compile(
    r"(?P<date>\d{4}-\d\d-\d\d)"
    r"(?:[Tt ](?P<time>\d\d:\d\d(?::\d\d(?:\.\d{1,9})?)?)"
    r"(?:[Zz]|(?P<sign>[-+ ])(?P<offset>(?:[01]\d|2[0-3]):[0-5]\d))?)?",
    re.ASCII,
)


def instant(text: object) -> datetime:
    """The moment that a client wrote, in UTC.

    RFC 3339; without an offset, or without a time of day, it is read as UTC, and a `+` that became a space on
    its way through a form is understood.

    Raises:
        ValueError: it is anything else, or lies outside the years 1 to 9999.
    """
    found = _INSTANT.fullmatch(text) if isinstance(text, str) else None
    if found is None:
        raise ValueError("must be an RFC 3339 date and time such as 2026-11-22T08:00:00Z")
    zone = "+00:00" if found["offset"] is None else f"{found['sign'].replace(' ', '+')}{found['offset']}"
    # Nine digits of a second are allowed; datetime keeps six.
    clock = re.sub(r"(\.\d{6})\d+$", r"\1", found["time"] or "00:00")
    try:
        return datetime.fromisoformat(f"{found['date']}T{clock}{zone}").astimezone(UTC)
    except OverflowError:
        raise ValueError("lies outside the years 1 to 9999") from None


def _flag(text: object) -> bool:
    match text:
        case str() if text.lower() in {"true", "false"}:
            return text.lower() == "true"
        case _:
            raise ValueError("must be true or false")


def _word(text: object) -> object:
    if isinstance(text, str) and re.search(r"[,\x00-\x1f\x7f]", text):
        raise ValueError("must not hold a comma or a control character")
    return text


def _whole(text: object) -> object:
    if isinstance(text, str) and not re.fullmatch(r"-?\d+", text, re.ASCII):
        raise ValueError("must be an integer")
    return text


Instant = Annotated[
    datetime,
    BeforeValidator(instant),
    WithJsonSchema({"type": "string", "format": "date-time"}),
]
Flag = Annotated[bool, BeforeValidator(_flag), WithJsonSchema({"type": "boolean"})]
Word = Annotated[
    str,
    Field(min_length=1, max_length=300),
    BeforeValidator(_word),
    WithJsonSchema({"type": "string", "minLength": 1, "maxLength": 300, "pattern": r"^[^,\x00-\x1f\x7f]+$"}),
]
Whole = BeforeValidator(_whole)
"""For integers: of what Python reads as one, only what a client would write."""
Words = Annotated[list[Word], Field(max_length=MAX_VALUES, json_schema_extra={"comma": True})]


class Query(BaseModel):
    """Base of query strings. Old guides send parameters that nobody knows: most paths ignore them."""

    model_config = ConfigDict(extra="ignore", frozen=True)


class PageQuery(Query):
    """Which part of a collection; without it, everything up to 5000 items."""

    offset: Annotated[int, Whole] = Field(default=0, ge=0, le=2**53, description="How many items to pass over.")
    limit: Annotated[int, Whole] = Field(
        default=MAX_PAGE, ge=1, le=MAX_PAGE, description="How many items to answer at most."
    )


class SearchQuery(PageQuery):
    """Filters of a search; a repeated parameter means any of its values."""

    model_config = ConfigDict(extra="forbid", frozen=True)

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
    availability: (
        Annotated[list[AvailabilityState], Field(max_length=MAX_VALUES, json_schema_extra={"comma": True})] | None
    ) = Field(default=None, description="States, repeated or separated by commas; as of now.")
    start: Instant | None = Field(
        default=None,
        description="Start of a window in which a node must be reservable throughout; needs `end`.",
        examples=["2030-01-01T08:00:00Z"],
    )
    end: Instant | None = Field(
        default=None, description="End of that window, excluded; needs `start`.", examples=["2030-01-04T08:00:00Z"]
    )


class FlavorAvailabilityQuery(Query):
    """The window of a flavor's capacity; by default the 30 days from now."""

    start_date: Instant | None = Field(default=None, description="By default now.")
    end_date: Instant | None = Field(default=None, description="Excluded; by default 30 days after the start.")


class Link(BaseModel):
    """A related resource."""

    rel: str = Field(examples=["self"])
    href: str = Field(description="Root-relative.", examples=["/sites/uc"])


class Resource(BaseModel):
    """What every answer of the inventory carries beside the fields of its file, which go out as they are."""

    model_config = ConfigDict(extra="allow")

    version: str | None = Field(description="The commit that is being served; null without git.")
    links: list[Link]


class RootBody(Resource):
    """The testbed."""

    timestamp: str | None = Field(description="When that commit was made, in epoch seconds.", examples=["1795334400"])


class InventoryBody(Resource):
    """A site, cluster, node or flavor: the fields of its file, and these."""

    uid: str


class SiteBody(InventoryBody):
    """A site."""


class ClusterBody(InventoryBody):
    """A cluster."""

    queues: Any = Field(
        description="As in the file; by default `admin` and `default`.", examples=[["admin", "default"]]
    )


class NodeBody(InventoryBody):
    """A bare-metal node."""


class FlavorBody(InventoryBody):
    """The size of a virtual machine."""


class VersionBody(BaseModel):
    """A commit."""

    uid: str = Field(description="The full sha.", pattern="^[0-9a-f]{40}$")
    message: str = Field(description="The subject line.")
    body: str | None = Field(default=None, description="The rest of the message, where there is any.")
    date: str = Field(description="The committer's.", examples=["Sun, 22 Nov 2026 08:00:00 GMT"])
    author: str = Field(description="The name only.")
    type: Literal["version"] = "version"
    links: list[Link]


class Page[T](BaseModel):
    """A collection, or a part of it."""

    total: int = Field(ge=0, description="All that match, whatever the page.")
    offset: int = Field(ge=0)
    items: list[T] = Field(description="Sorted by `uid`; versions newest first.")
    version: str | None = Field(description="The commit that is being served; null without git.")
    links: list[Link]


class AllVersionsBody(Page[VersionBody]):
    """Every commit, newest first."""

    versions: list[VersionBody] = Field(description="The same as `items`.")


class ReservationBody(BaseModel):
    """Time that is booked."""

    start: datetime
    end: datetime = Field(description="Excluded.")


class NodeAvailabilityBody(BaseModel):
    """A node's state and its bookings to come."""

    node_id: str
    cluster_id: str
    site_id: str
    availability: AvailabilityState
    availability_until: datetime | None = Field(
        description="The end of the block, or the start of the next; else null."
    )
    last_updated: datetime = Field(description="When this was observed.")
    maintenance: bool
    stale: bool = Field(description="Older than three poll intervals.")
    reservations: list[ReservationBody] = Field(description="Merged and sorted.")
    links: list[Link]


class SiteAvailabilityBody(BaseModel):
    """How current a site's data is, and its nodes by state."""

    site_id: str
    last_synced: datetime
    synced_node_count: int = Field(description="Hosts that Blazar lists.")
    stale: bool
    counts: dict[AvailabilityState, int] = Field(description="Nodes of the inventory by state.")
    links: list[Link]


class FlavorSegmentBody(BaseModel):
    """How many instances could run for a time."""

    start: datetime
    end: datetime = Field(description="Excluded.")
    available: int
    total: int


class FlavorAvailabilityBody(BaseModel):
    """A flavor's capacity over time."""

    flavor_id: str
    site_id: str
    last_updated: datetime
    stale: bool
    availability: list[FlavorSegmentBody] = Field(description="Clipped to the window; what is not told is unknown.")
    links: list[Link]


class SearchItemBody(NodeBody):
    """A node that fits, and its state."""

    site_id: str
    cluster_id: str
    availability: AvailabilityState
    availability_until: datetime | None
    last_updated: datetime | None = Field(description="Null where its site was never synced.")
    stale: bool


class HealthBody(BaseModel):
    """Good, or why not."""

    status: Literal["ok", "failing"]
    reasons: list[str]


class StatusBody(BaseModel):
    """The state of the service for people; more may be added to each part."""

    service: str
    time: datetime
    live: Literal["yes"] | list[str] = Field(description="Or the reasons why not.")
    ready: Literal["yes"] | list[str] = Field(description="Or the reasons why not.")
    inventory: dict[str, Any] = Field(description="The commit that is served, and why a newer one is not.")
    feed: dict[str, Any] = Field(description="The availability log, and what became of its messages.")
    sites: list[dict[str, Any]] = Field(description="What is known of each site, and its age.")
    configured_but_not_in_the_inventory: list[str]
    data_faults: dict[str, Any] = Field(description="What is wrong with files of the inventory.")


class ParameterProblem(BaseModel):
    """One bad parameter."""

    name: str
    detail: str


class ProblemBody(BaseModel):
    """An error, as RFC 9457 has it."""

    type: str = Field(examples=["about:blank"])
    title: str = Field(examples=["Not Found"])
    status: int = Field(ge=400, le=599)
    detail: str = Field(examples=["there is no site 'nowhere'"])
    errors: list[ParameterProblem] | None = Field(default=None, description="Each bad parameter.")

    def to_json(self) -> Mapping[str, Any]:
        """What is sent: no nulls."""
        return self.model_dump(exclude_none=True)
