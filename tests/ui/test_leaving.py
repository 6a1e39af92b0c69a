"""What one leaves with, and that nothing in an inventory's texts can make more of it than text."""

import csv
import json
import re
import shutil
import subprocess
import sys
from datetime import datetime
from io import StringIO
from itertools import pairwise
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest
from blazarclient.v1.shell_commands.leases import CREATE_RESERVATION_KEYS, CreateLeaseBase
from playwright.async_api import Browser, expect

from api_service.domain.inventory import Inventory
from tests.inventories import booked, cluster, inventory, site
from tests.ui.browsing import Ui, at, browsing, described, text_of

pytestmark = [pytest.mark.ui, pytest.mark.asyncio(loop_scope="session")]

EVIL = [
    '=HYPERLINK("http://evil","x")',
    "'; touch stolen; '",
    "$(touch stolen)`touch stolen`",
    "<img src=x onerror=alert(1)>",
    'a,min=9,resource_type=physical:host,x="\\',
    '"]); import os; os.system("touch stolen") #',
    "+line\nfeed\ttab \u202e\x1b[31m é",
    "../../..?q=#",
]


def hostile() -> Inventory:
    nodes = [described(text, node_name=text, node_type=text, admin_note=text) for text in EVIL]
    return inventory(site("tacc", cluster("tacc", "c", nodes), name="CHI\n$(touch stolen)\"'"))


async def chosen(ui: Ui, form: str, hash_: str = "") -> str:
    """The text that is offered of all hostile nodes."""
    page = await ui.open(f"#{hash_}")
    await page.get_by_label("Select all nodes of this page").check()
    await page.get_by_role("button", name="Leave with them").click()
    await page.get_by_role("button", name=form, exact=True).click()
    await expect(page.get_by_role("button", name=form, exact=True)).to_have_attribute("aria-pressed", "true")
    return str(await page.locator("#leave-text").evaluate("each => each.textContent"))


async def test_csv_holds_no_formula(browser: Browser) -> None:
    async with browsing(browser, inventory=hostile()) as ui:
        await chosen(ui, "CSV")
        async with ui.page.expect_download() as waiting:
            await ui.page.get_by_role("button", name="Download nodes.csv").click()
        rows = list(csv.DictReader(StringIO(await text_of(await waiting.value), newline="")))
        assert sorted(row["uid"] for row in rows) == sorted(f"'{text}" if text[0] in "=+" else text for text in EVIL)
        assert {row["availability"] for row in rows} == {"unknown"}


async def test_json_holds_the_nodes_whole(browser: Browser) -> None:
    async with browsing(browser, inventory=hostile()) as ui:
        nodes = json.loads(await chosen(ui, "JSON"))
        assert sorted(node["admin_note"] for node in nodes) == sorted(EVIL)


async def test_the_commands_book_these_nodes_and_do_nothing_else(browser: Browser, tmp_path: Path) -> None:
    begin, finish = at(30), at(54)
    when = f"begin={begin:%Y-%m-%dT%H:%M:%SZ}&finish={finish:%Y-%m-%dT%H:%M:%SZ}&name=it%27s%20mine"
    async with browsing(browser, inventory=hostile()) as ui:
        text = await chosen(ui, "Commands", when)
    for shell in filter(shutil.which, ("sh", "bash")):
        command = what_runs(shell, text, tmp_path)
        assert command[:4] == ["reservation", "lease", "create", "--reservation"]
        assert sorted(uids_that_blazar_reads(command)) == sorted(EVIL)
        assert command[-5:] == [
            "--start-date", f"{begin:%Y-%m-%d %H:%M}", "--end-date", f"{finish:%Y-%m-%d %H:%M}", "it's mine",
        ]  # fmt: skip


async def test_a_name_out_of_the_address_is_a_name_and_never_an_option(browser: Browser, tmp_path: Path) -> None:
    async with browsing(browser, inventory=hostile()) as ui:
        text = await chosen(ui, "Commands", "name=--os-auth-url=http://evil")
        assert (await chosen(ui, "Commands", "name=---")).rstrip().endswith("'my-lease'")
    for shell in filter(shutil.which, ("sh", "bash")):
        assert what_runs(shell, text, tmp_path)[-1] == "os-auth-url=http://evil"


