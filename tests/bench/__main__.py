"""`python -m tests.bench`: measures, and writes docs/performance.md anew between its markers; takes some minutes."""

import argparse
import os
import platform
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Final

import orjson

from deploy.local.environments import environment
from shared.availability import utc_now
from tests.bench import freshness, past, report, scale, starting
from tests.bench.cases import NODES, Case, growing, large, small
from tests.bench.client import request
from tests.bench.measuring import BARE, NAIVE, OURS, Checked, Measured, given, measured
from tests.bench.oracle import path_of
from tests.bench.report import number
from tests.bench.running import Server, started
from tests.bench.world import World

DOCUMENT: Final = Path("docs/performance.md")
FIGURE: Final = Path("docs/performance.svg")
SIZES: Final = (500, 5_000, 50_000)
MICRO: Final = 1e6
MILLI: Final = 1e3
BESIDE_SECONDS: Final = 5.0
SECTIONS: Final[Mapping[str, Callable[[], str]]] = {"freshness": freshness.section, "scale": scale.section}
"""What stands between the markers of these names."""


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.bench", description=__doc__)
    about = (
        f"requests of 500 nodes with this in their names, of which nothing is written; or one of {', '.join(SECTIONS)}"
    )
    parser.add_argument("--only", default="", help=about)
    only = parser.parse_args().only
    if only in SECTIONS:
        report.put(DOCUMENT, only, SECTIONS[only]())
        return
    with ExitStack() as stack:
        bare = stack.enter_context(started("tests.bench.server", "bare"))
        found = {SIZES[0]: list(_of_500(bare, only))}
        if only:
            return
        found[SIZES[1]], _ = _of_many(bare, SIZES[1])
        found[SIZES[2]], beside = _of_many(bare, SIZES[2])
        travel = _past(bare)
    report.put(DOCUMENT, "the machine", _machine())
    report.put(DOCUMENT, "costs", _costs(found[500]))
    report.put(DOCUMENT, "waits", _waits(found[500]))
    report.put(DOCUMENT, "sizes", _sizes(found))
    report.put(DOCUMENT, "others", f"{beside}\n\n{travel}")
    FIGURE.write_text(report.figure(_lines(found)))
    starting.main()
    for name, section in SECTIONS.items():
        report.put(DOCUMENT, name, section())


def _of_500(bare: Server, only: str) -> Iterator[Measured]:
    world, began = World.of(500), utc_now().replace(second=0, microsecond=0)
    python = str(environment("bench", "what is compared with"))
    with started("tests.bench.server", "500", began.isoformat(), ready="/sites") as ours:
        checked = Checked(ours, world, began)
        arguments = ("500", began.isoformat(), checked.version)
        with started("tests.bench.naive", *arguments, python=python, ready="/sites") as naive:
            for case in [*small(world), *large(world), *growing(world, began)]:
                if only in case.name:
                    yield from _compared(case, checked, bare, naive)


def _of_many(bare: Server, size: int) -> tuple[list[Measured], str]:
    world, began = World.of(size), utc_now().replace(second=0, microsecond=0)
    with started("tests.bench.server", str(size), began.isoformat(), ready="/sites") as ours:
        checked = Checked(ours, world, began)
        found: list[Measured] = []
        for case in [*small(world), large(world)[0], *growing(world, began)]:
            found += _compared(case, checked, bare, None, connections=(1,))
        small_path, cases = path_of(world.places("site0a", "cluster0")[0]), growing(world, began)
        return found, f"{_anew(ours, cases, size)}\n\n{_blocked(ours, small_path, cases[-1], size)}"


def _compared(
    case: Case, checked: Checked, bare: Server, naive: Server | None, connections: Sequence[int] | None = None
) -> Iterator[Measured]:
    body, told = checked.answer(case)
    given(bare, body, told, status=case.status)
    asked = request(case.path, {**case.headers, **({"If-None-Match": told["ETag"]} if case.known else {})})
    services = {BARE: (bare, asked), OURS: (checked.ours, asked)}
    if naive and case.naive:
        checked.held_to(case, naive)
        services[NAIVE] = naive, request(case.path)
    checked.feed()
    for each in connections or case.connections:
        result = measured(case, services, each, len(body))
        print(_told(result), flush=True)
        yield result
    checked.answer(case)


def _told(result: Measured) -> str:
    costs = ", ".join(f"{name} {number(result.cost(name) * MICRO)} µs" for name in result.loads)
    wait = f"{number(result.wait(OURS, 0.5) * MILLI)} ms, p99 {number(result.wait(OURS, 0.99) * MILLI)} ms"
    return f"{result.case.name}, {result.connections} at once: {costs}; ratio {result.ratio(BARE):.2f}; p50 {wait}"


