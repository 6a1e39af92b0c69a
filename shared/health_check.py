"""`python -m shared.health_check URL`: does it answer 200 within three seconds. What containers have for curl."""

import sys
from collections.abc import Sequence
from http.client import HTTPConnection, HTTPException
from typing import Final
from urllib.parse import urlsplit

SECONDS: Final = 3.0


def main(arguments: Sequence[str]) -> int:
    """Returns the exit status; tells what is wrong.

    Args:
        arguments: One http URL.
    """
    (url,) = arguments
    parts = urlsplit(url)
    connection = HTTPConnection(parts.hostname or "", parts.port, timeout=SECONDS)
    try:
        connection.request("GET", parts.path or "/")
        answer = connection.getresponse()
        told = answer.read(500).decode(errors="replace")
    except (OSError, HTTPException) as error:
        told, status = f"{type(error).__name__}: {error}", 0
    else:
        status = answer.status
    finally:
        connection.close()
    sys.stdout.write(f"{status} {told}\n" if status else f"{told}\n")  # Docker keeps it
    return 0 if status == 200 else 1  # noqa: PLR2004 - HTTP's OK


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
