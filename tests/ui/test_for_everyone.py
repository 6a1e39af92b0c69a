"""For those who see, hear, type or tap; behind any prefix; and with as many nodes as there may be."""

import asyncio
import time
from collections.abc import Iterable

import pytest
from axe_playwright_python.async_playwright import Axe
from playwright.async_api import Browser, Page, Route, expect

from api_service.domain.data_faults import DataFault, FaultKind
from api_service.domain.inventory import Inventory
from tests.figures import Figure
from tests.inventories import cluster, inventory, site
from tests.ui.browsing import Ui, browsing, described, week

pytestmark = [pytest.mark.ui, pytest.mark.asyncio(loop_scope="session")]

VIEWS = {
    "hardware": ("", "#hardware tbody tr"),
    "availability": ("#view=availability&rows=nodes&count=2&hours=48&span=7d", "#slots li"),
    "types": ("#view=availability&rows=types&span=30d", "#capacity canvas"),
    "status": ("#view=status", "#status table"),
    "nothing": ("?q=nosuchthing", "#hardware .nothing"),
}
WIDTHS = {"phone": (390, 844), "laptop": (1280, 800), "wide": (1920, 1080)}


@pytest.mark.parametrize("scheme", ["light", "dark"])
async def test_axe_finds_nothing(scheme: str, ui: Ui) -> None:
    await ui.page.emulate_media(color_scheme="dark" if scheme == "dark" else "light")
    for name, (address, seen) in VIEWS.items():
        await shown(ui, address, seen)
        for width, size in WIDTHS.items():
            await ui.page.set_viewport_size({"width": size[0], "height": size[1]})
            await ui.picture(f"{name} {width} {scheme}")
            # Which is too wide for a phone only a phone shows; colours are the same everywhere.
            if width == "laptop" or (width, scheme) == ("phone", "light"):
                assert await faults(ui.page) == [], (name, width)
            assert await ui.page.evaluate("document.documentElement.scrollWidth <= innerWidth"), (name, width)


async def test_axe_finds_nothing_in_dialogs(ui: Ui) -> None:
    page = await shown(ui, "?node_type=gpu_a100_pcie", "#hardware tbody tr")
    await page.get_by_label("Select pcie-03").check()
    await ui.row("pcie-03").get_by_role("button").click()
    await expect(page.locator("#node pre")).to_be_visible()
    assert await faults(page) == []
    await page.keyboard.press("Escape")
    await page.get_by_role("button", name="Leave with them").click()
    await expect(page.locator("#leave-text")).to_be_visible()
    assert await faults(page) == []


async def shown(ui: Ui, address: str, seen: str) -> Page:
    await ui.page.goto("about:blank")
    page = await ui.open(address)
    await expect(page.locator(seen).first).to_be_visible()
    await expect(page.locator("#live")).to_have_text("Live")
    return page


async def faults(page: Page) -> list[str]:
    found = (await Axe().run(page)).response["violations"]
    return [f"{each['id']}: {node['html'][:200]}" for each in found for node in each["nodes"]]


async def test_everything_can_be_done_with_the_keyboard_alone(ui: Ui) -> None:
    page = await shown(ui, "?node_type=gpu_a100_pcie", "#hardware tbody tr")
    await page.keyboard.press("Tab")
    await expect(page.get_by_role("button", name="Skip to the content")).to_be_focused()
    await page.keyboard.press("Enter")
    await expect(page.locator("#main")).to_be_focused()
    await pressed_until(page, "Select pcie-01")
    await page.keyboard.press("Space")
    await expect(page.locator("#selection")).to_contain_text("1 node selected")
    # What is drawn anew does not lose the focus.
    await expect(page.get_by_label("Select pcie-01")).to_be_focused()
    await page.keyboard.press("Tab")
    await page.keyboard.press("Enter")
    await expect(page.get_by_role("dialog")).to_contain_text("pcie-01")
    await page.keyboard.press("Escape")
    await expect(page.get_by_role("dialog")).to_have_count(0)
    await pressed_until(page, "Leave with them …")
    await page.keyboard.press("Enter")
    await expect(page.locator("#leave-text")).to_contain_text("openstack reservation lease create")


async def pressed_until(page: Page, name: str) -> None:
    named = "document.activeElement.ariaLabel ?? document.activeElement.textContent"
    for _ in range(60):
        await page.keyboard.press("Tab")
        if await page.evaluate(named) == name:
            return
    pytest.fail(f"{name} cannot be reached")


async def test_the_status_tells_age_commit_feed_and_faults(browser: Browser) -> None:
    fault = DataFault("sites/tacc/x.json", FaultKind.NOT_JSON, "Expecting value")
    served = inventory(site("tacc", cluster("tacc", "c", [described("n")])), version="a" * 40, faults=(fault,))
    async with browsing(browser, inventory=served) as ui:
        ui.know("tacc", *week(["n"]), age=3)
        page = await ui.open("#view=status")
        status = page.locator("#status")
        await expect(status).to_contain_text("aaaaaaaaaaaa")
        await expect(status.get_by_role("row", name="TACC (tacc)")).to_contain_text("stale")
        await expect(status.get_by_role("row", name="TACC (tacc)")).to_contain_text("3 h")
        await expect(status).to_contain_text("connected (standing)")
        await expect(status.get_by_role("region", name="Data faults")).to_contain_text("sites/tacc/x.json")


