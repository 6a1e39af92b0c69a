"""`execo_walk.py`: the sites, clusters, hosts and network equipment that execo finds."""

import json

from execo_g5k import api_utils

# Its other functions take the name of a cluster for one of all sites.
hierarchy = api_utils.get_api_data()["hierarchy"]
sites = api_utils.get_g5k_sites()
found = {
    "sites": sites,
    "clusters": {site: api_utils.get_site_clusters(site) for site in sites},
    "hosts": hierarchy,
    "attributes": {
        host: api_utils.get_host_attributes(host)
        for clusters in hierarchy.values()
        for hosts in clusters.values()
        for host in hosts
    },
    "network_equipments": {site: api_utils.get_site_network_equipments(site) for site in sites},
}
print(json.dumps(found))
