"""`enoslib_slots.py SITE CLUSTER START:WALLTIME …` (epoch; seconds): the nodes that enoslib would take then."""

import json
import sys

from enoslib.infra.enos_g5k.g5k_api_utils import can_start_on_cluster, get_api_client

site, cluster, *slots = sys.argv[1:]
nodes = get_api_client().sites[site].clusters[cluster].status.list().nodes
taken = []
for slot in slots:
    start, walltime = map(int, slot.split(":"))
    alone = [node for node in nodes if can_start_on_cluster(nodes, 1, [node], start, walltime)]
    together = [number for number in range(len(nodes) + 1) if can_start_on_cluster(nodes, number, [], start, walltime)]
    assert max(together) == len(alone)
    taken.append(sorted(alone))
print(json.dumps(taken))