def what_runs(shell: str, text: str, folder: Path) -> list[str]:
    """What a shell hands to `openstack`, and that nothing else comes of it."""
    program = folder / "openstack"
    program.write_text(f"#!{sys.executable}\nimport json, sys\nprint(json.dumps(sys.argv[1:]))\n")
    program.chmod(0o755)
    environment = {"PATH": f"{folder}:/usr/bin:/bin"}
    ran = subprocess.run([shell, "-c", text], cwd=folder, env=environment, capture_output=True, check=True)
    assert list(folder.iterdir()) == [program]
    arguments: list[str] = json.loads(ran.stdout)
    return arguments


def uids_that_blazar_reads(command: list[str]) -> list[str]:
    """By the code of its own client."""
    reader = SimpleNamespace(log=SimpleNamespace(info=lambda *_: None))
    found = []
    for option, value in pairwise(command):
        if option == "--reservation":
            asked = CreateLeaseBase._parse_params(reader, value, CREATE_RESERVATION_KEYS["physical:host"], "refused")
            assert (asked["min"], asked["max"], asked["resource_type"]) == (1, 1, "physical:host")
            operator, key, uid = json.loads(asked["resource_properties"])
            assert (operator, key) == ("==", "$uid")
            found.append(uid)
    return found


async def test_what_begins_now_has_no_start_that_could_have_passed(ui: Ui) -> None:
    page = await ui.open("?node_type=gpu_a100_pcie")
    await page.get_by_label("Select pcie-03").check()
    await page.get_by_role("button", name="Leave with them").click()
    await expect(page.locator("#leave-text")).to_contain_text("--end-date")
    assert "--start-date" not in await page.locator("#leave-text").inner_text()


async def test_the_program_books_these_nodes_and_does_nothing_else(
    browser: Browser, monkeypatch: pytest.MonkeyPatch
) -> None:
    begin, finish = at(30), at(54)
    when = f"begin={begin:%Y-%m-%dT%H:%M:%SZ}&finish={finish:%Y-%m-%dT%H:%M:%SZ}"
    async with browsing(browser, inventory=hostile()) as ui:
        text = await chosen(ui, "Python", when)
    chi = Chi()
    monkeypatch.setitem(sys.modules, "chi", chi)  # the real one would ask a testbed
    exec(compile(text, "book.py", "exec"), {})
    assert chi.sites == ["CHI\n$(touch stolen)\"'"]
    assert sorted(chi.booked) == sorted(EVIL)
    assert chi.during == (begin, finish)
    assert chi.submitted == [{"wait_for_active": False}]


class Chi(ModuleType):
    """As much of python-chi 1.2 as the program calls, with its signatures."""

    def __init__(self) -> None:
        super().__init__("chi")
        self.sites: list[str] = []
        self.booked: list[str] = []
        self.submitted: list[dict[str, bool]] = []
        self.context = SimpleNamespace(use_site=self.sites.append)
        self.lease = SimpleNamespace(Lease=self.make, add_node_reservation=self.add)

    def make(self, name: str, start_date: datetime | None = None, end_date: datetime | None = None) -> Any:
        assert name == "my-lease"
        self.during = start_date, end_date
        return SimpleNamespace(node_reservations=[], submit=lambda **how: self.submitted.append(how))

    def add(self, reservation_list: list[Any], count: int = 1, resource_properties: Any = None) -> None:
        assert resource_properties[:2] == ["==", "$uid"]
        assert count == 1
        self.booked.append(resource_properties[2])


