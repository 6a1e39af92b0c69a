"""Records the samples of `tests/data/openstack` anew, from a real Keystone and Blazar.

    REFERENCE_API_TEST_CLOUDS=clouds.yaml python -m tests.openstack.record SITE [--forbidden]

`--forbidden` records what policy forbids, while it does. Nobody's name and no credential gets into a sample: names
are replaced by invented ones, ids of people, projects and trusts by others of their form, and secrets left out.
"""

import hashlib
import json
import os
import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

from tests.openstack_answers import FORBIDDEN, QUESTIONS, Answer, Cloud

SAMPLES: Final = Path(__file__).parents[1] / "data" / "openstack"
HEX_IDS: Final = frozenset({"trust_id", "user_id", "project_id"})
ROWS_OF_A_KIND: Final = 3


def main(site: str, *options: str) -> None:
    cloud = Cloud(Path(os.environ["REFERENCE_API_TEST_CLOUDS"]), site)
    SAMPLES.mkdir(parents=True, exist_ok=True)
    for name, ask in (FORBIDDEN if "--forbidden" in options else QUESTIONS).items():
        answer = Answer.of(ask(cloud))
        sample = {
            "status": answer.status,
            "headers": {key: _header(key, value) for key, value in answer.headers.items()},
            "body": _scrubbed(_shortened(answer.body), {}),
        }
        (SAMPLES / f"{name}.json").write_text(json.dumps(sample, indent=1) + "\n")
        print(name, answer.status)  # noqa: T201


def _header(name: str, value: str) -> str:
    return "left out" if name in ("X-Subject-Token", "X-Openstack-Request-Id") else value


def _shortened(body: Any) -> Any:
    """A few rows of a long list: the odd ones, and some of the others."""
    if not isinstance(body, dict):
        return body
    return {key: list(_chosen(value)) if isinstance(value, list) else value for key, value in body.items()}


def _chosen(rows: list[Any]) -> Iterator[Any]:
    taken: Counter[str] = Counter()
    for row in rows:
        kind = _kind(row) if isinstance(row, dict) else "ordinary"
        taken[kind] += 1
        if taken[kind] <= ROWS_OF_A_KIND:
            yield row


def _kind(row: dict[str, Any]) -> str:
    if row.get("hypervisor_hostname", "") is None:
        return "nameless"
    if row.get("disabled"):
        return "disabled"
    if row.get("reservable") is False:
        return "unreservable"
    return "free" if row.get("reservations") == [] else "ordinary"


def _scrubbed(value: Any, people: dict[str, str], key: str = "") -> Any:
    if isinstance(value, dict):
        own = {each: _scrubbed(inner, people, each) for each, inner in value.items()}
        if key in ("user", "project", "application_credential", "roles"):
            own |= {each: _other_id(value[each]) for each in ("id",) if each in value}
            own |= {"name": "nobody"} if "name" in value and key != "roles" else {}
        return own
    if isinstance(value, list):
        return [_scrubbed(each, people, key) for each in value]
    if not isinstance(value, str):
        return value
    if key == "user_name":
        return people.setdefault(value, f"nobody-{len(people) + 1:02d}@example.invalid")
    if key in HEX_IDS:
        return _other_id(value)
    return "left-out" if key == "audit_ids" else value


def _other_id(value: str) -> str:
    return hashlib.sha256(value.encode()).hexdigest()[: len(value)]


if __name__ == "__main__":
    main(*sys.argv[1:])
