"""What answers to plans hold; the OpenAPI document is made of these models."""

from datetime import datetime
from typing import Any, Literal

from pydantic import BaseModel, Field

from api_service.http import examples
from api_service.http.schemas import Link, ReservationBody
from shared.availability import AvailabilityState


class CalendarItemBody(BaseModel):
    """A node's state and its bookings in the window."""

    model_config = examples.CALENDAR_ITEM

    node_id: str
    cluster_id: str
    site_id: str
    node_name: Any = Field(
        description="As in its file, like `node_type`: what a calendar shows; null if it is not there."
    )
    node_type: Any
    availability: AvailabilityState
    availability_until: datetime | None = Field(
        description="The end of the block, or the start of the next; else null."
    )
    last_updated: datetime | None = Field(description="Null where its site was never synced.")
    maintenance: bool | None = Field(description="Null where nothing is known of the node.")
    stale: bool = Field(description="Older than three poll intervals.")
    reservations: list[ReservationBody] = Field(description="Merged and sorted; whole, not cut to the window.")
    links: list[Link] = Field(description="`self` only where something is known of the node.")


class PlannedNodeBody(BaseModel):
    """A node of a slot."""

    model_config = examples.PLANNED_NODE

    node_id: str
    cluster_id: str
    site_id: str
    stale: bool
    links: list[Link]


class SlotBody(BaseModel):
    """Time for which enough nodes can be reserved together."""

    model_config = examples.SLOT

    start: datetime
    end: datetime = Field(description="Excluded.")
    site_id: str | None = Field(description="Where the nodes are; null if that is not one site.")
    stale: bool = Field(description="What is known of any of the nodes is older than three poll intervals.")
    nodes: list[PlannedNodeBody] = Field(description="As many as were asked for, sorted by `node_id`.")


class EarliestBody(SlotBody):
    """The earliest slot, and later ones."""

    model_config = examples.EARLIEST

    alternatives: list[SlotBody] = Field(
        description="Those that follow: at other sites, or where further bookings end."
    )
    version: str | None = Field(description="The commit that is being served; null without git.")
    links: list[Link]


class CapacitySegmentBody(BaseModel):
    """How many nodes of a group are what for a time; together they are all of it."""

    model_config = examples.CAPACITY_SEGMENT

    start: datetime
    end: datetime = Field(description="Excluded.")
    free: int = Field(ge=0, description="Of a `step`, those that are free throughout.")
    reserved: int = Field(ge=0)
    maintenance: int = Field(ge=0)
    unknown: int = Field(ge=0)


class GroupCapacityBody(BaseModel):
    """The capacity of nodes that are alike."""

    model_config = examples.GROUP_CAPACITY

    group: dict[str, Any] = Field(
        description="What the nodes have at each field of `group_by`: a value, a list of several, or null."
    )
    total: int = Field(ge=0, description="How many nodes they are.")
    stale: bool = Field(
        description="The data of a site of these nodes is older than three poll intervals, or the site was never "
        "synced; of a group without nodes that of a site that was asked."
    )
    segments: list[CapacitySegmentBody] = Field(description="Contiguous, from `start` to `end`.")


class CapacityBody(BaseModel):
    """How many nodes are free over time."""

    model_config = examples.CAPACITY

    start: datetime = Field(description="What of the window is not over.")
    end: datetime = Field(description="Excluded.")
    groups: list[GroupCapacityBody] = Field(description="Sorted by their values; every node is in one.")
    version: str | None = Field(description="The commit that is being served; null without git.")
    links: list[Link]


class Grid5000ReservationBody(ReservationBody):
    """Time that is booked, as a reservation of Grid'5000."""

    model_config = examples.GRID5000_RESERVATION

    started_at: int = Field(description="Epoch seconds of the start, rounded down; also of a reservation to come.")
    scheduled_at: int = Field(description="The same.")
    walltime: int = Field(ge=1, description="Seconds from there to the end, rounded up.")
    queue: Literal["default"]


class Grid5000NodeBody(BaseModel):
    """The status of a node in the form of Grid'5000."""

    model_config = examples.GRID5000_NODE

    hard: Literal["alive", "dead", "suspected"] = Field(
        description="`dead` is in maintenance, `suspected` is unknown: neither can be used."
    )
    soft: Literal["free", "busy", "unknown"]
    reservations: list[Grid5000ReservationBody] = Field(description="Merged and sorted; those that are not over.")


class Grid5000Body(BaseModel):
    """The nodes of a site or cluster as Grid'5000 tells them."""

    model_config = examples.GRID5000

    uid: str = Field(description="Of the site or cluster.")
    nodes: dict[str, Grid5000NodeBody] = Field(description="By `uid`.")
    stale: bool = Field(description="The site's data is older than three poll intervals, or it was never synced.")
    links: list[Link]
