"""Many readers, several workers, many sites, many nodes."""

import uvloop

from tests.bench import following, polling, remembering, sharing
from tests.bench.publishing import broker


def section() -> str:
    """For the document."""
    found = []
    with broker() as node:
        for part in (following.told, sharing.told, polling.told, remembering.told):
            found.append(uvloop.run(part(node)))
            print(found[-1], flush=True)
    return "\n\n".join(found)
