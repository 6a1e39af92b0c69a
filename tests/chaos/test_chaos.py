"""A short part of `make test-chaos`, and what its schedule and its verdict are made of."""

import asyncio
from collections import Counter
from datetime import timedelta
from pathlib import Path
from random import Random

from deploy.local.openstack.cloud import SimulatedCloud
from deploy.local.rabbitmq import RabbitNode
from shared.availability import utc_now
from tests.chaos.faults import KINDS
from tests.chaos.run import Run, schedule
from tests.chaos.truth import NODES, SiteTruth, Why

SECOND = timedelta(seconds=1)


def test_any_thirty_seeds_in_a_row_have_every_kind_of_fault() -> None:
    for first in (1, 77, 1000):
        assert {kind for seed in range(first, first + 30) for kind in schedule(seed, KINDS, 12)} == set(KINDS)


def test_a_seed_always_means_the_same() -> None:
    assert schedule(7, KINDS, 12) == schedule(7, KINDS, 12) != schedule(8, KINDS, 12)
    assert len(schedule(7, KINDS, 12)) == 12


def test_a_truth_remembers_since_when_a_node_was_not_free() -> None:
    truth = SiteTruth(SimulatedCloud({"s": ()}).sites["s"], Random(1))
    before = utc_now()
    for _ in range(200):
        truth.step()
    reasons = Counter(truth.state(node) for node in NODES)
    assert set(Why) & reasons.keys()
    for node in NODES:
        if why := truth.state(node):
            since = truth.spells[node][-1].since
            assert truth.was_not_free(node, since + 9 * SECOND, since + 10 * SECOND, SECOND)
            assert not truth.was_not_free(node, before - SECOND, since + 10 * SECOND, SECOND), why


def test_nothing_is_wrong_and_nothing_lost_under_a_few_faults(rabbitmq: RabbitNode, tmp_path: Path) -> None:
    faults = ["sync killed", "messages reordered", "wires cut", "api killed", "poison", "blazar: reset", "two writers"]
    report = asyncio.run(Run(rabbitmq, tmp_path, 1, faults=faults, shortest=8).run())
    assert report.wrong == []
    assert report.faults == dict.fromkeys(faults, 1)
    assert report.answers > 300
