"""One browser for all tests, and one event loop, since its connection belongs to a loop."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
import pytest_asyncio
from playwright.async_api import Browser, async_playwright

from api_service.adapters.git_repository import load
from api_service.domain.inventory import Inventory
from api_service.settings import Settings
from deploy.local.install_chromium import find_chromium
from deploy.local.sample import write_sample
from tests.figures import figure, pytest_terminal_summary
from tests.ui.browsing import Ui, browsing, week

__all__ = ["figure", "pytest_terminal_summary"]


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def browser() -> AsyncIterator[Browser]:
    """Debian's Chromium."""
    found = find_chromium()
    assert found, "`make test-ui` installs Chromium where this may be done"
    async with async_playwright() as playwright:
        # As root it runs without its sandbox only; what it loads comes from this process.
        started = await playwright.chromium.launch(executable_path=found, args=["--no-sandbox"])
        yield started
        await started.close()


@pytest.fixture(scope="session")
def sample(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The inventory that `make run` shows, with its history."""
    return write_sample(tmp_path_factory.mktemp("sample"), now=datetime.now(UTC))


@pytest.fixture(scope="session")
def sample_inventory(sample: Path) -> Inventory:
    return load(sample)


@pytest_asyncio.fixture(loop_scope="session")
async def ui(browser: Browser, sample: Path, sample_inventory: Inventory) -> AsyncIterator[Ui]:
    """The page on the sample; `tacc` and `uc` are synced, `kvm` never was."""
    settings = Settings.model_validate({"reference": {"ref_dir": sample}})
    async with browsing(browser, inventory=sample_inventory, settings=settings) as made:
        for site_id in ("tacc", "uc"):
            made.know(site_id, *week([node.uid for node in sample_inventory.site(site_id).nodes()]))
        yield made
