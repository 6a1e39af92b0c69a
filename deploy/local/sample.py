"""A sample reference repository: three sites, forty nodes, a few flavors, and a history worth looking at."""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final
from uuid import NAMESPACE_DNS, uuid5

import pygit2

FOLDER: Final = Path("data/example")
"""Where the inventory is inside the repository."""

GIB: Final = 1024**3

type Files = Mapping[str, Mapping[str, Any]]
"""JSON objects by their path below `FOLDER`."""


@dataclass(frozen=True, slots=True)
class Kind:
    """Nodes that were bought together."""

    node_type: str
    processor: str
    cores: int
    ram_gib: int
    platform: str = "x86_64"
    gpu: str | None = None
    infiniband: bool = False


CASCADE_LAKE: Final = Kind("compute_cascadelake_r", "Intel(R) Xeon(R) Gold 6240R CPU @ 2.40GHz", 96, 192)
ICE_LAKE: Final = Kind("compute_icelake_r750", "Intel(R) Xeon(R) Platinum 8380 CPU @ 2.30GHz", 160, 256)
HASWELL: Final = Kind("compute_haswell_ib", "Intel(R) Xeon(R) CPU E5-2670 v3 @ 2.30GHz", 48, 128, infiniband=True)
GPU: Final = Kind("gpu_a100_pcie", "AMD EPYC 7763 64-Core Processor", 128, 512, gpu="A100", infiniband=True)
ARM: Final = Kind("compute_arm64", "ThunderX2 99xx", 256, 256, platform="aarch64")

FIRST: Final = (("uc", CASCADE_LAKE, 14), ("uc", HASWELL, 4), ("tacc", CASCADE_LAKE, 8), ("kvm", ICE_LAKE, 4))
ADDED: Final = (("tacc", GPU, 6), ("uc", ARM, 4))

SITES: Final = {
    "uc": ("CHI@Example North", "baremetal", 41.788, -87.599),
    "tacc": ("CHI@Example South", "baremetal", 30.390, -97.726),
    "kvm": ("KVM@Example South", "kvm", 30.390, -97.726),
}
FLAVORS: Final = {"m1.tiny": (1, 0.5, 1), "m1.small": (1, 2, 20), "m1.large": (4, 8, 40), "m1.xlarge": (8, 16, 40)}


def write_sample(folder: Path, *, now: datetime) -> Path:
    """Makes a repository in `folder`, its commits spread over the weeks before `now`; returns the inventory's folder.

    Raises:
        pygit2.GitError: `folder` cannot hold a repository.
    """
    repository = pygit2.init_repository(folder, initial_head="main")
    for age, subject, files in history():
        for path, document in files.items():
            file = folder / FOLDER / path
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(json.dumps(document, indent=2) + "\n")
        _commit(repository, subject, now - age)
    return folder / FOLDER


def history() -> Iterator[tuple[timedelta, str, Files]]:
    """The commits: their age, their subject and the files that each writes."""
    yield timedelta(days=60), "Describe the sites and their first nodes", {**_sites(), **_nodes(FIRST)}
    yield timedelta(days=30), "Publish the flavors of the virtual machines", _flavors()
    yield timedelta(days=14), "Add the GPU and ARM nodes", _nodes(ADDED)
    repaired, document = next(iter(_nodes(FIRST).items()))
    memory = {"ram_size": 96 * GIB, "humanized_ram_size": "96 GiB"}
    yield timedelta(days=2), "Half of a node's memory was broken", {repaired: {**document, "main_memory": memory}}


def _commit(repository: pygit2.Repository, subject: str, when: datetime) -> None:
    repository.index.add_all()
    repository.index.write()
    who = pygit2.Signature("Example Operators", "operators@example.org", int(when.timestamp()), 0)
    parents = [] if repository.head_is_unborn else [repository.head.target]
    repository.create_commit("HEAD", who, who, subject, repository.index.write_tree(), parents)


def _sites() -> Files:
    files: dict[str, Mapping[str, Any]] = {"example.json": {"type": "grid", "uid": "example"}}
    for uid, (name, site_class, latitude, longitude) in SITES.items():
        files[f"sites/{uid}/{uid}.json"] = {
            "type": "site",
            "uid": uid,
            "name": name,
            "site_class": site_class,
            "description": f"A site that exists on this machine only, called {name}",
            "latitude": latitude,
            "longitude": longitude,
            "web": f"https://{uid}.example.org",
        }
        opened = datetime(2020, 6, 15, 16, tzinfo=UTC)
        cluster = {"type": "cluster", "uid": "chameleon", "created_at": f"{opened:%a, %d %b %Y %H:%M:%S} GMT"}
        files[f"sites/{uid}/clusters/chameleon/chameleon.json"] = cluster
    return files


def _nodes(purchases: tuple[tuple[str, Kind, int], ...]) -> Files:
    return {
        f"sites/{site}/clusters/chameleon/nodes/{document['uid']}.json": document
        for site, kind, count in purchases
        for document in (_node(site, kind, number) for number in range(1, count + 1))
    }


def _node(site: str, kind: Kind, number: int) -> Mapping[str, Any]:
    name = f"{kind.node_type.rpartition('_')[2]}-{number:02}"
    gpu = {"gpu": True, "gpu_count": 4, "gpu_model": kind.gpu, "gpu_vendor": "NVIDIA"} if kind.gpu else {"gpu": False}
    return {
        "type": "node",
        "uid": str(uuid5(NAMESPACE_DNS, f"{name}.{kind.node_type}.{site}.example.org")),
        "node_name": name,
        "node_type": kind.node_type,
        "architecture": {"platform_type": kind.platform, "smp_size": 2, "smt_size": kind.cores},
        "processor": {"model": kind.processor, "instruction_set": kind.platform},
        "main_memory": {"ram_size": kind.ram_gib * GIB, "humanized_ram_size": f"{kind.ram_gib} GiB"},
        "gpu": gpu,
        "infiniband": kind.infiniband,
        "network_adapters": [{"device": "eno1", "enabled": True, "interface": "Ethernet", "rate": 25_000_000_000}],
        "storage_devices": [{"device": "sda", "interface": "SATA", "media_type": "SSD", "size": 480_103_981_056}],
        "placement": {"rack": str(1 + number % 4)},
        "supported_job_types": {"besteffort": False, "deploy": True, "virtual": "ivt"},
    }


def _flavors() -> Files:
    return {
        f"sites/kvm/flavors/{name}.json": {
            "type": "vm_flavor",
            "uid": name,
            "name": name,
            "vcpus": vcpus,
            "ram_size": int(ram_gib * GIB),
            "humanized_ram_size": f"{ram_gib} GiB",
            "disk_size": disk_gib * GIB,
            "humanized_disk_size": f"{disk_gib} GiB",
            "gpu": {"gpu": False},
        }
        for name, (vcpus, ram_gib, disk_gib) in FLAVORS.items()
    }
