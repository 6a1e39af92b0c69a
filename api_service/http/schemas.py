"""What answers hold; the OpenAPI document is made of these models."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from api_service.http import examples
from shared.availability import AvailabilityState


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

    model_config = examples.ROOT

    timestamp: str | None = Field(description="When that commit was made, in epoch seconds.", examples=["1795334400"])


class InventoryBody(Resource):
    """A site, cluster, node or flavor: the fields of its file, and these."""

    uid: str


class SiteBody(InventoryBody):
    """A site."""

    model_config = examples.SITE


class ClusterBody(InventoryBody):
    """A cluster."""

    model_config = examples.CLUSTER

    queues: Any = Field(
        description="As in the file; by default `admin` and `default`.", examples=[["admin", "default"]]
    )


class NodeBody(InventoryBody):
    """A bare-metal node."""

    model_config = examples.NODE


class FlavorBody(InventoryBody):
    """The size of a virtual machine."""

    model_config = examples.FLAVOR


class NetworkEquipment(BaseModel):
    """A switch or router, as Grid'5000 has them; this service has none."""

    uid: str


class Page[T](BaseModel):
    """A collection, or a part of it."""

    total: int = Field(ge=0, description="All that match, whatever the page.")
    offset: int = Field(ge=0)
    items: list[T] = Field(description="Sorted by `uid`; versions newest first.")
    version: str | None = Field(description="The commit that is being served; null without git.")
    links: list[Link]


class ReservationBody(BaseModel):
    """Time that is booked."""

    start: datetime
    end: datetime = Field(description="Excluded.")


class NodeAvailabilityBody(BaseModel):
    """A node's state and its bookings to come."""

    model_config = examples.NODE_AVAILABILITY

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

    model_config = examples.SITE_AVAILABILITY

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

    model_config = examples.FLAVOR_AVAILABILITY

    flavor_id: str
    site_id: str
    last_updated: datetime
    stale: bool
    availability: list[FlavorSegmentBody] = Field(description="Clipped to the window; what is not told is unknown.")
    links: list[Link]


class SearchItemBody(NodeBody):
    """A node that fits, and its state."""

    model_config = examples.SEARCH_ITEM

    site_id: str
    cluster_id: str
    availability: AvailabilityState = Field(description="Now, or where a window is asked for, throughout that.")
    availability_now: AvailabilityState | None = Field(
        default=None, description="Now; only where a window is asked for, or `fields` names it."
    )
    availability_until: datetime | None = Field(
        description="When the state of now ends: the end of the block, or the start of the next; else null."
    )
    last_updated: datetime | None = Field(description="Null where its site was never synced.")
    stale: bool


class SelectedItemBody(BaseModel):
    """What `fields` selects of a node that fits, and where it is."""

    model_config = examples.SELECTED_ITEM

    uid: str
    site_id: str
    cluster_id: str


class SearchBody(Page[SearchItemBody | SelectedItemBody]):
    """Nodes that fit, or a part of them; of `fields`, those that were asked for."""

    model_config = examples.SEARCH

    facets: dict[str, dict[str, int]] | None = Field(
        default=None, description="Where `facets` asks for it: how many of all matches have which value, by field."
    )


class HealthBody(BaseModel):
    """Good, or why not."""

    model_config = examples.HEALTH

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
    events: dict[str, Any] = Field(description="Who follows them, and how many were sent.")
    sites: list[dict[str, Any]] = Field(description="What is known of each site, and its age.")
    configured_but_not_in_the_inventory: list[str]
    data_faults: dict[str, Any] = Field(description="What is wrong with files of the inventory.")


class ParameterProblem(BaseModel):
    """One bad parameter."""

    name: str
    detail: str


class ProblemBody(BaseModel):
    """An error, as RFC 9457 has it."""

    model_config = examples.PROBLEM

    type: str
    title: str
    status: int = Field(ge=400, le=599)
    detail: str = Field(description="A sentence.")
    errors: list[ParameterProblem] | None = Field(default=None, description="Each bad parameter.")

    def to_json(self) -> Mapping[str, Any]:
        """What is sent: no nulls."""
        return self.model_dump(exclude_none=True)