async def test_the_calendar_link_has_the_bookings_of_these_nodes(ui: Ui) -> None:
    page = await ui.open("?node_type=gpu_a100_pcie#view=availability")
    await page.get_by_label("Select pcie-04").check()
    await page.get_by_label("Select pcie-02").check()
    await page.get_by_role("button", name="Leave with them").click()
    address = await page.locator("#calendar-link").get_attribute("href")
    answer = await page.request.get(str(address))
    assert answer.headers["content-type"].startswith("text/calendar")
    summaries = set(re.findall(r"SUMMARY:(\S+)", await answer.text()))
    assert summaries == {"pcie-02", "pcie-04"}


async def test_what_cannot_be_booked_is_said_before_it_is_tried(browser: Browser) -> None:
    nodes = [described(name) for name in ("free", "booked", "broken", "lost")]
    async with browsing(browser, inventory=inventory(site("tacc", cluster("tacc", "c", nodes)))) as ui:
        ui.know(
            "tacc",
            booked(node_id="free"),
            booked((5, 9), node_id="booked", now=at(0)),
            booked(node_id="broken", maintenance=True),
        )
        page = await ui.open()
        await page.get_by_label("Select all nodes of this page").check()
        await page.get_by_role("button", name="Leave with them").click()
        warned = page.locator("#leave .problem")
        await expect(warned).to_contain_text("booked: reserved")
        await expect(warned).to_contain_text("broken: in maintenance")
        await expect(warned).to_contain_text("lost: unknown: nobody knows")
        await expect(warned).not_to_contain_text("free:")
        await page.keyboard.press("Escape")
        for name in ("booked", "broken", "lost"):
            await page.get_by_label(f"Select {name}").uncheck()
        await page.get_by_role("button", name="Leave with them").click()
        await expect(page.locator("#leave .good")).to_contain_text("free for all of that time")


async def test_hostile_texts_are_shown_as_text_everywhere(browser: Browser) -> None:
    async with browsing(browser, inventory=hostile()) as ui:
        ui.page.on("dialog", lambda dialog: ui.complaints.append(dialog.message))
        page = await ui.open()
        await expect(page.locator("#hardware tbody")).to_contain_text(EVIL[3])
        await expect(page.locator("#filters")).to_contain_text(EVIL[3])
        await page.get_by_role("link", name="Availability").click()
        await expect(page.locator("#calendar")).to_contain_text(EVIL[3])
        await expect(page.locator("#capacity .u-legend")).to_contain_text(EVIL[3])
        await page.get_by_role("button", name=EVIL[7], exact=True).first.click()
        await expect(page.locator("#node")).to_contain_text('"admin_note": "../../..?q=#"')
        assert await page.locator("img, iframe, object, script:not([src])").count() == 0


async def test_each_text_is_made_by_a_function_that_stands_hostile_input(ui: Ui) -> None:
    page = await ui.open()
    call = "async ([file, name, value]) => (await import(`./ui/assets/${file}.js`))[name](value)"
    assert await page.evaluate(call, ["csv", "cell", "=1+1"]) == "'=1+1"
    assert await page.evaluate(call, ["csv", "cell", "\t=1"]) == "'\t=1"
    assert await page.evaluate(call, ["csv", "cell", '@a"b']) == '"\'@a""b"'
    assert await page.evaluate(call, ["csv", "cell", -5]) == "-5"
    assert await page.evaluate(call, ["shell", "quoted", "it's"]) == r"'it'\''s'"
    assert await page.evaluate(call, ["shell", "commented", "a\nb\u2028c\u202ed"]) == "a?b?c?d"
    assert json.loads(await page.evaluate(call, ["shell", "asciiJson", "é\u2028😀"])) == "é\u2028😀"
    assert (await page.evaluate(call, ["shell", "asciiJson", "é\u2028😀"])).isascii()
    assert await page.evaluate(call, ["shell", "argument", "--os-auth-url=http://evil"]) == "os-auth-url=http://evil"
    assert await page.evaluate(call, ["shell", "argument", "- \n-a\nb"]) == "?-a?b"
    assert await page.evaluate(call, ["shell", "argument", "😀" * 99]) == "😀" * 80
    assert await page.evaluate(call, ["times", "blazarTime", "2026-11-25T09:30:00+01:30"]) == "2026-11-25 08:00"
