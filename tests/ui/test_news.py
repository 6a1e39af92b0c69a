"""What is shown is what is so now: events, answers that come late, and inventories that are no more."""

import asyncio
from contextlib import suppress

import pytest
from playwright.async_api import Browser, Error, Page, Route, expect

from api_service import keys
from api_service.domain.inventory import Inventory
from api_service.http.event_stream import READERS
from tests.inventories import booked, cluster, inventory, site
from tests.ui.browsing import Ui, at, browsing, described

pytestmark = [pytest.mark.ui, pytest.mark.asyncio(loop_scope="session")]


def having(*names: str, version: str | None = "0" * 40) -> Inventory:
    return inventory(site("tacc", cluster("tacc", "c", [described(name) for name in names])), version=version)


def serve(ui: Ui, served: Inventory) -> None:
    assert ui.app[keys.INVENTORY].replace(served)
    ui.app[READERS].refresh()


async def live(ui: Ui, address: str) -> Page:
    page = await ui.open(address)
    await expect(page.locator("#live")).to_have_text("Live")
    return page


LOOKED_AT = {
    "calendar": ("#view=availability&rows=nodes", "#calendar .label"),
    "node": ("#node=tacc/c/one", "#node .facts"),
    "leave": ("#selected=tacc/c/one&leave=csv", "#leave"),
}


@pytest.mark.parametrize("where", LOOKED_AT)
async def test_an_answer_that_was_overtaken_does_not_undo_what_was_told(where: str, browser: Browser) -> None:
    address, seen = LOOKED_AT[where]
    late = asyncio.Event()

    async def slow(route: Route) -> None:
        answer = await route.fetch()
        await late.wait()
        await route.fulfill(response=answer)

    async with browsing(browser, inventory=having("one")) as ui:
        ui.know("tacc", booked(node_id="one"))
        await ui.page.route("**/nodes/availability*", slow)
        async with ui.page.expect_request("**/nodes/availability*"):
            page = await live(ui, address)
        # The number beside a choice is counted anew when the event has come.
        await expect(page.locator("#filters input[id='facet availability_now available']")).to_have_count(1)
        ui.know("tacc", booked((-1, 30), node_id="one", now=at(0)))
        await expect(page.locator("#filters input[id='facet availability_now reserved']")).to_have_count(1)
        late.set()
        await expect(page.locator(seen).first).to_contain_text("eserved")
        await expect(page.locator(seen).get_by_text("Available")).to_have_count(0)


async def test_what_one_leaves_with_is_what_is_so_now(browser: Browser) -> None:
    async with browsing(browser, inventory=having("one")) as ui:
        ui.know("tacc", booked(node_id="one"))
        page = await live(ui, "#selected=tacc/c/one&leave=csv")
        text = page.locator("#leave-text")
        await expect(text).to_contain_text("available")
        await page.get_by_label("Name", exact=True).fill("typed and not taken yet")
        ui.know("tacc", booked((-1, 30), node_id="one", now=at(0)))
        await expect(text).to_contain_text("reserved")
        await expect(page.locator("#leave .problem")).to_contain_text("one: reserved")
        await expect(page.get_by_label("Name", exact=True)).to_have_value("typed and not taken yet")
        await page.keyboard.press("Escape")
        await expect(page.locator("#leave")).to_be_hidden()
        ui.know("tacc", booked(node_id="one", maintenance=True))
        await expect(ui.row("one")).to_contain_text("Maintenance")
        await page.get_by_role("button", name="Leave with them").click()
        await expect(page.locator("#leave .problem")).to_contain_text("one: in maintenance")
        await page.get_by_role("button", name="JSON", exact=True).click()
        await expect(text).to_contain_text('"availability": "maintenance"')


async def test_one_leaves_with_a_node_of_which_nothing_is_told_as_unknown(browser: Browser) -> None:
    async with browsing(browser, inventory=having("one")) as ui:
        ui.know("tacc", booked(node_id="one"))
        await ui.page.route("**/nodes/availability*", lambda route: route.fulfill(json={"items": [], "total": 0}))
        page = await ui.open("#selected=tacc/c/one&leave=csv")
        await expect(page.locator("#leave .problem")).to_contain_text("one: unknown: nobody knows")
        await expect(page.locator("#leave-text")).to_contain_text("unknown")
        await expect(page.locator("#leave-text")).not_to_contain_text("available,")


async def test_what_one_leaves_with_is_read_anew_of_another_inventory(browser: Browser) -> None:
    async with browsing(browser, inventory=having("one", "two")) as ui:
        ui.know("tacc", booked(node_id="one"), booked(node_id="two"))
        page = await live(ui, "#selected=tacc/c/one&selected=tacc/c/two&leave=csv")
        await expect(page.locator("#leave .good")).to_be_visible()
        serve(ui, having("two", version="1" * 40))
        await expect(page.locator("#leave .problem")).to_contain_text("1 of the selected nodes are no longer")
        await expect(page.locator("#leave-text")).not_to_contain_text("one")


async def test_the_state_of_a_node_that_is_looked_at_is_live(browser: Browser) -> None:
    async with browsing(browser, inventory=having("one")) as ui:
        ui.know("tacc", booked(node_id="one"))
        page = await live(ui, "#node=tacc/c/one")
        now = page.locator("#node-now")
        await expect(now).to_contain_text("Available")
        ui.know("tacc", booked((-1, 30), node_id="one", now=at(0)))
        await expect(now).to_contain_text("Reserved until")
        await expect(page.locator("#node-bookings")).to_contain_text("1 coming booking")
        serve(ui, having("two", version="1" * 40))
        await expect(page.locator("#node").get_by_role("alert")).to_be_visible()
        await expect(now).to_have_count(0)
        ui.forgive_refusals()


