"""Files -> inventory: what is served, what is left out, and what is told about it."""

import json
from collections.abc import Iterator, Mapping
from typing import Any

import pytest

from api_service.adapters import json_repository
from api_service.adapters.entries import Entry, File, Folder, Unusable
from api_service.adapters.json_document import MAX_FILE_BYTES
from api_service.adapters.json_repository import read_inventory
from api_service.domain.data_faults import DataFault, FaultKind
from api_service.domain.inventory import Inventory, InventoryRefusedError
from tests.repositories import SAMPLE

type Tree = dict[str, Any]
"""Names -> bytes, a tree, or an entry."""

NODES = "sites/tacc/clusters/chameleon/nodes"


def folder(tree: Tree) -> Folder:
    def entries() -> Iterator[tuple[str, Entry]]:
        for name, content in tree.items():
            match content:
                case bytes():
                    yield name, File(lambda content=content: len(content), lambda content=content: content)  # type: ignore[misc]
                case dict():
                    yield name, folder(content)
                case entry:
                    yield name, entry

    return Folder(entries)


def tree_of(files: Mapping[str, object]) -> Tree:
    """Paths -> bytes, an entry, or an object to be written as JSON."""
    top: Tree = {}
    for path, content in files.items():
        *folders, name = path.split("/")
        at = top
        for each in folders:
            at = at.setdefault(each, {})
        as_is = isinstance(content, bytes | File | Folder | Unusable)
        at[name] = content if as_is else json.dumps(content).encode()
    return top


def sample() -> dict[str, object]:
    return {path.relative_to(SAMPLE).as_posix(): path.read_bytes() for path in SAMPLE.rglob("*.json")}


SMALL: dict[str, object] = {
    "testbed.json": {"uid": "testbed"},
    "sites/tacc/tacc.json": {"uid": "tacc"},
    "sites/tacc/clusters/chameleon/chameleon.json": {"uid": "chameleon"},
    f"{NODES}/n1.json": {"uid": "n1"},
    f"{NODES}/n2.json": {"uid": "n2"},
    "sites/tacc/flavors/m1.tiny.json": {"uid": "m1.tiny"},
    "sites/uc/uc.json": {"uid": "uc"},
}


def read(files: Mapping[str, object]) -> Inventory:
    return read_inventory(folder(tree_of(files)))


def ids(inventory: Inventory) -> list[str]:
    """Everything that is served, as paths of ids."""
    found = ["/"] if inventory.document else []
    for site in inventory.sites.values():
        found.append(site.uid)
        found += [f"{site.uid}:{flavor}" for flavor in site.flavors]
        for cluster in site.clusters.values():
            found += [f"{site.uid}/{cluster.uid}", *(f"{site.uid}/{cluster.uid}/{node}" for node in cluster.nodes)]
    return found


ALL = ["/", "tacc", "tacc:m1.tiny", "tacc/chameleon", "tacc/chameleon/n1", "tacc/chameleon/n2", "uc"]


def only_fault(inventory: Inventory) -> DataFault:
    (fault,) = inventory.faults
    return fault


def test_the_sample_is_read_whole_but_for_the_stray_file() -> None:
    inventory = read(sample())
    assert {site.uid: len(list(site.nodes())) for site in inventory.sites.values()} == {
        "edge": 0, "kvm": 1, "tacc": 6, "uc": 4,
    }  # fmt: skip
    assert list(inventory.site("kvm").flavors) == ["g1.h100.pci.1", "g1.h100.vgpu.1g.12gb", "m1.large", "m1.tiny"]
    fault = only_fault(inventory)
    assert (fault.path, fault.kind, fault.left_out) == (
        "sites/edge/clusters/chameleon.json", FaultKind.MISPLACED, True,
    )  # fmt: skip


def test_documents_are_what_the_files_hold() -> None:
    inventory = read(sample())
    for node in inventory.nodes():
        path = f"sites/{node.site_id}/clusters/{node.cluster_id}/nodes/{node.uid}.json"
        assert node.written.document() == json.loads((SAMPLE / path).read_bytes())
    assert inventory.document == {"type": "grid", "uid": "chameleoncloud"}


def test_without_git_there_is_neither_version_nor_history() -> None:
    inventory = read(SMALL)
    assert (inventory.version, inventory.committed_at, inventory.history.head) == (None, None, None)


