"""docs/search.md is true: every row of its tables is asked, of nodes as the real inventory has them."""

import json
import re
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import pytest
from yarl import URL

from api_service.domain import facets
from api_service.domain.node_conditions import Suffix
from api_service.http.queries import MAX_CONDITIONS, MAX_FREE_TEXT, MAX_LENGTH, MAX_NAMES, NodeFilters
from api_service.http.values import MAX_VALUES
from tests.component.serving import AiohttpClient, Service, serving
from tests.inventories import cluster, inventory, site
from tests.repositories import SAMPLE

DOCUMENT = (Path(__file__).parents[2] / "docs" / "search.md").read_text()
NODES = [json.loads(file.read_text()) for file in sorted(SAMPLE.glob("sites/*/clusters/*/nodes/*.json"))]

type Fits = Callable[[dict[str, Any]], bool]


def disks(node: dict[str, Any], key: str) -> list[Any]:
    return [disk.get(key) for disk in node["storage_devices"]]


def nics(node: dict[str, Any], key: str) -> list[Any]:
    return [nic.get(key) or 0 for nic in node["network_adapters"]]


def gpu(node: dict[str, Any], key: str) -> Any:
    return node.get("gpu", {}).get(key)


EXPECTED: dict[str, Fits] = {
    "GPU": lambda node: gpu(node, "gpu") is True,
    "GPU vendor": lambda node: gpu(node, "gpu_vendor") == "NVIDIA",
    "GPU model": lambda node: "A100" in (gpu(node, "gpu_model") or ""),
    "GPU count": lambda node: (gpu(node, "gpu_count") or 0) >= 4,
    "CPU vendor": lambda node: node["processor"]["vendor"] == "Fujitsu",
    "CPU model": lambda node: "Gold 6126" in node["processor"]["model"],
    "CPU clock, in Hz": lambda node: node["processor"]["clock_speed"] >= 2_600_000_000,
    "CPU cache, in bytes": lambda node: node["processor"].get("cache_l3", 0) >= 30_000_000,
    "CPU sockets": lambda node: node["architecture"]["smp_size"] == 2,
    "CPU threads": lambda node: node["architecture"]["smt_size"] >= 96,
    "Architecture": lambda node: node["architecture"]["platform_type"] == "aarch64",
    "Instruction set": lambda node: node["processor"]["instruction_set"] != "x86_64",
    "Memory, in bytes": lambda node: node["main_memory"]["ram_size"] >= 2**38,
    "Memory, as it is shown": lambda node: node["main_memory"]["humanized_ram_size"] == "192 GiB",
    "Storage media": lambda node: "Rotational" in disks(node, "media_type"),
    "Storage interface": lambda node: "PCIe" in disks(node, "interface"),
    "Storage size, in bytes": lambda node: max(disks(node, "size")) >= 2 * 10**12,
    "Storage model": lambda node: any(model.startswith("ST2000") for model in disks(node, "model")),
    "Storage vendor": lambda node: "Samsung" in disks(node, "vendor"),
    "Storage count": lambda node: len(node["storage_devices"]) > 1,
    "No spinning disk": lambda node: "Rotational" not in disks(node, "media_type"),
    "NIC rate, in bit/s": lambda node: max(nics(node, "rate")) >= 25 * 10**9,
    "NIC model": lambda node: any("ConnectX" in model for model in nics(node, "model")),
    "NIC vendor": lambda node: "Mellanox" in nics(node, "vendor"),
    "NIC driver": lambda node: "mlx5_core" in nics(node, "driver"),
    "NIC count": lambda node: len(node["network_adapters"]) >= 2,
    "InfiniBand": lambda node: node.get("infiniband") is True,
    "FPGA": lambda node: "fpga" in node,
    "FPGA vendor": lambda node: node.get("fpga", {}).get("board_vendor") == "Altera",
    "FPGA model": lambda node: "Arria" in node.get("fpga", {}).get("board_model", ""),
    "Chassis": lambda node: node["chassis"].get("name") == "PowerEdge R740",
    "Chassis vendor": lambda node: node["chassis"].get("manufacturer", "").startswith("Dell"),
    "Rack": lambda node: node.get("placement", {}).get("rack") == "12",
    "Wattmeter": lambda node: node["monitoring"]["wattmeter"] is False,
    "BIOS of a date or newer": lambda node: node["bios"]["release_date"][:4] >= "2024",
    "SGX, by the operators' note": lambda node: "SGX" in node.get("admin_note", ""),
    "Node type": lambda node: node["node_type"] in {"gpu_a100_nvlink", "storage"},
}


