"""Times as the API reads them, and what is too long, too late or too many."""

from datetime import UTC, date, datetime, timedelta

import pytest
from playwright.async_api import Browser, expect

from api_service.http.values import instant
from tests.inventories import booked, cluster, inventory, site
from tests.ui.browsing import Ui, at, browsing, described

pytestmark = [pytest.mark.ui, pytest.mark.asyncio(loop_scope="session")]

READ = """async (text) => {
    const at = +(await import("./ui/assets/times.js")).moment(text);
    return Number.isNaN(at) ? null : at;
}"""
WRITTEN = [
    "2026-12-25",
    "2026-12-25T08:00",
    "2026-12-25t08:00:30z",
    "2026-12-25 08:00:00",
    "2026-12-25T08:00:00.25Z",
    "2026-12-25T08:00:00+01:00",
    "2026-12-25T08:00:00 01:00",
    "2026-12-25T08:00:00-05:30",
    "2026-12-25T08:00:00+0100",
    "2026-12-25T08:00:00-05",
    "2026-12-25T24:00Z",
    "2026-12-25T08:60Z",
    "2026-12-25T08:00+24:00",
    "2026-02-30",
    "2026-13-01",
    "1798185600",
    "25 Dec 2026",
    "tomorrow",
    "",
]


async def test_times_of_an_address_are_read_as_the_api_reads_them(ui: Ui) -> None:
    page = await ui.open()
    for text in WRITTEN:
        assert await page.evaluate(READ, text) == as_the_api(text), text


def as_the_api(text: str) -> float | None:
    try:
        return instant(text).timestamp() * 1000
    except ValueError:
        return None


def twice_a_year() -> date:
    """Whose hour after two comes twice in Berlin."""
    october = [date(datetime.now(UTC).year + 1, 10, day) for day in range(25, 32)]
    return next(day for day in october if day.weekday() == 6)


async def test_who_changes_one_time_leaves_the_other_even_in_the_hour_that_comes_twice(browser: Browser) -> None:
    day = twice_a_year()
    second = f"{day}T01:30:20Z"  # half past two, for the second time
    async with browsing(browser, inventory=inventory(site("tacc", cluster("tacc", "c", [described("n")])))) as ui:
        page = await ui.open(f"#selected=tacc/c/n&leave=commands&begin={day}T01:30:00Z&finish={day}T05:00:00Z")
        await page.locator("#lease-end").fill(f"{day}T08:00")
        await page.locator("#lease-end").press("Tab")
        await expect(page.locator("#leave-text")).to_contain_text(f"--end-date '{day} 07:00'")
        await expect(page.locator("#leave-text")).to_contain_text(f"--start-date '{day} 01:30'")
        ui.know("tacc", booked(node_id="n"))
        page = await ui.open(f"?start={second}&end={day}T05:00:00Z#view=hardware")
        await expect(page.get_by_role("checkbox", name="Available 1")).to_be_visible()
        await page.locator("#when-end").fill(f"{day}T08:00")
        await page.locator("#when-end").press("Tab")
        await page.wait_for_url(lambda address: "07%3A00" in address or "07:00" in address)
        assert second.replace(":", "%3A") in page.url or second in page.url


async def test_of_a_time_that_has_passed_no_command_is_offered(browser: Browser) -> None:
    async with browsing(browser, inventory=inventory(site("tacc", cluster("tacc", "c", [described("n")])))) as ui:
        ui.know("tacc", booked(node_id="n"))
        await ui.page.clock.install()
        finish = f"{at(3):%Y-%m-%dT%H:%M:%SZ}"
        page = await ui.open(f"#selected=tacc/c/n&leave=commands&begin=2026-01-01T00:00:00Z&finish={finish}")
        await expect(page.locator("#leave .good")).to_be_visible()
        await expect(page.locator("#leave-text")).to_contain_text("--end-date")
        await page.clock.fast_forward(timedelta(hours=4) // timedelta(milliseconds=1))
        await expect(page.locator("#leave .problem")).to_contain_text("of that time nothing is left")
        await expect(page.locator("#leave .good, #leave-text, #download")).to_have_count(0)
        await page.get_by_role("button", name="CSV", exact=True).click()
        await expect(page.locator("#leave-text")).to_contain_text("node_name")


async def test_of_a_slot_of_too_many_nodes_it_is_said_how_many_are_selected(browser: Browser) -> None:
    names = [f"n{number:03}" for number in range(250)]
    nodes = [described(name) for name in names]
    async with browsing(browser, inventory=inventory(site("tacc", cluster("tacc", "c", nodes)))) as ui:
        ui.know("tacc", *(booked(node_id=name) for name in names))
        page = await ui.open("#view=availability&count=250&hours=1")
        await page.get_by_role("button", name="Take").first.click()
        await expect(page.locator("#announcement")).to_have_text(
            "200 of 250 nodes are selected, and the time is set: 200 may be selected at most."
        )
        await expect(page.locator("#selection")).to_contain_text("200 nodes selected")


async def test_a_calendar_link_that_is_too_long_is_left_out_and_it_is_said_why(browser: Browser) -> None:
    names = [f"{number:03}-{'x' * 50}" for number in range(200)]
    nodes = [described(name) for name in names]
    async with browsing(browser, inventory=inventory(site("tacc", cluster("tacc", "c", nodes)))) as ui:
        page = await ui.open(f"#{'&'.join(f'selected=tacc/c/{name}' for name in names)}&leave=csv")
        await expect(page.locator("#leave")).to_contain_text("a link that servers find too long")
        await expect(page.locator("#calendar-link")).to_have_count(0)
        await page.goto("about:blank")
        page = await ui.open(f"#{'&'.join(f'selected=tacc/c/{name}' for name in names[:100])}&leave=csv")
        address = await page.locator("#calendar-link").get_attribute("href")
        assert (await page.request.get(str(address))).ok


async def test_a_service_that_does_not_answer_in_time_is_said_to_be_silent(ui: Ui) -> None:
    await ui.page.add_init_script(
        "AbortSignal.timeout = ((real) => () => real.call(AbortSignal, 200))(AbortSignal.timeout)"
    )
    await ui.page.route("**/nodes/search*", lambda _route: None)
    page = await ui.open()
    await expect(page.locator("#hardware").get_by_role("alert")).to_contain_text("has not answered for 30 seconds")
    ui.forgive_refusals()


@pytest.mark.parametrize(("how", "told"), [("abort", "AbortError"), ("break", "The service does not answer")])
async def test_an_answer_that_ends_within_its_body_is_no_good_one(how: str, told: str, ui: Ui) -> None:
    page = await ui.open()
    raised = await page.evaluate(
        """async (how) => {
            const api = await import("./ui/assets/api.js");
            const giving = new AbortController();
            globalThis.fetch = async (_address, { signal }) =>
                new Response(new ReadableStream({
                    start(body) {
                        body.enqueue(new TextEncoder().encode('{"total": '));
                        signal.addEventListener("abort", () => body.error(signal.reason));
                        if (how === "break") body.error(new TypeError("network error"));
                    },
                }));
            setTimeout(() => giving.abort(), 50);
            return api.get(api.url("sites"), giving.signal).catch((error) => `${error.name}: ${error.message}`);
        }""",
        how,
    )
    assert told in raised
