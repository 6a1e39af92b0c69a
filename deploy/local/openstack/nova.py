"""As much of a simulated Nova as tells which flavors there are."""

from typing import Final

from aiohttp import web

from deploy.local.openstack import forms
from deploy.local.openstack.site import SimulatedSite

PATH: Final = "/compute"


class Nova:
    """A site's Nova over HTTP, behind the same port and the same tokens as its Blazar."""

    def __init__(self, site: SimulatedSite) -> None:
        self._site = site

    def add_to(self, app: web.Application) -> None:
        """Adds Nova's routes."""
        app.router.add_get(PATH, self._versions)
        app.router.add_get(f"{PATH}/v2.1", self._version)
        app.router.add_get(f"{PATH}/v2.1/flavors", self._flavors)
        app.router.add_get(f"{PATH}/v2.1/flavors/detail", self._flavors)
        app.router.add_get(f"{PATH}/v2.1/flavors/{{flavor_id}}", self._flavor)

    async def _versions(self, request: web.Request) -> web.Response:
        return forms.answer({"versions": [_described(request)]})

    async def _version(self, request: web.Request) -> web.Response:
        return forms.answer({"version": _described(request)})

    async def _flavors(self, request: web.Request) -> web.Response:
        """One page holds all of them: what comes after a marker is empty."""
        flavors = () if "marker" in request.query else self._site.flavors or ()
        return forms.answer({"flavors": [forms.nova_flavor(each) for each in flavors]})

    async def _flavor(self, request: web.Request) -> web.Response:
        wanted = request.match_info["flavor_id"]
        for flavor in self._site.flavors or ():
            if flavor.id == wanted:
                return forms.answer({"flavor": forms.nova_flavor(flavor)})
        fault = {"code": 404, "message": f"Flavor {wanted} could not be found."}
        return forms.answer({"itemNotFound": fault}, status=404)


def _described(request: web.Request) -> forms.Document:
    return {
        "id": "v2.1",
        "status": "CURRENT",
        "version": "2.96",
        "min_version": "2.1",
        "updated": "2013-07-23T11:33:21Z",
        "links": [{"rel": "self", "href": f"{request.url.origin()}{PATH}/v2.1/"}],
    }
