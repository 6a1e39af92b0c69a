"""`python -m tests.chaos.one SEED`: one run with a broker of its own, told as JSON."""

import argparse
import asyncio
import faulthandler
import json
import logging
import signal
import sys
import tempfile
from pathlib import Path

from deploy.local.rabbitmq import RabbitNode
from tests.chaos.faults import KINDS
from tests.chaos.run import SHORTEST_SECONDS, Run, schedule

FAULTS = 12
LONGEST_SECONDS = 300


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.chaos.one", description=__doc__)
    parser.add_argument("seed", type=int)
    parser.add_argument("--faults", type=int, default=FAULTS, help="how many")
    parser.add_argument("--kind", action="append", choices=sorted(KINDS), help="these faults only, in this order")
    parser.add_argument("--seconds", type=float, default=SHORTEST_SECONDS, help="at least")
    parser.add_argument("--folder", type=Path, help="keeps the logs there")
    options = parser.parse_args()
    faulthandler.register(signal.SIGTERM, chain=True)  # whoever gives a run up wants to know where it stood
    logging.disable(logging.CRITICAL)  # what a client library of the suite's own says of a broker that was killed
    faults = options.kind or schedule(options.seed, KINDS, options.faults)
    with tempfile.TemporaryDirectory(prefix="chaos-") as temporary:
        folder = options.folder or Path(temporary)
        folder.mkdir(parents=True, exist_ok=True)
        node = RabbitNode(Path(temporary) / "rabbitmq")
        node.start()
        try:
            run = Run(node, folder, options.seed, faults=faults, shortest=options.seconds)
            report = asyncio.run(asyncio.wait_for(run.run(), LONGEST_SECONDS))
        finally:
            node.close()
    json.dump(report.as_json(), sys.stdout)
    sys.stdout.write("\n")
    return 0 if report.good else 1


if __name__ == "__main__":
    sys.exit(main())
