"""`grid5000_walk.py`: all that python-grid5000 finds from the root on, by the path of each list."""

import json
from pathlib import Path
from typing import Any

from grid5000 import Grid5000

found: dict[str, Any] = {}


def walk(manager: Any) -> list[Any]:
    listed = list(manager.list())
    found[manager.path] = [each.uid for each in listed]
    # One by one, as brackets do.
    assert [manager[each.uid].uid for each in listed] == found[manager.path]
    return listed


root = Grid5000.from_yaml(Path.home() / ".python-grid5000.yaml")
found["/"] = root.root.get().uid
for each in (root.root.get().versions, root.network_equipments):
    walk(each)
for site in walk(root.sites):
    for each in (site.versions, site.network_equipments):
        walk(each)
    found[site.status.path] = sorted(site.status.list().nodes)
    for cluster in walk(site.clusters):
        walk(cluster.versions)
        found[cluster.status.path] = sorted(cluster.status.list().nodes)
        for node in walk(cluster.nodes):
            walk(node.versions)
print(json.dumps(found))