@pytest.mark.parametrize("page_path", ["/ui", "/ui/"])
async def test_it_works_behind_a_prefix_that_a_proxy_takes_away(page_path: str, ui: Ui) -> None:
    here = f"http://{ui.server.host}:{ui.server.port}"

    async def proxied(route: object) -> None:
        address = route.request.url.replace(f"{here}/testbed/reference", here)  # type: ignore[attr-defined]
        await route.fulfill(response=await route.fetch(url=address))  # type: ignore[attr-defined]

    await ui.page.route("**/testbed/reference/**", proxied)
    await ui.page.route("**/events", lambda route: route.abort())
    outside = []
    ui.page.on("request", lambda request: outside.append(request.url))
    await ui.page.goto(f"{here}/testbed/reference{page_path}")
    await expect(ui.page.locator("#hardware .total")).to_have_text("40 nodes")
    assert [each for each in outside if not each.startswith(f"{here}/testbed/reference/")] == []
    ui.forgive_refusals()


async def test_an_address_that_somebody_made_up_breaks_nothing(ui: Ui) -> None:
    page = await ui.open(
        "?sort=constructor&infiniband=constructor&start=x&end=y&offset=0"
        "#view=constructor&span=constructor&rows=x&from=x&begin=y&finish=z&type=w&slot=-1&count=x&hours=y"
        "&selected=%E0%A4%A&node=%25&leave=constructor&before=a&after=b"
    )
    await expect(page.locator("#node").get_by_role("alert")).to_be_visible()
    await page.keyboard.press("Escape")
    await expect(page.locator("dialog[open]")).to_have_count(0)
    await page.get_by_role("link", name="Availability").click()
    await expect(page.locator("#availability").get_by_role("alert").first).to_be_visible()
    ui.forgive_refusals()


async def test_what_is_typed_is_not_lost_when_something_else_is_done(ui: Ui) -> None:
    page = await ui.open("?node_type=gpu_a100_pcie#view=availability&rows=nodes")
    await page.get_by_label("Hours").fill("77")
    await page.get_by_label("Select pcie-03").check()
    await expect(page.locator("#selection")).to_contain_text("1 node selected")
    await expect(page.get_by_label("Hours")).to_have_value("77")
    words = page.get_by_label("Search all texts")
    await words.fill("epyc ")
    await expect(page.locator(".chips")).to_contain_text("Text: epyc")
    await words.press_sequentially("7763")
    await expect(page.locator(".chips")).to_contain_text("Text: epyc 7763")


async def test_an_answer_that_nobody_waits_for_any_more_breaks_nothing(ui: Ui) -> None:
    late = asyncio.Event()

    async def slow(route: Route) -> None:
        await late.wait()
        await route.continue_()

    await ui.page.route("**/availability/*", slow)
    page = await ui.open("#view=availability&count=1&hours=1")
    await expect(page.locator("#calendar .row").first).to_be_visible()
    await page.route("**/nodes/availability*", lambda route: route.abort())
    await page.get_by_label("Search all texts").fill("a100")
    await expect(page.locator("#availability").get_by_role("alert")).to_be_visible()
    async with page.expect_response("**/availability/earliest*"):
        late.set()
    await page.evaluate("new Promise((done) => setTimeout(done))")  # what waits for the answer has its turn
    ui.forgive_refusals()


async def test_before_there_is_an_inventory_the_page_says_what_to_do(browser: Browser) -> None:
    async with browsing(browser) as ui:
        page = await ui.open()
        await expect(page.locator("#hardware [role=alert]")).to_contain_text("no inventory is loaded yet")
        await page.locator("#hardware").get_by_role("button", name="status").click()
        await expect(page.locator("#status")).to_contain_text("no inventory is loaded")
        ui.forgive_refusals()


@pytest.mark.parametrize("count", [500, 5000])
async def test_of_many_nodes_no_more_rows_are_drawn_than_anybody_looks_through(
    count: int, browser: Browser, figure: Figure
) -> None:
    async with browsing(browser, inventory=many(count)) as ui:
        ui.know("tacc", *week([f"n{number:04}" for number in range(count)]))
        await ui.page.goto("about:blank")
        for view, address, seen, rows, most in MANY:
            began = time.perf_counter()
            await ui.open(address)
            await expect(ui.page.locator(seen).first).to_be_visible()
            took = time.perf_counter() - began
            figure(f"{view} of {count} nodes, until it can be read", f"{took:.2f} s")
            await expect(ui.page.locator(rows)).to_have_count(most)
            assert await ui.page.locator("*").count() < MOST_ELEMENTS, view
            await ui.page.goto("about:blank")
        await ui.open("#view=availability&rows=nodes")
        await ui.page.get_by_role("button", name="Show 200 more").click()
        await expect(ui.page.locator("#calendar .row")).to_have_count(400)
        await ui.picture(f"many {count}")


MOST_ELEMENTS = 15_000
MANY = (
    ("the table", "", "#hardware tbody tr", "#hardware tbody tr", 50),
    ("the calendar by type", "#view=availability", "#calendar .row rect", "#calendar .row", 24),
    ("the calendar by node", "#view=availability&rows=nodes", "#calendar .segment", "#calendar .row", 200),
)


def many(count: int) -> Inventory:
    nodes: Iterable[dict[str, object]] = (
        described(f"n{number:04}", node_type=f"compute_{number % 24:02}") for number in range(count)
    )
    return inventory(site("tacc", cluster("tacc", "c", nodes)), version="b" * 40)
