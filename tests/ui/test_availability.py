"""What is free when: the calendar, capacity, and the slot finder; all of it live."""

from datetime import timedelta
from pathlib import Path

import pytest
from aiohttp.test_utils import TestServer
from playwright.async_api import Browser, expect

import sync_service.app
from api_service import keys
from api_service.domain.inventory import Inventory
from api_service.http.event_stream import READERS
from deploy.local.openstack import SimulatedCloud
from shared.embedded import EmbeddedTransport
from sync_service.settings import Settings as SyncSettings
from tests.inventories import booked, cluster, inventory, site
from tests.ui.browsing import Ui, at, browsing, described

pytestmark = [pytest.mark.ui, pytest.mark.asyncio(loop_scope="session")]

NAMES = ["free", "booked", "broken", "lost", "old"]


def small(*names: str) -> Inventory:
    nodes = [described(name) for name in names]
    old = [node for node in nodes if node["uid"] == "old"]
    return inventory(
        site("tacc", cluster("tacc", "c", [node for node in nodes if node["uid"] != "old"])),
        site("uc", cluster("uc", "c", old)),
        version="0" * 40,
    )


async def test_the_calendar_tells_states_by_words_and_not_by_colour_alone(browser: Browser) -> None:
    async with browsing(browser, inventory=small(*NAMES)) as ui:
        ui.know(
            "tacc",
            booked(node_id="free"),
            booked((-2, 50), node_id="booked", now=at(0)),
            booked(node_id="broken", maintenance=True),
        )
        ui.know("uc", booked(node_id="old"), age=14 / 60)
        asked: list[str] = []
        ui.page.on("request", lambda request: asked.append(request.url))
        page = await ui.open("#view=availability&rows=nodes")
        await expect(ui.track("free").locator(".available")).to_have_text("Available")
        await expect(ui.track("booked").locator(".reserved")).to_have_count(1)
        await expect(ui.track("broken").locator(".maintenance")).to_have_text("Maintenance")
        await expect(ui.track("lost").locator(".unknown")).to_have_text("Unknown")
        await expect(ui.track("lost").locator(".available")).to_have_count(0)
        old = page.locator("#calendar .row", has=page.get_by_role("button", name="old", exact=True))
        await expect(old).to_contain_text("stale: as of 14 min ago")
        await expect(ui.track("old")).to_have_css("outline-style", "dashed")
        # The patterns are there, whatever the colours.
        for name, state in (("broken", "maintenance"), ("lost", "unknown")):
            drawn = await ui.track(name).locator(f".{state}").evaluate("each => getComputedStyle(each).backgroundImage")
            assert "repeating-linear-gradient" in drawn
        assert sum("/nodes/availability" in each for each in asked) == 1
        assert not any("node_name" in each for each in asked)
        await ui.picture("states")


