"""What there is, as somebody looks for it."""

import json
import shlex
from urllib.parse import quote

import pytest
from playwright.async_api import Browser, expect

from api_service import keys
from tests.inventories import booked, cluster, inventory, site
from tests.ui.browsing import Ui, at, browsing, described

pytestmark = [pytest.mark.ui, pytest.mark.asyncio(loop_scope="session")]


async def test_choices_narrow_the_table_and_tell_how_many_each_leaves(ui: Ui) -> None:
    page = await ui.open()
    total = page.locator("#hardware .total")
    await expect(total).to_have_text("40 nodes")
    await expect(ui.row("arm64-01")).to_contain_text("compute_arm64")
    await page.get_by_role("checkbox", name="gpu_a100_pcie 6").check()
    await expect(total).to_have_text("6 nodes")
    await expect(page.get_by_role("group", name="GPU", exact=True)).to_contain_text("A100")
    # Another value of the same field can still be added.
    await page.get_by_role("checkbox", name="compute_arm64 4").check()
    await expect(total).to_have_text("10 nodes")
    await ui.picture("hardware chosen")
    assert "node_type=gpu_a100_pcie&node_type=compute_arm64" in page.url
    await page.get_by_role("button", name="Remove Node type: gpu_a100_pcie").click()
    await expect(total).to_have_text("4 nodes")


async def test_the_address_brings_the_same_view_back(ui: Ui) -> None:
    page = await ui.open()
    await page.get_by_role("checkbox", name="gpu_a100_pcie 6").check()
    await page.locator("#hardware thead").get_by_role("button", name="Node").click()
    await page.get_by_label("Select pcie-03").check()
    await ui.row("pcie-03").get_by_role("button").click()
    shown = await page.locator("#node").inner_text()
    await page.reload()
    await expect(page.locator("#node")).to_contain_text(shown.splitlines()[0])
    await page.keyboard.press("Escape")
    await expect(page.locator("#hardware .total")).to_have_text("6 nodes")
    await expect(page.get_by_label("Select pcie-03")).to_be_checked()
    await page.wait_for_url(lambda address: "node=" not in address)
    await page.go_back()
    await expect(page.locator("#node")).to_be_visible()


async def test_values_with_commas_in_the_address_are_choices_of_their_own(ui: Ui) -> None:
    page = await ui.open("?node_type=gpu_a100_pcie,compute_arm64")
    await expect(page.locator("#hardware .total")).to_have_text("10 nodes")
    await expect(page.get_by_role("checkbox", name="compute_arm64 4")).to_be_checked()
    await page.get_by_role("checkbox", name="gpu_a100_pcie 6").uncheck()
    await expect(page.locator("#hardware .total")).to_have_text("4 nodes")


async def test_with_a_time_chosen_the_table_and_the_counts_still_show_the_state_of_now(ui: Ui) -> None:
    nodes = [node.uid for node in ui.app[keys.INVENTORY].current.site("uc").nodes()]
    ui.know("uc", *(booked((-1, 1), node_id=uid, now=at(0)) for uid in nodes))
    start, end = (quote(f"{at(hours):%Y-%m-%dT%H:%M:%SZ}") for hours in (2, 4))
    page = await ui.open(f"?site_id=uc&start={start}&end={end}")
    await expect(page.locator("#hardware tbody .state.reserved")).to_have_count(len(nodes))
    await expect(page.get_by_role("checkbox", name=f"Reserved {len(nodes)}")).to_have_count(1)
    await page.get_by_role("checkbox", name=f"Reserved {len(nodes)}").check()
    await expect(page.locator("#hardware .total")).to_have_text(f"{len(nodes)} nodes")
    # An address of before asks for the state of now under its older name.
    await ui.open(f"?site_id=uc&start={start}&end={end}&availability=reserved")
    await expect(page.locator("#hardware .total")).to_have_text(f"{len(nodes)} nodes")


async def test_words_are_looked_for_in_all_texts(ui: Ui) -> None:
    page = await ui.open()
    await page.get_by_label("Search all texts").fill("thunderx2")
    await expect(page.locator("#hardware .total")).to_have_text("4 nodes")
    await expect(page.locator(".chips")).to_contain_text("Text: thunderx2")


