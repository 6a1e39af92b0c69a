"""What tests measure is printed at their end, to be quoted in docs; a conftest imports both names."""

from collections.abc import Callable

import pytest

type Figure = Callable[[str, str], None]

FIGURES = pytest.StashKey[dict[str, str]]()


@pytest.fixture
def figure(request: pytest.FixtureRequest) -> Figure:
    """Notes what was measured, under a name."""
    return request.config.stash.setdefault(FIGURES, {}).__setitem__


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    if figures := config.stash.get(FIGURES, {}):
        terminalreporter.section("as measured")
        for name, value in figures.items():
            terminalreporter.write_line(f"{name}: {value}")
        # Each conftest that imports this is asked.
        figures.clear()
