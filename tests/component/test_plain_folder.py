"""Reading an inventory from plain files: nothing strange is followed, waited for or served half."""

import os
import shutil
import socket
from collections.abc import Callable
from pathlib import Path

import pytest

from api_service.adapters import plain_folder
from api_service.adapters.plain_folder import fingerprint, read_plain_folder
from api_service.domain.data_faults import FaultKind
from api_service.domain.inventory import Inventory, InventoryRefusedError, InventoryUnreadableError
from tests.repositories import HASWELL_NODE, TACC_NODES, change, copy_sample, write

NODE = TACC_NODES / f"{HASWELL_NODE}.json"


@pytest.fixture
def top(tmp_path: Path) -> Path:
    return copy_sample(tmp_path / "inventory")


def faults(inventory: Inventory) -> dict[str, str]:
    """Details by path, but for the sample's own stray file."""
    return {fault.path: fault.detail for fault in inventory.faults if fault.kind is not FaultKind.MISPLACED}


def test_the_sample_is_read(top: Path) -> None:
    inventory = read_plain_folder(top)
    assert list(inventory.sites) == ["edge", "kvm", "tacc", "uc"]
    assert len(list(inventory.nodes())) == 11
    assert inventory.version is None


def test_a_name_that_is_not_utf8_is_told_in_ascii(top: Path) -> None:
    write(top / TACC_NODES / os.fsdecode(b"\xff.json"), {"uid": "x"})
    assert list(faults(read_plain_folder(top))) == [f"{TACC_NODES}/\\xff.json"]


def test_links_that_stay_below_the_folder_are_followed(top: Path) -> None:
    """As a volume made of a Kubernetes ConfigMap has them."""
    (top / "..data").mkdir()
    for name in ("sites", "chameleoncloud.json"):
        (top / name).rename(top / "..data" / name)
        (top / name).symlink_to(Path("..data") / name)
    inventory = read_plain_folder(top)
    assert len(list(inventory.nodes())) == 11
    assert faults(inventory) == {}


@pytest.mark.parametrize("target", ["/etc", "../../outside", "/dev/zero", "/proc/self/mem"])
def test_links_that_lead_out_of_the_folder_are_not_followed(top: Path, target: str) -> None:
    copy_sample(top.parent / "outside")
    (top / "sites/extra").symlink_to(target)
    (top / NODE).unlink()
    (top / NODE).symlink_to(top.parent / "outside" / NODE)
    inventory = read_plain_folder(top)
    why = "a symbolic link that leads out of the folder"
    assert faults(inventory) == {"sites/extra": why, NODE.as_posix(): why}
    assert len(list(inventory.nodes())) == 10


def test_links_that_lead_nowhere_or_in_circles_are_told(top: Path) -> None:
    (top / TACC_NODES / "a.json").symlink_to("nowhere.json")
    (top / TACC_NODES / "b.json").symlink_to("b.json")
    assert faults(read_plain_folder(top)) == {
        f"{TACC_NODES}/a.json": "cannot be read: No such file or directory",
        f"{TACC_NODES}/b.json": "neither a file nor a folder",
    }


def test_a_folder_that_contains_itself_is_read_no_deeper_than_an_inventory_is(top: Path) -> None:
    (top / "sites/tacc/clusters/loop").symlink_to(top, target_is_directory=True)
    inventory = read_plain_folder(top)
    assert len(list(inventory.nodes())) == 11
    assert [fault.path for fault in inventory.faults if "loop" in fault.path] == [
        "sites/tacc/clusters/loop/chameleoncloud.json", "sites/tacc/clusters/loop/sites",
    ]  # fmt: skip


def test_pipes_and_sockets_are_neither_opened_nor_waited_for(top: Path) -> None:
    os.mkfifo(top / TACC_NODES / "pipe.json")
    os.mkfifo(top / "sites/uc/clusters/pipe")
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(top / "sites/socket.json"))
        inventory = read_plain_folder(top)
    assert set(faults(inventory).values()) == {"neither a file nor a folder"}
    assert len(faults(inventory)) == 3
    assert len(list(inventory.nodes())) == 11


@pytest.mark.parametrize(
    "alter",
    [
        lambda top: change(top / NODE, gpu={"gpu": True}),
        lambda top: (top / NODE).unlink(),
        lambda top: write(top / TACC_NODES / "new.json", {"uid": "new"}),
        lambda top: (top / NODE).rename(top / TACC_NODES / "other.json"),
        lambda top: shutil.rmtree(top / "sites/uc"),
        lambda top: os.utime(top / NODE, ns=(0, 0)),
        lambda top: (top / TACC_NODES / "a.json").symlink_to(NODE.name),
        lambda top: os.mkfifo(top / TACC_NODES / "pipe.json"),
    ],
)
def test_whatever_changes_changes_the_fingerprint(top: Path, alter: Callable[[Path], object]) -> None:
    before = fingerprint(top)
    assert fingerprint(top) == before
    alter(top)
    assert fingerprint(top) != before


def test_hidden_files_do_not_change_the_fingerprint(top: Path) -> None:
    before = fingerprint(top)
    write(top / TACC_NODES / ".editing.json", b"")
    write(top / ".git" / "index", b"")
    assert fingerprint(top) == before


def test_a_folder_is_not_opened_for_its_fingerprint_below_the_depth_of_an_inventory(top: Path) -> None:
    (top / "sites/loop").symlink_to(top, target_is_directory=True)
    assert fingerprint(top)


class Writer:
    """Writes a node whenever a file is read, as often as it is told to."""

    def __init__(self, file: Path, *, times: int) -> None:
        self.file = file
        self.left = times

    def written_while(self, read: Callable[[Path], bytes]) -> Callable[[Path], bytes]:
        def reading(path: Path) -> bytes:
            if self.left:
                self.left -= 1
                change(self.file, revision=self.left)
            return read(path)

        return reading


def test_a_folder_that_changes_while_it_is_read_is_read_again(top: Path) -> None:
    writer = Writer(top / NODE, times=1)
    inventory = read_plain_folder(top, read=writer.written_while(plain_folder.read_file))
    assert inventory.node("tacc", "chameleon", HASWELL_NODE).written.document()["revision"] == 0


def test_a_folder_that_never_rests_is_not_served_torn(top: Path) -> None:
    writer = Writer(top / NODE, times=1000)
    with pytest.raises(InventoryUnreadableError, match="keeps changing"):
        read_plain_folder(top, read=writer.written_while(plain_folder.read_file))
    assert writer.left > 900


def test_a_file_that_became_a_pipe_after_it_was_looked_at_is_not_waited_for(top: Path) -> None:
    os.mkfifo(top / "pipe")
    assert plain_folder.read_file(top / "pipe") == b""


def test_a_file_that_became_a_link_after_it_was_looked_at_is_not_followed(top: Path) -> None:
    (top / "link").symlink_to(NODE)
    with pytest.raises(OSError, match="symbolic links"):
        plain_folder.read_file(top / "link")


def test_a_folder_of_more_files_than_are_bearable_is_refused(top: Path, tmp_path: Path) -> None:
    for n in range(30):
        write(top / TACC_NODES / f"n{n}.json", {"uid": f"n{n}"})
    with pytest.raises(InventoryRefusedError, match="more than 20 files"):
        fingerprint(top, most=20)


def test_a_folder_that_is_none_cannot_be_listed(top: Path) -> None:
    with pytest.raises(FileNotFoundError):
        fingerprint(top / "nowhere")
    with pytest.raises(NotADirectoryError):
        read_plain_folder(top / NODE)