async def test_the_table_is_sorted_by_the_server(ui: Ui) -> None:
    page = await ui.open()
    memory = page.locator("#hardware thead").get_by_role("button", name="Memory")
    first = page.locator("#hardware tbody tr").first
    await memory.click()
    await expect(first).to_contain_text("96 GiB")
    await memory.click()
    await expect(first).to_contain_text("512 GiB")
    await expect(page.get_by_role("columnheader", name="Memory")).to_have_attribute("aria-sort", "descending")


async def test_pages_lead_through_more_than_fit(browser: Browser) -> None:
    nodes = [described(f"n{number:03}") for number in range(120)]
    async with browsing(browser, inventory=inventory(site("tacc", cluster("tacc", "c", nodes)))) as ui:
        page = await ui.open()
        await expect(page.locator(".pager")).to_contain_text("1\u201350 of 120")
        await page.get_by_role("button", name="Next").click()
        await page.get_by_role("button", name="Next").click()
        await expect(page.locator(".pager")).to_contain_text("101\u2013120 of 120")
        await expect(ui.row("n119")).to_contain_text("Unknown")


async def test_a_node_is_shown_whole_with_what_changed_between_two_versions(ui: Ui) -> None:
    page = await ui.open("?site_id=uc&node_type=compute_cascadelake_r")
    await ui.row("r-01").get_by_role("button").click()
    dialog = page.get_by_role("dialog")
    document = json.loads(await dialog.get_by_label("The node as JSON").inner_text())
    assert document["main_memory"]["humanized_ram_size"] == "96 GiB"
    await expect(dialog.get_by_role("region", name="Versions")).to_contain_text("Half of a node's memory was broken")
    await dialog.get_by_role("button", name="What changed between these two").click()
    changed = dialog.locator(".changes tbody tr").filter(has_text="humanized_ram_size")
    await expect(changed.locator("td")).to_have_text(['"192 GiB"', '"96 GiB"'])
    await ui.picture("node")
    await page.reload()
    await expect(changed.locator("td")).to_have_text(['"192 GiB"', '"96 GiB"'])


async def test_the_call_behind_the_table_is_shown(ui: Ui) -> None:
    page = await ui.open("?gpu.gpu_model=A100&sort=-node_name")
    await page.locator("#hardware").get_by_text("Show as curl").click()
    program, address = shlex.split(await page.locator("#hardware .curl").inner_text())
    answer = await (await page.request.get(address)).json()
    assert program == "curl"
    assert [node["node_name"] for node in answer["items"]] == [f"pcie-{number:02}" for number in range(6, 0, -1)]


async def test_fields_that_this_inventory_has_not_are_left_out(browser: Browser) -> None:
    bare = [{"uid": "bare", "node_name": "bare-metal"}]
    async with browsing(browser, inventory=inventory(site("tacc", cluster("tacc", "c", bare)))) as ui:
        page = await ui.open("?sort=-gpu.gpu_count")
        await expect(ui.row("bare-metal")).to_contain_text("Unknown")
        await expect(page.locator("#filters")).to_contain_text("Site")
        await expect(page.locator("#filters")).not_to_contain_text("Processor")
        assert all("400" in each for each in ui.complaints), ui.complaints
        ui.forgive_refusals()


async def test_a_filter_that_nobody_understands_is_named_and_can_be_taken_back(ui: Ui) -> None:
    page = await ui.open("?gpus=4")
    await expect(page.get_by_role("alert")).to_contain_text("did you mean gpu")
    await page.get_by_role("button", name="Remove gpus: 4").click()
    await expect(page.locator("#hardware .total")).to_have_text("40 nodes")
    ui.forgive_refusals()


async def test_nothing_found_says_what_to_do(ui: Ui) -> None:
    page = await ui.open("?q=nosuchthing")
    await expect(page.locator("#hardware .nothing")).to_contain_text("Remove a filter")
    await page.locator("#hardware").get_by_role("button", name="start afresh").click()
    await expect(page.locator("#hardware .total")).to_have_text("40 nodes")
