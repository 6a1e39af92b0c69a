"""The contract, driven through every endpoint by a fuzzer."""

import asyncio
import os
import sys
from pathlib import Path

from tests.e2e.world import PROJECT, World
from tests.eventually import until_answered
from tests.unmeasured import unmeasured

PHASES = os.environ.get("CONTRACT_PHASES", "examples,fuzzing")
EXAMPLES = os.environ.get("CONTRACT_EXAMPLES", "2")
"""How many requests are made up for each endpoint; `make test-contract` has all phases, and more of these."""


async def test_no_request_that_the_contract_allows_or_forbids_breaks_the_service(world: World) -> None:
    api, _ = await asyncio.gather(world.api(), world.sync())
    await world.until_synced(api, "tacc", "uc")
    await until_answered(lambda: world.get(api, "/sites/kvm/flavors/m1.large/availability"))
    fuzzer = await asyncio.create_subprocess_exec(
        str(Path(sys.executable).with_name("schemathesis")),
        *("--config-file", "schemathesis.toml", "run", f"{api.url}/openapi.json"),
        *("--checks", "all", "--phases", PHASES, "--max-examples", EXAMPLES),
        *("--generation-deterministic", "--no-color"),
        cwd=PROJECT,
        env=unmeasured(),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    said, _ = await fuzzer.communicate()
    assert fuzzer.returncode == 0, "\n".join(line[:300] for line in said.decode().splitlines())
    assert [line for line in api.lines() if line["event"] == "request failed"] == []
