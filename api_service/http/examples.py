"""What answers look like; each is held to its model by a test."""

from typing import Any, Final, cast

from pydantic import ConfigDict

SHA: Final = "5da059049fb24a6d76435e52538ee1cb47a0545f"
OLDER_SHA: Final = "43c7ad67a5c2ea49f9a4a5fd0b0ed2d2ae6a11b3"
NODE_ID: Final = "8797e2b9-9ec2-5c16-9c1f-06ed711e9049"
NODE_HREF: Final = f"/sites/tacc/clusters/chameleon/nodes/{NODE_ID}"


def example(**fields: Any) -> ConfigDict:
    """The configuration of a model whose instances look like this."""
    return ConfigDict(json_schema_extra={"examples": [fields]})


def examples_of(shown: ConfigDict) -> Any:
    """The examples of a model, for those of another that holds it."""
    return cast("dict[str, Any]", shown["json_schema_extra"])["examples"]


def links(**hrefs: str) -> list[dict[str, str]]:
    """As answers have them."""
    return [{"rel": rel, "href": href} for rel, href in hrefs.items()]


ROOT: Final = example(
    type="grid",
    uid="chameleoncloud",
    version=SHA,
    timestamp="1795334400",
    links=links(self="/", parent="/", sites="/sites", versions="/versions", version=f"/versions/{SHA}"),
)
SITE: Final = example(
    type="site",
    uid="tacc",
    name="CHI@TACC",
    site_class="baremetal",
    version=SHA,
    links=links(self="/sites/tacc", parent="/", clusters="/sites/tacc/clusters", flavors="/sites/tacc/flavors"),
)
CLUSTER: Final = example(
    type="cluster",
    uid="chameleon",
    queues=["admin", "default"],
    version=SHA,
    links=links(
        self="/sites/tacc/clusters/chameleon", parent="/sites/tacc", nodes="/sites/tacc/clusters/chameleon/nodes"
    ),
)
NODE: Final = example(
    type="node",
    uid=NODE_ID,
    node_name="c06-19",
    node_type="gpu_a100_pcie",
    architecture={"platform_type": "x86_64", "smp_size": 2, "smt_size": 128},
    main_memory={"ram_size": 549755813888, "humanized_ram_size": "512 GiB"},
    gpu={"gpu": True, "gpu_count": 4, "gpu_model": "A100", "gpu_vendor": "NVIDIA"},
    infiniband=True,
    version=SHA,
    links=links(self=NODE_HREF, parent="/sites/tacc/clusters/chameleon", availability=f"{NODE_HREF}/availability"),
)
FLAVOR: Final = example(
    type="vm_flavor",
    uid="m1.large",
    name="m1.large",
    vcpus=4,
    ram_size=8589934592,
    version=SHA,
    links=links(self="/sites/kvm/flavors/m1.large", parent="/sites/kvm"),
)
VERSION: Final = example(
    uid=SHA,
    message="Half of a node's memory was broken\n\nIt has 256 GiB until the part is there.",
    subject="Half of a node's memory was broken",
    date="Sun, 22 Nov 2026 08:00:00 GMT",
    author="Example Operators",
    type="version",
    links=links(self=f"/versions/{SHA}", parent="/"),
)
DIFFERENCES: Final = example(
    **{"from": OLDER_SHA, "to": SHA},
    added=[],
    removed=[],
    changed=[
        {
            "uid": NODE_ID,
            "site_id": "tacc",
            "cluster_id": "chameleon",
            "links": links(self=f"{NODE_HREF}?version={SHA}"),
            "patch": [{"op": "replace", "path": "/main_memory/ram_size", "value": 274877906944}],
        }
    ],
    links=links(self=f"/versions/{OLDER_SHA}/diff/{SHA}", parent="/versions"),
)
NODE_AVAILABILITY: Final = example(
    node_id=NODE_ID,
    cluster_id="chameleon",
    site_id="tacc",
    availability="reserved",
    availability_until="2026-11-25T08:00:00Z",
    last_updated="2026-11-24T05:53:42.686000Z",
    maintenance=False,
    stale=False,
    reservations=[{"start": "2026-11-24T05:00:00Z", "end": "2026-11-25T08:00:00Z"}],
    links=links(self=f"{NODE_HREF}/availability", parent=NODE_HREF, calendar=f"{NODE_HREF}/availability.ics"),
)
CALENDAR_ITEM: Final = example(
    **examples_of(NODE_AVAILABILITY)[0] | {"node_name": "P3-CPU-033", "node_type": "compute_cascadelake_r"}
)
PLANNED_NODE: Final = example(
    node_id=NODE_ID,
    cluster_id="chameleon",
    site_id="tacc",
    stale=False,
    links=links(self=NODE_HREF, availability=f"{NODE_HREF}/availability"),
)
SLOT: Final = example(
    start="2026-11-25T08:00:00Z",
    end="2026-11-28T08:00:00Z",
    site_id="tacc",
    stale=False,
    nodes=examples_of(PLANNED_NODE),
)
EARLIEST: Final = example(
    **examples_of(SLOT)[0],
    alternatives=[examples_of(SLOT)[0] | {"start": "2026-11-25T09:30:00Z", "end": "2026-11-28T09:30:00Z"}],
    version=SHA,
    links=links(self="/availability/earliest?gpu=true&duration=PT72H", parent="/"),
)
CAPACITY_SEGMENT: Final = example(
    start="2026-11-24T05:54:00Z",
    end="2026-11-25T08:00:00Z",
    free=11,
    reserved=20,
    maintenance=1,
    unknown=0,
)
GROUP_CAPACITY: Final = example(
    group={"node_type": "gpu_a100_pcie"},
    total=32,
    stale=False,
    segments=examples_of(CAPACITY_SEGMENT),
)
CAPACITY: Final = example(
    start="2026-11-24T05:54:00Z",
    end="2026-11-25T08:00:00Z",
    groups=examples_of(GROUP_CAPACITY),
    version=SHA,
    links=links(self="/availability/capacity?group_by=node_type&end=2026-11-25T08:00:00Z", parent="/"),
)
GRID5000_RESERVATION: Final = example(
    start="2026-11-24T05:00:00Z",
    end="2026-11-25T08:00:00Z",
    started_at=1795496400,
    scheduled_at=1795496400,
    walltime=97200,
    queue="default",
)
GRID5000_NODE: Final = example(
    hard="alive",
    soft="busy",
    reservations=examples_of(GRID5000_RESERVATION),
)
GRID5000: Final = example(
    uid="tacc",
    nodes={NODE_ID: examples_of(GRID5000_NODE)[0]},
    stale=False,
    links=links(self="/sites/tacc/status", parent="/sites/tacc"),
)
SITE_AVAILABILITY: Final = example(
    site_id="tacc",
    last_synced="2026-11-24T05:53:42.686000Z",
    synced_node_count=312,
    stale=False,
    counts={"unknown": 2, "maintenance": 29, "reserved": 123, "available": 159},
    links=links(self="/sites/tacc/availability", parent="/sites/tacc", events="/events?site_id=tacc"),
)
FLAVOR_AVAILABILITY: Final = example(
    flavor_id="m1.large",
    site_id="kvm",
    last_updated="2026-11-24T05:53:42.686000Z",
    stale=False,
    availability=[
        {"start": "2026-11-24T05:54:00Z", "end": "2026-11-26T00:00:00Z", "available": 20, "total": 28},
        {"start": "2026-11-26T00:00:00Z", "end": "2026-12-24T05:54:00Z", "available": 28, "total": 28},
    ],
    links=links(self="/sites/kvm/flavors/m1.large/availability", parent="/sites/kvm/flavors/m1.large"),
)
SEARCH_ITEM: Final = example(
    type="node",
    uid=NODE_ID,
    node_type="gpu_a100_pcie",
    site_id="tacc",
    cluster_id="chameleon",
    availability="available",
    availability_until="2026-11-26T00:00:00Z",
    last_updated="2026-11-24T05:53:42.686000Z",
    stale=False,
    version=SHA,
    links=links(self=NODE_HREF, parent="/sites/tacc/clusters/chameleon", availability=f"{NODE_HREF}/availability"),
)
SELECTED_ITEM: Final = example(
    uid=NODE_ID, site_id="tacc", cluster_id="chameleon", gpu={"gpu_model": "A100"}, availability="available"
)
SEARCH: Final = example(
    total=37,
    offset=0,
    items=examples_of(SEARCH_ITEM),
    facets={"storage_devices.media_type": {"SSD": 37, "Rotational": 4}},
    version=SHA,
    links=links(
        self="/nodes/search?gpu.gpu_count__gte=4&facets=storage_devices.media_type&limit=1",
        parent="/",
        earliest="/availability/earliest?gpu.gpu_count__gte=4",
        next="/nodes/search?gpu.gpu_count__gte=4&facets=storage_devices.media_type&offset=1&limit=1",
    ),
)
HEALTH: Final = example(status="failing", reasons=["the availability log has not been read yet"])
PROBLEM: Final = example(
    type="about:blank",
    title="Bad Request",
    status=400,
    detail="gpus: there is no such parameter; did you mean gpu?",
    errors=[{"name": "gpus", "detail": "there is no such parameter; did you mean gpu?"}],
)