def table(heading: str) -> Iterable[list[str]]:
    """The rows of the table that begins with `heading`."""
    _, _, rest = DOCUMENT.partition(f"| {heading} |")
    for line in rest.splitlines()[2:]:
        if not line.startswith("|"):
            return
        yield [cell.strip() for cell in line.strip("|").split(" | ")]


FACETS = {name.strip(): (field.strip("`"), query.strip().strip("`")) for name, field, query in table("facet")}


@pytest.fixture
async def service(aiohttp_client: AiohttpClient) -> Service:
    made = await serving(aiohttp_client)
    made.serve(inventory(site("uc", cluster("uc", "main", NODES))))
    return made


def test_what_is_expected_and_what_is_written_are_the_same_facets() -> None:
    assert FACETS.keys() == EXPECTED.keys()
    assert len(FACETS) >= 27


@pytest.mark.parametrize("name", EXPECTED)
async def test_the_query_of_a_facet_finds_the_nodes_that_its_name_promises(service: Service, name: str) -> None:
    field, query = FACETS[name]
    url = URL("/nodes/search").with_query(f"{query}&fields=uid")
    found = {item["uid"] for item in (await service.json(str(url)))["items"]}
    assert found == {node["uid"] for node in NODES if EXPECTED[name](node)}
    assert found
    counts = (await service.json(f"/nodes/search?facets={field}&limit=1"))["facets"][field]
    assert sum(counts.values()) >= 1


def test_the_filters_that_have_names_are_all_in_the_table() -> None:
    named = {name for row in table("parameter") for name in re.findall(r"`([a-z_]+)`", row[0])}
    assert named == {*NodeFilters.model_fields, "start", "end"}


def test_the_bounds_are_those_of_the_code() -> None:
    said = DOCUMENT.partition("## Bounds")[2]
    assert f"{MAX_CONDITIONS} conditions, {MAX_VALUES} values of each, {MAX_LENGTH} characters a value" in said
    assert f"{MAX_FREE_TEXT} characters of `q`" in said
    assert f"{MAX_NAMES} paths of" in said
    assert f"{facets.MAX_VALUES} values of a facet" in said


SUFFIXES: dict[str, tuple[str, Fits]] = {
    "nothing": ("gpu.gpu_count=4", lambda node: gpu(node, "gpu_count") == 4),
    "__n": ("node_type__n=storage", lambda node: node["node_type"] != "storage"),
    "__ic": (
        "network_adapters.model__ic=CONNECTX",
        lambda node: any("ConnectX" in each for each in nics(node, "model") if each),
    ),
    "__isw": ("processor.model__isw=intel", lambda node: node["processor"]["model"].startswith("Intel")),
    "__gt": ("architecture.smt_size__gt=48", lambda node: node["architecture"]["smt_size"] > 48),
    "__gte": ("architecture.smt_size__gte=48", lambda node: node["architecture"]["smt_size"] >= 48),
    "__lt": ("architecture.smt_size__lt=48", lambda node: node["architecture"]["smt_size"] < 48),
    "__lte": ("architecture.smt_size__lte=48", lambda node: node["architecture"]["smt_size"] <= 48),
    "__empty": ("fpga.board_model__empty=true", lambda node: "board_model" not in node.get("fpga", {})),
}


def test_every_suffix_is_in_the_table() -> None:
    written = [each for row in table("after the path") for each in re.findall(r"`(__[a-z]+)`", row[0]) or ["nothing"]]
    assert written == list(SUFFIXES)
    assert {each.removeprefix("__") for each in written} - {"nothing"} == {suffix.value for suffix in Suffix} - {""}


@pytest.mark.parametrize("suffix", SUFFIXES)
async def test_a_suffix_keeps_the_nodes_that_its_row_promises(service: Service, suffix: str) -> None:
    query, fits = SUFFIXES[suffix]
    found = {item["uid"] for item in (await service.json(f"/nodes/search?{query}&fields=uid"))["items"]}
    expected = {node["uid"] for node in NODES if fits(node)}
    assert found == expected
    assert 0 < len(expected) < len(NODES)