def test_everything_is_sorted_by_uid_whatever_order_the_files_come_in() -> None:
    assert ids(read(dict(reversed(SMALL.items())))) == ALL
    assert ids(read(SMALL)) == ALL


def test_oddly_typed_fields_pass_through_untouched() -> None:
    odd = {
        "uid": "n1", "gpu": [True], "main_memory": None, "placement": {"rack": 3}, "": {"é": -0.5, "n": 2**64 - 1},
        "low": -(2**63), "x": [[], {}, "\u2028\x7f"],
    }  # fmt: skip
    inventory = read({**SMALL, f"{NODES}/n1.json": odd})
    assert inventory.node("tacc", "chameleon", "n1").written.document() == odd
    assert inventory.faults == ()


UNUSABLE = {
    FaultKind.NOT_UTF8: [b'{"uid": "n1", "x": "\xff"}', "{}".encode("utf-16")],
    FaultKind.NOT_JSON: [b"", b"{", b'{"uid": "n1",}', b"\x00", b'{"uid": "n1"} {}', b'\xef\xbb\xbf{"uid": "n1"}'],
    FaultKind.NOT_AN_OBJECT: [b"[]", b'"n1"', b"1", b"null", b'[{"uid": "n1"}]'],
    FaultKind.NO_UID: [b"{}", b'{"UID": "n1"}'],
    FaultKind.WRONG_UID: [b'{"uid": "n2"}', b'{"uid": "N1"}', b'{"uid": "n1 "}'],
    FaultKind.UNUSABLE_UID: [
        b'{"uid": null}', b'{"uid": 1}', b'{"uid": ["n1"]}', b'{"uid": ""}', b'{"uid": ".."}', b'{"uid": "versions"}',
        b'{"uid": "n1.json"}', b'{"uid": "../n1"}', b'{"uid": "n\\u0000"}',
    ],
    FaultKind.UNUSABLE_VALUE: [
        b'{"uid": "n1", "x": NaN}', b'{"uid": "n1", "x": [-Infinity]}', b'{"uid": "n1", "x": 1e999}',
        b'{"uid": "n1", "x": -1e999}', b'{"uid": "n1", "x": 18446744073709551616}',
        b'{"uid": "n1", "x": -9223372036854775809}', b'{"uid": "n1", "x": ' + b"9" * 10_000 + b"}",
        b'{"uid": "n1", "x": "\\ud800"}', b'{"uid": "n1", "\\udfff": 1}', b'{"uid": "\\ud800"}',
        b'{"uid": "n1", "x": ' + b"[" * 250 + b"]" * 250 + b"}", b'{"x": ' * 100_000,
    ],
    FaultKind.TOO_LARGE: [b'{"uid": "n1"}' + b" " * MAX_FILE_BYTES],
}  # fmt: skip


@pytest.mark.parametrize(
    ("kind", "content"),
    [pytest.param(kind, each, id=f"{kind}-{n}") for kind, some in UNUSABLE.items() for n, each in enumerate(some)],
)
def test_a_node_that_cannot_be_served_is_left_out_alone(kind: FaultKind, content: bytes) -> None:
    inventory = read({**SMALL, f"{NODES}/n1.json": content})
    fault = only_fault(inventory)
    assert (fault.path, fault.kind, fault.left_out) == (f"{NODES}/n1.json", kind, True)
    assert len(fault.detail.encode()) < 400
    assert ids(inventory) == [each for each in ALL if each != "tacc/chameleon/n1"]


@pytest.mark.parametrize("content", [b"[]", b"{", b'{"uid": "other"}', b'{"uid": "tacc", "x": NaN}'])
def test_a_broken_site_file_takes_its_site_with_it_and_nothing_else(content: bytes) -> None:
    inventory = read({**SMALL, "sites/tacc/tacc.json": content})
    assert ids(inventory) == ["/", "uc"]
    assert only_fault(inventory).path == "sites/tacc/tacc.json"


def test_a_broken_cluster_file_takes_its_cluster_with_it_and_nothing_else() -> None:
    inventory = read({**SMALL, "sites/tacc/clusters/chameleon/chameleon.json": b"[]"})
    assert ids(inventory) == ["/", "tacc", "tacc:m1.tiny", "uc"]
    assert only_fault(inventory).kind is FaultKind.NOT_AN_OBJECT


def test_a_broken_flavor_is_left_out_alone() -> None:
    inventory = read({**SMALL, "sites/tacc/flavors/m1.tiny.json": b""})
    assert ids(inventory) == [each for each in ALL if each != "tacc:m1.tiny"]
    assert only_fault(inventory).path == "sites/tacc/flavors/m1.tiny.json"