async def test_a_lease_made_in_the_cloud_is_seen_after_the_next_poll_without_reload(
    browser: Browser, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    transport = EmbeddedTransport()
    polls = {"poll_interval_seconds": 0.1, "sites": {"tacc": {"cloud": "tacc"}}}
    async with SimulatedCloud({"tacc": ["free"]}) as cloud:
        clouds = tmp_path / "clouds.yaml"
        clouds.write_text(cloud.clouds_yaml())
        monkeypatch.setenv("OS_CLIENT_CONFIG_FILE", str(clouds))
        sync = sync_service.app.create_app(SyncSettings.model_validate({"availability": polls}), transport=transport)
        async with TestServer(sync), browsing(browser, inventory=small("free"), transport=transport) as ui:
            await ui.open("#view=availability&rows=nodes")
            await expect(ui.track("free").locator(".available")).to_have_text("Available")
            cloud.sites["tacc"].add_lease("free", at(-1), at(30))
            await expect(ui.track("free").locator(".reserved")).to_have_count(1)


async def test_a_lease_appears_without_reload(browser: Browser) -> None:
    async with browsing(browser, inventory=small("free", "booked")) as ui:
        ui.know("tacc", booked(node_id="free"), booked(node_id="booked"))
        page = await ui.open("#view=availability&rows=nodes")
        await expect(ui.track("booked").locator(".available")).to_have_count(1)
        await expect(page.locator("#live")).to_have_text("Live")
        await page.evaluate("window.notReloaded = true")
        ui.know("tacc", booked(node_id="free"), booked((-1, 3), node_id="booked", now=at(0)))
        await expect(ui.track("booked").locator(".reserved")).to_have_count(1)
        await page.get_by_role("link", name="Hardware").click()
        await expect(ui.row("booked")).to_contain_text("Reserved until")
        await expect(page.get_by_role("checkbox", name="Reserved 1")).to_be_visible()
        ui.know("tacc", booked(node_id="free"), booked(node_id="booked"))
        await expect(ui.row("booked")).to_contain_text("Available")
        assert await page.evaluate("window.notReloaded")


async def test_a_new_commit_appears_without_reload(browser: Browser) -> None:
    async with browsing(browser, inventory=small("free")) as ui:
        await ui.open()
        await expect(ui.row("free")).to_be_visible()
        await expect(ui.page.locator("#live")).to_have_text("Live")
        later = inventory(site("tacc", cluster("tacc", "c", [described("new")])), version="1" * 40)
        assert ui.app[keys.INVENTORY].replace(later)
        ui.app[READERS].refresh()
        await expect(ui.row("new")).to_be_visible()
        await expect(ui.row("free")).to_have_count(0)


async def test_the_calendar_zooms_to_hours_and_moves_on_but_not_into_the_past(ui: Ui) -> None:
    page = await ui.open("#view=availability")
    await expect(page.locator(".axis .day").first).to_be_visible()
    await page.get_by_role("button", name="12 hours").click()
    # Where a day begins stands its date, and that may come first.
    await expect(page.locator(".axis span:not(.day)").first).to_contain_text(":00")
    await expect(page.get_by_role("button", name="Earlier")).to_be_disabled()
    await page.get_by_role("button", name="Later").click()
    await expect(page.get_by_role("button", name="Earlier")).to_be_enabled()
    assert "span=12h" in page.url
    await page.get_by_role("button", name="Now").click()
    await expect(page.get_by_role("button", name="Earlier")).to_be_disabled()


async def test_types_tell_how_many_are_free_and_lead_to_their_nodes(ui: Ui) -> None:
    page = await ui.open("#view=availability&rows=types")
    row = page.locator("#calendar .row").filter(has_text="compute_icelake_r750")
    await expect(row).to_contain_text("0 of 4 free now, 4 unknown")
    await expect(row.locator("rect.unknown")).to_have_attribute("fill", "url(#hatch-unknown)")
    await ui.picture("types")
    await row.get_by_role("button").click()
    await expect(page.locator("#calendar .row")).to_have_count(4)
    await expect(ui.track("r750-01")).to_have_attribute("aria-label", "Unknown all the time")


async def test_capacity_is_drawn_by_type_and_told_as_a_table(ui: Ui) -> None:
    page = await ui.open("?node_type=gpu_a100_pcie,compute_icelake_r750#view=availability")
    capacity = page.locator("#capacity")
    await expect(capacity.locator("canvas")).to_be_visible()
    await expect(capacity.locator(".u-legend")).to_contain_text("gpu_a100_pcie")
    await capacity.get_by_text("As a table").click()
    await expect(capacity.locator("details tr", has_text="compute_icelake_r750").locator("td")).to_have_text(
        ["compute_icelake_r750", "4", "0", "0", "0"]
    )
    await expect(capacity.locator("details th").last).to_have_text("Free at the beginning")
    await capacity.get_by_label("Show").select_option("gpu_a100_pcie: all states")
    await expect(capacity.locator(".u-legend")).to_contain_text("Maintenance")
    await capacity.scroll_into_view_if_needed()
    await ui.picture("capacity")


async def test_the_slot_finder_shows_the_earliest_slots_on_the_calendar(ui: Ui) -> None:
    page = await ui.open("?node_type=compute_cascadelake_r#view=availability")
    await page.get_by_label("Nodes", exact=True).fill("4")
    await page.get_by_label("Hours").fill("72")
    await page.get_by_role("button", name="Find the earliest slot").click()
    first = page.locator(".slots li").first
    await expect(first).to_contain_text("4 nodes at CHI@Example")
    await expect(page.locator("#calendar .row .band")).to_have_count(4)
    later = page.locator(".slots li").last
    start = await later.locator("time").first.get_attribute("datetime")
    await later.get_by_role("button", name="Show").click()
    await expect(page.locator("#calendar .row:nth-child(-n+4) .band")).to_have_count(4)
    await ui.picture("slots")
    await later.get_by_role("button", name="Take").click()
    await expect(page.locator("#selection")).to_contain_text("4 nodes selected")
    assert start
    await page.get_by_role("button", name="Leave with them").click()
    await expect(page.locator("#leave-text")).to_contain_text(f"--start-date '{start[:10]} {start[11:16]}'")
    await ui.picture("leave")


async def test_where_there_is_no_slot_a_sentence_says_so(ui: Ui) -> None:
    page = await ui.open("?node_type=compute_icelake_r750#view=availability&count=2&hours=10")
    await expect(page.locator("#slots .problem")).to_contain_text("4 nodes match, but 2 that can be reserved together")
    await expect(page.locator("#slots .problem")).to_contain_text("Ask for fewer nodes")
    ui.forgive_refusals()


async def test_times_are_the_readers_and_utc_on_hover(browser: Browser) -> None:
    end = at(20) + timedelta(minutes=1)
    async with browsing(browser, inventory=small("booked"), timezone_id="Asia/Kolkata") as ui:
        ui.know("tacc", booked((-1, (end - at(0)).total_seconds() / 3600), node_id="booked", now=at(0)))
        await ui.open()
        told = ui.row("booked").locator("time")
        await expect(told).to_have_attribute("title", f"{end:%Y-%m-%d %H:%M} UTC")
        await expect(told).to_contain_text(f"{end + timedelta(hours=5.5):%H:%M}")


async def test_when_the_service_is_gone_the_page_says_so_and_comes_back(ui: Ui) -> None:
    page = await ui.open()
    await expect(page.locator("#live")).to_have_text("Live")
    await page.route("**/nodes/search*", lambda route: route.abort())
    await page.get_by_label("Search all texts").fill("a100")
    await expect(page.locator("#hardware").get_by_role("alert")).to_contain_text("The service does not answer")
    await page.unroute("**/nodes/search*")
    await page.locator("#hardware").get_by_role("button", name="Try again").click()
    await expect(page.locator("#hardware .total")).to_have_text("6 nodes")
    ui.forgive_refusals()
