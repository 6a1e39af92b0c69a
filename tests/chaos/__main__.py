"""`python -m tests.chaos`: many runs, several at once, and what they came to. What has passed is not run again."""

import argparse
import asyncio
import json
import os
import sys
from collections import defaultdict
from hashlib import blake2b
from pathlib import Path
from statistics import median

from tests.chaos.faults import KINDS
from tests.chaos.run import Report, totals

ROOT = Path(__file__).parents[2]
KEPT = ROOT / ".cache/chaos"
LONGEST_SECONDS = 400
LEAST_ANSWERS = 1000


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.chaos", description=__doc__)
    parser.add_argument("--runs", type=int, default=300)
    parser.add_argument("--seed", type=int, default=1, help="the first one; the others follow it")
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1, help="runs at once")
    options = parser.parse_args()
    folder = KEPT / fingerprint()
    folder.mkdir(parents=True, exist_ok=True)
    seeds = range(options.seed, options.seed + options.runs)
    reports = asyncio.run(all_runs(seeds, folder, options.jobs))
    return told(reports)


def fingerprint() -> str:
    """Of all that a run depends on, so that no run of other code is taken for one of this."""
    digest = blake2b(digest_size=8)
    for package in ("api_service", "deploy/local", "shared", "sync_service", "tests"):
        for path in sorted((ROOT / package).rglob("*.py")):
            digest.update(path.read_bytes())
    return digest.hexdigest()


async def all_runs(seeds: range, folder: Path, jobs: int) -> list[Report]:
    slots = asyncio.Semaphore(jobs)

    async def run(seed: int) -> Report:
        async with slots:
            return await one_run(seed, folder)

    async with asyncio.TaskGroup() as group:
        tasks = [group.create_task(run(seed)) for seed in seeds]
    return [task.result() for task in tasks]


async def one_run(seed: int, folder: Path) -> Report:
    kept = folder / f"{seed}.json"
    if kept.exists():
        return Report(**json.loads(kept.read_text()))
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "tests.chaos.one", str(seed)),
        cwd=ROOT,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    ended = asyncio.ensure_future(process.communicate())
    if not (await asyncio.wait({ended}, timeout=LONGEST_SECONDS))[0]:
        process.terminate()
    out, err = await ended
    try:
        report = Report(**json.loads(out))
    except ValueError:
        report = Report(seed, wrong=[f"the run came to no end: {err.decode(errors='replace')[-2000:]}"])
    if report.answers < LEAST_ANSWERS:
        report.wrong.append(f"only {report.answers} answers were checked")
    if report.good:
        kept.write_text(json.dumps(report.as_json()))
    tell_run(report)
    return report


def tell_run(report: Report) -> None:
    faults = sum(report.faults.values())
    print(
        f"seed {report.seed}: {'passed' if report.good else 'FAILED'}, {faults} faults, {report.answers} answers, "
        f"{report.seconds:.0f} s",
        flush=True,
    )
    for wrong in report.wrong[:5]:
        print(f"  {wrong}"[:500])
    if not report.good:
        print(f"  again: .venv/bin/python -m tests.chaos.one {report.seed} --folder /tmp/chaos", flush=True)


def told(reports: list[Report]) -> int:
    """The whole of it; a kind of fault that never occurred is a failure too."""
    found = totals(reports)
    heals: defaultdict[str, list[float]] = defaultdict(list)
    for report in reports:
        for kind, seconds in report.heals.items():
            heals[kind] += seconds
    print("\n| fault | times | heals in s (median) | (most) |\n|---|---|---|---|")
    for kind in sorted(KINDS):
        took = heals[kind] or [float("nan")]
        print(f"| {kind} | {found[kind]} | {median(took):.1f} | {max(took):.1f} |")
    failed = [report for report in reports if not report.good]
    missing = [kind for kind in KINDS if not found[kind]]
    print(f"\n{sum(report.answers for report in reports)} answers, {sum(found.values())} faults")
    if missing:
        print(f"never occurred: {', '.join(missing)}")
    print(f"{len(reports) - len(failed)} passed, {len(failed)} failed", flush=True)
    return 1 if failed or missing else 0


if __name__ == "__main__":
    sys.exit(main())