@pytest.mark.parametrize(
    ("path", "served"),
    [
        ("sites/tacc/tacc.json", ["/", "uc"]),
        ("sites/tacc/clusters/chameleon/chameleon.json", ["/", "tacc", "tacc:m1.tiny", "uc"]),
    ],
)
def test_a_missing_site_or_cluster_file_is_told_and_the_folder_left_out(path: str, served: list[str]) -> None:
    inventory = read({name: content for name, content in SMALL.items() if name != path})
    assert ids(inventory) == served
    fault = only_fault(inventory)
    assert (fault.path, fault.kind) == (path, FaultKind.MISSING)


def test_an_empty_folder_is_no_fault() -> None:
    tree = tree_of(SMALL)
    tree["sites"]["empty"] = {}
    tree["sites"]["uc"]["clusters"] = {"empty": {}}
    inventory = read_inventory(folder(tree))
    assert ids(inventory) == ALL
    assert inventory.faults == ()


@pytest.mark.parametrize("content", [b"", b"[]", b'{"uid": "other"}'])
def test_an_unusable_root_file_leaves_the_sites(content: bytes) -> None:
    inventory = read({**SMALL, "testbed.json": content})
    assert ids(inventory) == ALL[1:]
    assert inventory.document == {}
    assert only_fault(inventory).path == "testbed.json"


def test_a_missing_root_file_leaves_the_sites() -> None:
    inventory = read({name: content for name, content in SMALL.items() if name != "testbed.json"})
    assert ids(inventory) == ALL[1:]
    assert (only_fault(inventory).path, only_fault(inventory).kind) == ("", FaultKind.MISSING)


def test_of_two_root_files_none_is_the_root() -> None:
    inventory = read({**SMALL, "other.json": {"uid": "other"}})
    assert ids(inventory) == ALL[1:]
    assert [(fault.path, fault.kind) for fault in inventory.faults] == [
        ("other.json", FaultKind.MISPLACED), ("testbed.json", FaultKind.MISPLACED),
    ]  # fmt: skip


def test_an_empty_folder_is_an_empty_inventory() -> None:
    inventory = read({})
    assert not inventory.usable
    assert only_fault(inventory).kind is FaultKind.MISSING


@pytest.mark.parametrize(
    "path",
    [
        "sites/stray.json",
        "sites/tacc/other.json",
        "sites/tacc/clusters/stray.json",
        "sites/tacc/clusters/chameleon/other.json",
        "sites/tacc/clusters",
    ],
)
def test_a_stray_file_is_told_and_left_out(path: str) -> None:
    files = {name: content for name, content in SMALL.items() if not name.startswith(f"{path}/")}
    inventory = read({**files, path: {"uid": path.rpartition("/")[2].removesuffix(".json")}})
    fault = only_fault(inventory)
    assert (fault.path, fault.kind, fault.left_out) == (path, FaultKind.MISPLACED, True)


@pytest.mark.parametrize(
    "path", ["extra", "sites/tacc/nodes", "sites/tacc/clusters/chameleon/flavors", f"{NODES}/n1.json", f"{NODES}/rack"]
)
def test_a_stray_folder_is_told_once_and_not_entered(path: str) -> None:
    files = {name: content for name, content in SMALL.items() if name != path}
    inventory = read({**files, f"{path}/a.json": b"", f"{path}/b.json": b""})
    fault = only_fault(inventory)
    assert (fault.path, fault.kind) == (path, FaultKind.MISPLACED)


def test_other_files_and_hidden_ones_are_ignored() -> None:
    ignored = [
        "README.md", "sites/README", "sites/tacc/notes.txt", f"{NODES}/n1.json.bak", f"{NODES}/.n1.json.swp",
        ".git/config.json", "sites/.hidden/x.json", f"{NODES}/.json", ".other.json",
    ]  # fmt: skip
    inventory = read({**SMALL, **dict.fromkeys(ignored, b"?")})
    assert ids(inventory) == ALL
    assert inventory.faults == ()


