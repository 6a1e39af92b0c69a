"""`python -m tests.bench`: measures, and writes docs/performance.md anew between its markers."""

import argparse
from contextlib import ExitStack

from shared.availability import utc_now
from tests.bench.cases import Case, growing, large, small
from tests.bench.client import request
from tests.bench.measuring import BARE, OURS, Checked, Measured, measured
from tests.bench.running import Server, started
from tests.bench.world import World


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.bench", description=__doc__)
    parser.add_argument("--only", default="", help="requests with this in their names; nothing is written then")
    options = parser.parse_args()
    began = utc_now().replace(second=0, microsecond=0)
    world = World.of(500)
    with ExitStack() as stack:
        bare = stack.enter_context(started("tests.bench.server", "bare", ready="/0"))
        ours = stack.enter_context(started("tests.bench.server", "500", began.isoformat(), ready="/sites"))
        checked = Checked(ours, world, began)
        cases = [*small(world), *large(world), *growing(world, began)]
        for case in cases:
            if options.only not in case.name:
                continue
            for result in compared(case, checked, bare):
                print(
                    f"{case.name:32} {result.connections:3} {result.size:8} bytes"
                    f" bare {result.cost(BARE) * 1e6:7.0f} µs, ours {result.cost(OURS) * 1e6:7.0f} µs,"
                    f" ratio {result.ratio(BARE):5.2f}, p50 {result.wait(OURS, 0.5) * 1e3:6.2f} ms,"
                    f" p99 {result.wait(OURS, 0.99) * 1e3:6.2f} ms"
                )


def compared(case: Case, checked: Checked, bare: Server) -> list[Measured]:
    body, tag = checked.answer(case)
    bare.say("PUT", f"/0?status={case.status}", b"" if case.known else body)
    headers = {**case.headers, **({"If-None-Match": tag} if case.known else {})}
    checked.feed()
    services = {BARE: (bare, request("/0")), OURS: (checked.ours, request(case.path, headers))}
    return [measured(case, services, number, len(body)) for number in case.connections]


if __name__ == "__main__":
    main()
