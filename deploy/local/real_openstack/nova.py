"""`python -m deploy.local.real_openstack.nova PORT HOSTS`: as much of Nova and Placement as Blazar's manager needs.

There is no compute node here whose Nova could be real; tokens are not looked at.
"""

import json
import sys
from itertools import count
from pathlib import Path
from typing import Any, Final

from aiohttp import web

from deploy.local.openstack.nova import Nova
from deploy.local.openstack.site import SimulatedSite

FLAVORS: Final = ("m1.tiny", "m1.small", "m1.large")
FREE_POOL: Final = 1


class Aggregates:
    """Groups of hosts: who is in no other one is in the pool of free hosts."""

    def __init__(self, hosts: list[str]) -> None:
        self._hosts = hosts
        self._numbers = count(FREE_POOL)
        self._found: dict[int, dict[str, Any]] = {}
        self.add("freepool")

    def add(self, name: str) -> int:
        """Makes an empty one."""
        number = next(self._numbers)
        self._found[number] = {"name": name, "hosts": [], "metadata": {}}
        return number

    def remove(self, number: int) -> None:
        """Lets its hosts go."""
        self._found.pop(number, None)

    def change(self, number: int, body: dict[str, Any]) -> None:
        """Any of the actions that Nova knows."""
        group = self._group(number)
        match body:
            case {"set_metadata": {"metadata": dict(metadata)}}:
                kept = {**group["metadata"], **metadata}
                group["metadata"] = {key: value for key, value in kept.items() if value is not None}
            case {"add_host": {"host": str(host)}} if number != FREE_POOL and host not in group["hosts"]:
                group["hosts"].append(host)
            case {"remove_host": {"host": str(host)}} if host in group["hosts"]:
                group["hosts"].remove(host)

    def described(self, number: int) -> dict[str, Any]:
        """As Nova tells it."""
        hosts = self._group(number)["hosts"]
        if number == FREE_POOL:
            busy = {host for group in self._found.values() for host in group["hosts"]}
            hosts = [host for host in self._hosts if host not in busy]
        return {**self._group(number), "id": number, "availability_zone": None, "deleted": False, "hosts": hosts}

    def all(self) -> list[dict[str, Any]]:
        """Every one."""
        return [self.described(number) for number in self._found]

    def _group(self, number: int) -> dict[str, Any]:
        # Leases of before this process began have groups that it never made.
        return self._found.setdefault(number, {"name": f"aggregate{number}", "hosts": [], "metadata": {}})


class Compute:
    """What the manager asks of Nova and Placement when leases begin and end."""

    def __init__(self, hosts: list[str]) -> None:
        self._hosts = hosts
        self._aggregates = Aggregates(hosts)

    def add_to(self, app: web.Application) -> None:
        """Adds the routes."""
        base, one = "/compute/v2.1", "/compute/v2.1/os-aggregates/{number}"
        app.router.add_get(f"{base}/os-aggregates", self._list)
        app.router.add_post(f"{base}/os-aggregates", self._make)
        app.router.add_get(one, self._get)
        app.router.add_delete(one, self._remove)
        app.router.add_post(f"{one}/action", self._change)
        app.router.add_get(f"{base}/os-hypervisors{{rest:.*}}", self._hypervisors)
        app.router.add_get(f"{base}/servers{{rest:.*}}", self._servers)
        app.router.add_route("*", "/placement/{rest:.*}", self._placement)
        app.router.add_get("/placement", self._placement_versions)

    async def _list(self, _request: web.Request) -> web.Response:
        return web.json_response({"aggregates": self._aggregates.all()})

    async def _make(self, request: web.Request) -> web.Response:
        body = await request.json()
        return self._described(self._aggregates.add(body["aggregate"]["name"]))

    async def _get(self, request: web.Request) -> web.Response:
        return self._described(int(request.match_info["number"]))

    async def _change(self, request: web.Request) -> web.Response:
        number = int(request.match_info["number"])
        self._aggregates.change(number, await request.json())
        return self._described(number)

    async def _remove(self, request: web.Request) -> web.Response:
        self._aggregates.remove(int(request.match_info["number"]))
        return web.json_response({})

    async def _hypervisors(self, _request: web.Request) -> web.Response:
        rows = [{"id": name, "hypervisor_hostname": name, "state": "up", "status": "enabled"} for name in self._hosts]
        return web.json_response({"hypervisors": rows})

    async def _servers(self, _request: web.Request) -> web.Response:
        return web.json_response({"servers": []})

    async def _placement_versions(self, _request: web.Request) -> web.Response:
        version = {"id": "v1.0", "min_version": "1.0", "max_version": "1.39", "status": "CURRENT", "links": []}
        return web.json_response({"versions": [version]})

    async def _placement(self, _request: web.Request) -> web.Response:
        return web.json_response({"resource_providers": []})

    def _described(self, number: int) -> web.Response:
        return web.json_response({"aggregate": self._aggregates.described(number)})


def main(port: str, hosts: str) -> None:
    """Runs until it is ended."""
    names = [name for name in json.loads(Path(hosts).read_text()) if name]
    app = web.Application()
    Nova(SimulatedSite("nova", flavors=FLAVORS)).add_to(app)
    Compute(names).add_to(app)
    web.run_app(app, host="127.0.0.1", port=int(port), access_log=None, print=None)


if __name__ == "__main__":
    main(*sys.argv[1:])