async def test_without_versions_what_is_no_more_is_gone_before_anything_is_asked(browser: Browser) -> None:
    async with browsing(browser, inventory=having("one", "gone", version=None)) as ui:
        ui.know("tacc", booked(node_id="one"), booked(node_id="gone"))
        page = await live(ui, "#view=availability&rows=nodes")
        await expect(ui.track("gone").locator(".available")).to_have_count(1)
        await page.route("**/nodes/availability*", lambda _route: None)
        serve(ui, having("one", version=None))
        await expect(ui.track("gone")).to_have_count(0)
        await expect(ui.track("one")).to_have_count(1)


@pytest.mark.parametrize("address", ["", "#view=availability&rows=nodes"])
async def test_without_versions_what_is_new_is_shown(address: str, browser: Browser) -> None:
    async with browsing(browser, inventory=having("one", version=None)) as ui:
        ui.know("tacc", booked(node_id="one"))
        page = await live(ui, address)
        await expect(page.get_by_role("checkbox", name="Available 1")).to_be_visible()
        serve(ui, having("one", "new", version=None))
        await expect(page.get_by_role("button", name="new", exact=True)).to_be_visible()
        await expect(page.get_by_role("checkbox", name="Unknown 1")).to_be_visible()


async def test_without_versions_a_site_that_is_no_more_is_gone(browser: Browser) -> None:
    async with browsing(browser, inventory=having("one", version=None)) as ui:
        ui.know("tacc", booked(node_id="one"))
        await live(ui, "#view=availability&rows=nodes")
        await expect(ui.track("one").locator(".available")).to_have_count(1)
        serve(ui, inventory(site("uc", cluster("uc", "c", [described("other")]))))
        await expect(ui.track("other").locator(".unknown")).to_have_count(1)
        await expect(ui.track("one")).to_have_count(0)


async def test_an_inventory_that_came_after_the_page_is_shown(browser: Browser) -> None:
    async with browsing(browser) as ui:
        await ui.page.clock.install()
        page = await ui.open()
        await expect(page.locator("#hardware [role=alert]")).to_contain_text("no inventory is loaded yet")
        await expect(page.locator("#live")).to_contain_text("trying again")
        serve(ui, having("one"))
        await page.clock.fast_forward(16_000)
        await expect(ui.row("one")).to_be_visible()
        ui.forgive_refusals()


async def test_capacity_is_asked_anew_if_something_changed_while_nobody_looked(browser: Browser) -> None:
    async with browsing(browser, inventory=having("one")) as ui:
        ui.know("tacc", booked(node_id="one"))
        page = await live(ui, f"#view=availability&rows=nodes&from={at(2):%Y-%m-%dT%H:%M:%SZ}")
        await page.get_by_text("As a table").click()
        at_first = page.locator("#capacity tbody td").last
        await expect(at_first).to_have_text("1")
        await page.get_by_role("link", name="Hardware").click()
        ui.know("tacc", booked((-1, 30), node_id="one", now=at(0)))
        await expect(ui.row("one")).to_contain_text("Reserved until")
        await page.go_back()
        await expect(ui.track("one").locator(".reserved")).to_have_count(1)
        await expect(at_first).to_have_text("0")


async def test_a_refusal_stays_until_something_else_is_asked(ui: Ui) -> None:
    page = await ui.open("?node_type=gpu_a100_pcie#view=availability&rows=nodes&count=99&hours=1")
    refusal = page.locator("#slots .problem")
    await expect(refusal).to_contain_text("Ask for fewer nodes")
    await page.get_by_label("Select pcie-03").check()
    await expect(page.locator("#selection")).to_contain_text("1 node selected")
    await expect(refusal).to_contain_text("Ask for fewer nodes")
    await page.get_by_label("Nodes", exact=True).fill("1")
    await page.get_by_role("button", name="Find the earliest slot").click()
    await expect(page.locator(".slots li").first).to_be_visible()
    await expect(refusal).to_have_count(0)
    ui.forgive_refusals()


@pytest.mark.parametrize(
    ("path", "part", "first", "then", "seen"),
    [
        ("**/availability/capacity*", "#capacity", "span=1d", "span=7d", "#capacity canvas"),
        ("**/availability/earliest*", "#slots", "count=1&hours=1", "count=2&hours=1", "#slots li"),
        ("**/versions", "#node", "node=pcie-01", "node=pcie-02", "#node pre"),
    ],
)
async def test_a_failure_of_what_nobody_waits_for_is_not_shown(
    path: str, part: str, first: str, then: str, seen: str, ui: Ui
) -> None:
    late, held = asyncio.Event(), False

    async def failing(route: Route) -> None:
        nonlocal held
        fails, held = not held, True
        if fails:
            await late.wait()
        with suppress(Error):  # the page may have given it up
            await (route.abort() if fails else route.continue_())

    for node in ui.app[keys.INVENTORY].current.site("tacc").nodes():
        name, key = str(node.written.document()["node_name"]), f"{node.site_id}/{node.cluster_id}/{node.uid}"
        first, then = first.replace(name, key), then.replace(name, key)
    await ui.page.route(path, failing)
    async with ui.page.expect_request(path):
        page = await ui.open(f"?node_type=gpu_a100_pcie#view=availability&{first}")
    await page.evaluate("(hash) => (location.hash = hash)", f"view=availability&{then}")
    await expect(page.locator(seen).first).to_be_visible()
    late.set()
    await page.evaluate("new Promise((done) => setTimeout(done, 100))")
    await expect(page.locator(part).locator(".problem")).to_have_count(0)
    ui.forgive_refusals()