def _anew(ours: Server, cases: Sequence[Case], size: int) -> str:
    """What searches cost that are in no memory."""
    costs = {case.name: past.anew(ours, case.path) for case in cases if "search" in case.path}
    print({name: (cost.took, cost.cpu) for name, cost in costs.items()})
    told = "; ".join(f"{name}: {number(each.cpu * MILLI)} ms" for name, each in costs.items())
    about = "costs that is asked for the first time after a poll, with a connection of its own"
    return f"What a search among {size} nodes {about}: {told}."


def _blocked(ours: Server, small_path: str, costly: Case, size: int) -> str:
    """How long others wait while something costly is computed."""
    alone, _ = past.beside(ours, small_path, small_path, BESIDE_SECONDS)
    _, other = past.beside(ours, costly.path, small_path, BESIDE_SECONDS)
    print(f"beside {costly.name}: p99 {number(other.wait(0.99) * MILLI)}, at most {number(other.wait(1) * MILLI)} ms")
    return (
        f"While the {costly.name} of {size} is computed over and over, one node takes "
        f"{number(other.wait(0.5) * MILLI)} ms (p50), {number(other.wait(0.99) * MILLI)} ms (p99) and "
        f"{number(other.wait(1) * MILLI)} ms at most; without that {number(alone.wait(0.5) * MILLI)}, "
        f"{number(alone.wait(0.99) * MILLI)} and {number(alone.wait(1) * MILLI)} ms."
    )


def _past(bare: Server) -> str:
    world, began = World.of(500), utc_now().replace(second=0, microsecond=0).isoformat()
    with tempfile.TemporaryDirectory() as folder:
        data, version = past.repository(world, Path(folder))
        with started("tests.bench.server", "500", began, str(data), ready="/sites") as ours:
            first = past.cold(ours, version)
            path = f"{NODES}?version={version}"
            body, told = ours.ask("GET", path)
            assert orjson.loads(body)["version"] == version
            given(bare, body, told)
            case = Case("warm", path, lambda _oracle, _answer: True)
            services = {BARE: (bare, request(path)), OURS: (ours, request(path))}
            warm = measured(case, services, 8, len(body))
    print(f"cold {number(first.took * MILLI)} ms; {_told(warm)}")
    return (
        f"A list of 313 nodes at a commit that nobody asked for before takes {number(first.took * MILLI)} ms"
        f" ({number(first.cpu * MILLI)} ms of processor), and afterwards {number(warm.cost(OURS) * MICRO)} µs of"
        f" processor: {warm.ratio(BARE):.2f} of what bare aiohttp answers."
    )


def _machine() -> str:
    told = Path("/proc/cpuinfo").read_text().splitlines()
    model = next((line.partition(":")[2].strip() for line in told if line.startswith("model name")), platform.machine())
    about = f"{os.cpu_count()} processors ({model}), Python {platform.python_version()}"
    return f"Measured on {utc_now():%Y-%m-%d}: {about}."


def _costs(found: Sequence[Measured]) -> str:
    rows = []
    for each in found:
        if each.connections == 8:
            naive = [number(each.cost(NAIVE) * MICRO), f"{each.ratio(NAIVE):.1f}"] if NAIVE in each.loads else ["", ""]
            costs = [number(each.cost(BARE) * MICRO), number(each.cost(OURS) * MICRO)]
            rows.append([each.case.name, str(each.size), *costs, f"{each.ratio(BARE):.2f}", *naive])
    return report.table(["request", "bytes", "bare, µs", "ours, µs", "ours : bare", "naive, µs", "ours : naive"], rows)


def _waits(found: Sequence[Measured]) -> str:
    rows = [
        [
            each.case.name,
            str(each.connections),
            number(each.wait(OURS, 0.5) * MILLI),
            number(each.wait(OURS, 0.99) * MILLI),
            number(each.rate(OURS)),
            number(each.rate(BARE)),
        ]
        for each in found
    ]
    return report.table(["request", "at once", "p50, ms", "p99, ms", "requests/s", "bare, requests/s"], rows)


def _lines(found: Mapping[int, Sequence[Measured]]) -> dict[str, dict[int, float]]:
    """Microseconds by request and size, of one connection."""
    costs = {
        (size, each.case.name): each.cost(OURS) * MICRO
        for size, results in found.items()
        for each in results
        if each.connections == 1
    }
    names = [each.case.name for each in found[SIZES[-1]]]
    return {name: {size: costs[size, name] for size in SIZES} for name in names}


def _sizes(found: Mapping[int, Sequence[Measured]]) -> str:
    largest = {each.case.name: each for each in found[SIZES[-1]]}
    rows = [
        [
            name,
            *(number(costs[size]) for size in SIZES),
            number(largest[name].wait(OURS, 0.5) * MILLI),
            number(largest[name].wait(OURS, 0.99) * MILLI),
        ]
        for name, costs in _lines(found).items()
    ]
    return report.table(["request", *(f"{size}, µs" for size in SIZES), "50 000: p50, ms", "p99, ms"], rows)


if __name__ == "__main__":
    main()
