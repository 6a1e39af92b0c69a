"""A RabbitMQ cluster of three private nodes, and what tests do to it."""

import asyncio
import json
from pathlib import Path
from typing import Any

from deploy.local.rabbitmq import RabbitNode, RabbitNodeError
from shared.topology import JobQueueType, Topic
from tests.eventually import until, until_answered
from tests.rabbitmq import server_under_test

NET_TICK_SECONDS = 4
"""A frozen node is given up after this, and a quarter more; RabbitMQ's default is 60."""

BOOT_SECONDS = 60.0


class RabbitCluster:
    """Nodes that know each other; each may be lost and comes back."""

    def __init__(self, directory: Path, *, size: int = 3) -> None:
        first = RabbitNode(directory / "0", server=server_under_test())
        others = [
            RabbitNode(directory / str(number), server=server_under_test(), beside=first) for number in range(1, size)
        ]
        self.nodes = [first, *others]
        for node in self.nodes:
            node.settings = [
                "cluster_partition_handling = pause_minority",
                "cluster_formation.peer_discovery_backend = classic_config",
                *(f"cluster_formation.classic_config.nodes.{n} = {each.name}" for n, each in enumerate(self.nodes, 1)),
                f"net_ticktime = {NET_TICK_SECONDS}",
            ]

    async def start(self) -> None:
        for node in self.nodes:
            node.launch()
        await self.whole()

    def close(self) -> None:
        for node in reversed(self.nodes):
            node.close()

    async def whole(self) -> None:
        """Returns once every node sees all nodes run."""
        for node in self.nodes:
            await until(node.answers, within=BOOT_SECONDS)
            await until_answered(lambda: self._sees_all(node), within=BOOT_SECONDS)  # noqa: B023 - waited for at once

    async def _sees_all(self, node: RabbitNode) -> bool:
        try:
            told = await asyncio.to_thread(node.control, "cluster_status", "--quiet", "--formatter=json")
        except RabbitNodeError:
            return False
        return set(json.loads(told)["running_nodes"]) == {each.name for each in self.nodes}

    async def queues(self, asked: RabbitNode) -> dict[str, dict[str, Any]]:
        """Every queue by name, with its `leader` and `members` (and who of those is `online`), as `asked` sees it."""
        told = await asyncio.to_thread(
            asked.control, "list_queues", "--quiet", "--formatter=json", "name", "leader", "members", "online"
        )
        return {row["name"]: row for row in json.loads(told)}

    def node(self, name: str) -> RabbitNode:
        return next(node for node in self.nodes if node.name == name)

    async def leaders(self, topic: Topic) -> set[RabbitNode]:
        """Who leads the topic's stream and the queues of its token."""
        queues = await self.queues(self.nodes[0])
        kind = JobQueueType.QUORUM
        names = (topic.stream, topic.poll_queue(kind), topic.wait_queue(kind))
        return {self.node(queues[name]["leader"]) for name in names}

    async def isolate(self, node: RabbitNode) -> None:
        """Cuts every link between `node` and the others, which refuse each other from now on."""
        # Links are made by whoever needs one, in either direction, and only where both have the same cookie.
        cut = f"begin erlang:set_cookie(Other, refused), erlang:disconnect_node(Other) end || {self._others_of(node)}"
        await evaluated(node, f"[{cut}]")

    async def rejoin(self, node: RabbitNode) -> None:
        """Mends the links."""
        await evaluated(node, f"[erlang:set_cookie(Other, erlang:get_cookie()) || {self._others_of(node)}]")

    def _others_of(self, node: RabbitNode) -> str:
        return f"Other <- [{', '.join(repr(each.name) for each in self.nodes if each is not node)}]"


async def evaluated(node: RabbitNode, expression: str) -> str:
    """What the node's Erlang makes of it; works as long as the process lives, even where RabbitMQ is paused."""
    return (await asyncio.to_thread(node.control, "eval", f"{expression}.")).strip()
