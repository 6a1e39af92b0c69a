"""What the system allows a process."""

import resource


def many_files() -> None:
    """As many as may be had, here and in whatever is started from here on."""
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
