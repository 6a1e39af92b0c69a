"""What neither service ever tells, whatever it is asked, however much it logs, and whatever goes wrong."""

import asyncio
import json
from functools import partial
from uuid import uuid4

import pytest

from deploy.local.rabbitmq import RabbitNode
from shared.logs import LogFormat
from tests.e2e.world import Service, World
from tests.eventually import until, until_answered
from tests.rabbitmq import add_user, add_vhost
from tests.repositories import GPU_NODE, TACC_NODES

PASSWORD = "hush/hush@hush"
"""The broker's; it is not in the URL as it is, so each of its words is looked for."""

OF_A_CLIENT = "swordfish"
TOKEN = "gAAAAA"
"""How each of Keystone's begins."""

TELLING = ("401", "403", "500", "garbage", "reset")
"""Faults after which a client has something of the site to quote, or where it was."""

NODE = f"/{TACC_NODES}/{GPU_NODE}"
PROBES = ("/healthz", "/readyz", "/status", "/metrics")


def has_told(service: Service, event: str, *, times: int = 1) -> bool:
    return service.log.read_text().count(event) >= times


async def answers(world: World, service: Service, *paths: str) -> list[str]:
    """With all that a client may send by which somebody could be known."""
    sent = dict.fromkeys(("Authorization", "Cookie", "X-Auth-Token"), OF_A_CLIENT)
    found = []
    for path in paths:
        async with world.http.get(service.url + path, headers=sent) as response:
            found.append(f"{await response.text()} {response.headers}")
    return found


async def answers_amid_faults(world: World, sync: Service) -> list[str]:
    found = []
    for number, fault in enumerate(TELLING, 1):
        await world.cloud.break_with("tacc", fault)
        await until(partial(has_told, sync, "site unreachable", times=number))
        found += await answers(world, sync, *PROBES)
        await world.cloud.mend("tacc")
        await until(partial(has_told, sync, "site recovered", times=number))
    return found


@pytest.mark.parametrize("form", [LogFormat.JSON, LogFormat.TEXT])
async def test_no_secret_and_nobodys_name_is_in_any_log_or_answer(
    form: LogFormat, world: World, rabbitmq: RabbitNode
) -> None:
    world.log_format = form
    user = f"user-{uuid4().hex[:8]}"
    add_user(rabbitmq, user, PASSWORD)
    world.broker_url = add_vhost(rabbitmq, f"of-{user}", user_name=user, password=PASSWORD)
    await world.cloud.book("tacc", GPU_NODE)
    # Whatever is logged without --debug is logged with it.
    api, sync = await asyncio.gather(world.api("--debug"), world.sync("--debug"))
    await world.until_synced(api, "tacc", "uc")

    async def reserved() -> bool:
        return bool((await world.get(api, f"{NODE}/availability"))["availability"] == "reserved")

    await until_answered(reserved)
    await answers(world, api, f"{NODE}?token={OF_A_CLIENT}")  # whose links may have what this client asked for
    said = await answers(world, api, f"{NODE}/availability", "/nodes/search", *PROBES)
    said += await answers_amid_faults(world, sync)
    world.broker_url = world.broker_url.replace("hush@", "hushed@")
    refused = [world.start(module) for module in ("api_service", "sync_service")]
    for service in refused:
        await until(partial(has_told, service, "broker session lost"))
        said += await answers(world, service, "/status", "/readyz")
    await answers(world, refused[0], f"{NODE}?token={OF_A_CLIENT}")

    logs = [service.log.read_text() for service in (api, sync, *refused)]
    assert all(is_in(form, log) for log in logs)
    assert has_told(api, NODE)
    assert not has_told(refused[0], NODE)
    assert len(world.cloud.secrets) > 3
    for secret in (*world.cloud.secrets, "hush", OF_A_CLIENT, TOKEN):
        assert not [text for text in (*said, *logs) if secret in text], secret


def is_in(form: LogFormat, log: str) -> bool:
    """Whether every line is one event."""
    if form is LogFormat.JSON:
        return all("event" in json.loads(line) for line in log.splitlines())
    return all(line[:4].isdigit() and "[" in line for line in log.splitlines())
