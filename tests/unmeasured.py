"""Processes as users run them."""

import os


def unmeasured(**more: str) -> dict[str, str]:
    """The environment and `more`, without what measures coverage, by which a process starts and works half as fast."""
    return {name: value for name, value in os.environ.items() if not name.startswith("COVERAGE")} | more