@pytest.mark.parametrize(
    ("path", "keys", "told"),
    [
        ("testbed.json", "links timestamp site_id", "links, timestamp"),
        ("sites/uc/uc.json", "version availability", "version"),
        ("sites/tacc/clusters/chameleon/chameleon.json", "version availability", "version"),
        ("sites/tacc/flavors/m1.tiny.json", "links stale", "links"),
        (f"{NODES}/n1.json", "site_id cluster_id stale version", "cluster_id, site_id, stale, version"),
        (
            f"{NODES}/n1.json",
            "availability availability_until last_updated links",
            "availability, availability_until, last_updated, links",
        ),
    ],
)
def test_keys_that_give_way_to_ours_are_told_and_the_file_is_served(path: str, keys: str, told: str) -> None:
    document = {"uid": path.rpartition("/")[2].removesuffix(".json"), **dict.fromkeys(keys.split(), 1)}
    inventory = read({**SMALL, path: document})
    assert ids(inventory) == ALL
    detail = f"its own {told} give way to ours"
    assert only_fault(inventory) == DataFault(path, FaultKind.SHADOWED_KEY, detail, left_out=False)


def test_a_site_whose_id_can_name_no_queue_is_served_and_told_as_never_polled() -> None:
    inventory = read({**SMALL, "sites/UC North/UC North.json": {"uid": "UC North"}})
    assert "UC North" in inventory.sites
    fault = only_fault(inventory)
    assert (fault.path, fault.kind, fault.left_out) == ("sites/UC North/UC North.json", FaultKind.NOT_POLLABLE, False)


def failing() -> Any:
    raise PermissionError(13, "Permission denied")


def test_a_file_that_cannot_be_read_is_left_out_alone() -> None:
    inventory = read({**SMALL, f"{NODES}/n1.json": File(lambda: 9, failing)})
    assert ids(inventory) == [each for each in ALL if each != "tacc/chameleon/n1"]
    assert only_fault(inventory) == DataFault(
        f"{NODES}/n1.json", FaultKind.UNREADABLE, "cannot be read: Permission denied"
    )


def test_a_folder_that_cannot_be_listed_is_told_once() -> None:
    inventory = read(
        {**{path: SMALL[path] for path in ("testbed.json", "sites/uc/uc.json")}, "sites/tacc": Folder(failing)}
    )
    assert ids(inventory) == ["/", "uc"]
    assert only_fault(inventory) == DataFault("sites/tacc", FaultKind.UNREADABLE, "cannot be listed: Permission denied")


def test_an_inventory_that_cannot_be_listed_at_all_is_an_error() -> None:
    with pytest.raises(PermissionError):
        read_inventory(Folder(failing))


def test_what_is_neither_file_nor_folder_is_told_once_even_in_place_of_a_site_file() -> None:
    inventory = read({**SMALL, "sites/tacc/tacc.json": Unusable("a pipe"), "sites/pipe": Unusable("a pipe")})
    assert ids(inventory) == ["/", "uc"]
    assert [(fault.path, fault.kind, fault.detail) for fault in inventory.faults] == [
        ("sites/pipe", FaultKind.UNREADABLE, "a pipe"),
        ("sites/tacc/tacc.json", FaultKind.UNREADABLE, "a pipe"),
    ]


def test_a_file_that_is_told_to_be_too_large_is_never_read() -> None:
    inventory = read({**SMALL, f"{NODES}/n1.json": File(lambda: MAX_FILE_BYTES + 1, failing)})
    assert only_fault(inventory).kind is FaultKind.TOO_LARGE


def test_a_file_that_grew_since_it_was_looked_at_is_too_large_all_the_same() -> None:
    grown = File(lambda: 9, lambda: b'{"uid": "n1"}' + b" " * MAX_FILE_BYTES)
    assert only_fault(read({**SMALL, f"{NODES}/n1.json": grown})).kind is FaultKind.TOO_LARGE


def test_more_files_than_are_bearable_are_refused() -> None:
    endless = Folder(lambda: ((f"{n}.txt", File(lambda: 0, failing)) for n in range(10**9)))
    with pytest.raises(InventoryRefusedError, match=f"{json_repository.MAX_ENTRIES} files"):
        read({**SMALL, "sites/edge": endless})


def test_more_bytes_than_are_bearable_are_refused() -> None:
    large = File(lambda: MAX_FILE_BYTES, lambda: b"")
    files = {f"{NODES}/x{n}.json": large for n in range(json_repository.MAX_TOTAL_BYTES // MAX_FILE_BYTES + 1)}
    with pytest.raises(InventoryRefusedError, match=f"{json_repository.MAX_TOTAL_BYTES} bytes"):
        read({**SMALL, **files})
