"""The same request to several services in turn."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from http.client import HTTPMessage
from statistics import median
from typing import Final

import orjson
import uvloop

from shared.availability import utc_now
from tests.bench.cases import Case
from tests.bench.client import Load, load
from tests.bench.oracle import Oracle
from tests.bench.running import Server, polls_of
from tests.bench.world import Bookings, World
from tests.decoding import DECODED

OURS: Final = "ours"
BARE: Final = "bare"
NAIVE: Final = "naive"
ROUNDS: Final = 7
SECONDS: Final = 0.3


@dataclass(frozen=True)
class Measured:
    """What a request cost, at one number of connections.

    Attributes:
        loads: By service, one a round.
        size: Bytes of the answer.
    """

    case: Case
    connections: int
    loads: Mapping[str, Sequence[Load]]
    size: int

    def cost(self, service: str) -> float:
        """Seconds of processor a request: the median of all rounds."""
        return median(each.cost for each in self.loads[service])

    def ratio(self, over: str) -> float:
        """Requests a second of processor, as a multiple of what `over` answers: of each round, and then the median."""
        rounds = zip(self.loads[over], self.loads[OURS], strict=True)
        return median(theirs.cost / mine.cost for theirs, mine in rounds)

    def rate(self, service: str) -> float:
        """Requests a second."""
        return median(each.answered / each.took for each in self.loads[service])

    def wait(self, service: str, quantile: float) -> float:
        """Seconds until the answer."""
        return median(each.wait(quantile) for each in self.loads[service])


class Checked:
    """The service, whose answers are held to what an oracle finds."""

    def __init__(self, ours: Server, world: World, began: datetime) -> None:
        self.ours = ours
        self._bookings = Bookings(world, began)
        self._polls: list[str] = []
        self._told_to_naive = 0
        self.version = orjson.loads(ours.say("GET", "/"))["version"]

    def answer(self, case: Case) -> tuple[bytes, HTTPMessage]:
        """What it answers, and its headers; polls stand still until `feed`.

        Raises:
            AssertionError: it is wrong.
        """
        for moment in polls_of(self.ours)[len(self._polls) :]:
            self._polls.append(moment)
            list(self._bookings.poll(datetime.fromisoformat(moment)))
        return self._held(case, self.ours, case.headers)

    def held_to(self, case: Case, naive: Server) -> None:
        """Holds another service to the same, after it was told of the same polls.

        Raises:
            AssertionError: its answer is wrong.
        """
        new = self._polls[self._told_to_naive :]
        naive.say("POST", "/bench/poll", orjson.dumps(new), {"Content-Type": "application/json"})
        self._told_to_naive = len(self._polls)
        self._held(case, naive, {})

    def _held(self, case: Case, server: Server, sent: Mapping[str, str]) -> tuple[bytes, HTTPMessage]:
        body, headers = server.ask("GET", case.path, headers=sent)
        oracle = Oracle(self._bookings, self.version, utc_now())
        answer = orjson.loads(DECODED[headers.get("Content-Encoding", "identity")](body))
        assert case.right(oracle, answer), f"{case.path} is answered wrongly"
        return body, headers

    def feed(self) -> None:
        """Lets polls come."""
        self.ours.say("POST", "/bench/feed")


def given(bare: Server, body: bytes, headers: HTTPMessage, *, status: int = 200) -> None:
    """Lets the bare service answer with the very same bytes."""
    others = {"date", "server", "content-length"}  # aiohttp tells them
    if status == 304:
        others |= {"content-type", "content-encoding"}  # nobody tells them
    told = {name: value for name, value in headers.items() if name.lower() not in others}
    sent = {"Bench-Status": str(status), "Bench-Headers": json.dumps(told)}
    bare.say("PUT", "/", b"" if status == 304 else body, sent)


def measured(case: Case, services: Mapping[str, tuple[Server, bytes]], connections: int, size: int) -> Measured:
    """A case in several services, each with its path, turn by turn."""
    loads: dict[str, list[Load]] = {name: [] for name in services}
    for _ in range(ROUNDS):
        for name, (server, asked) in services.items():
            run = load(server, asked, connections=connections, seconds=SECONDS, status=case.status)
            loads[name].append(uvloop.run(run))
    return Measured(case, connections, loads, size)
