"""What answers about versions hold; the OpenAPI document is made of these models."""

from typing import Any, Literal

from pydantic import BaseModel, Field

from api_service.http import examples
from api_service.http.schemas import Link, Page


class VersionBody(BaseModel):
    """A commit."""

    model_config = examples.VERSION

    uid: str = Field(description="The full sha.", pattern="^[0-9a-f]{40}$")
    message: str = Field(description="The whole message.")
    subject: str = Field(description="Its first paragraph on one line.")
    body: str | None = Field(default=None, description="The rest of it; only of one version alone, if there is any.")
    date: str = Field(description="The committer's.", examples=["Sun, 22 Nov 2026 08:00:00 GMT"])
    author: str = Field(description="The name only.")
    type: Literal["version"] = "version"
    links: list[Link]


class AllVersionsBody(Page[VersionBody]):
    """Every commit, newest first."""

    versions: list[VersionBody] = Field(description="The same as `items`.")


class DifferingNodeBody(BaseModel):
    """A node that came or went."""

    uid: str
    site_id: str
    cluster_id: str
    links: list[Link] = Field(description="To the node at the commit that has it, or at the newer one.")


class PatchedNodeBody(DifferingNodeBody):
    """A node that is not what it was."""

    patch: list[dict[str, Any]] = Field(
        description="RFC 6902: makes its fields, but for `version` and `links`, what they are at the other commit."
    )


class DifferencesBody(BaseModel):
    """What differs between two commits; nodes sorted by site, cluster and uid."""

    model_config = examples.DIFFERENCES

    before: str = Field(serialization_alias="from", description="The full sha that the patches lead from.")
    after: str = Field(serialization_alias="to", description="The full sha that they lead to.")
    added: list[DifferingNodeBody]
    removed: list[DifferingNodeBody]
    changed: list[PatchedNodeBody]
    links: list[Link]
