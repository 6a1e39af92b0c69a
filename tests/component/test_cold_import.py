"""What a start of either service does not wait for."""

import subprocess
import sys
from importlib.util import find_spec

import pytest

from tests.unmeasured import unmeasured


@pytest.mark.parametrize(
    ("module", "later"),
    [
        # For the OpenAPI document, for calendars, and for tracebacks that nobody draws.
        ("api_service.running", {"aiohttp_apispec", "apispec", "marshmallow", "jinja2", "icalendar", "rich"}),
        ("sync_service.app", {"rich"}),
    ],
)
def test_what_few_ask_for_is_not_imported_by_a_start(module: str, later: set[str]) -> None:
    assert {name for name in later if find_spec(name) is None} == set()
    # In the order of `__main__`.
    command = [sys.executable, "-c", f"import sys, shared.logs, {module}; print(*sys.modules)"]
    imported = subprocess.run(command, env=unmeasured(), capture_output=True, text=True, check=True).stdout.split()
    assert f"{module.partition('.')[0]}.app" in imported
    assert later & {name.partition(".")[0] for name in imported} == set()
