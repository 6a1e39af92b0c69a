"""A simulated Blazar v1, in the shape of the fork that Chameleon runs."""

import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from aiohttp import web

from deploy.local.openstack import forms
from deploy.local.openstack.faults import Handler
from deploy.local.openstack.keystone import Identity
from deploy.local.openstack.site import NoSuchThingError, NotEnoughHostsError, SimulatedSite
from shared.availability import Interval

TIME_FORMAT: Final = "%Y-%m-%d %H:%M"
IDENTITY: Final = web.RequestKey("identity", Identity)


class Blazar:
    """A site's Blazar over HTTP.

    Args:
        site: What it answers from.
        identity_of: Whom a token is for.
        identity_url: Where Keystone is.
    """

    def __init__(
        self, site: SimulatedSite, identity_of: Callable[[str | None], Identity | None], identity_url: Callable[[], str]
    ) -> None:
        self._site = site
        self._identity_of = identity_of
        self._identity_url = identity_url

    def app(self) -> web.Application:
        """An application of its own, to which Nova may be added."""
        app = web.Application(middlewares=[self._authenticated, _errors])
        app.router.add_get("/", self._versions)
        app.router.add_get("/v1/os-hosts", self._hosts)
        app.router.add_get("/v1/os-hosts/allocations", self._allocations)
        app.router.add_get("/v1/os-hosts/{host_id}", self._host)
        app.router.add_get("/v1/leases", self._leases)
        app.router.add_post("/v1/leases", self._create_lease)
        app.router.add_get("/v1/leases/{lease_id}", self._lease)
        app.router.add_put("/v1/leases/{lease_id}", self._update_lease)
        app.router.add_delete("/v1/leases/{lease_id}", self._delete_lease)
        app.router.add_get("/v1/flavor-instances/availability", self._flavor_availability)
        return app

    @web.middleware
    async def _authenticated(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        identity = self._identity_of(request.headers.get("X-Auth-Token"))
        if identity is None:
            return forms.unauthenticated(self._identity_url())
        request[IDENTITY] = identity
        return await handler(request)

    async def _versions(self, request: web.Request) -> web.Response:
        base = str(request.url.origin())
        first = {"id": "v1.0", "status": "CURRENT", "links": [{"href": f"{base}/v1", "rel": "self"}]}
        second = {"id": "v2.0", "status": "DEPRECATED", "links": [{"href": f"{base}/v2", "rel": "self"}]}
        versions = [{**first, "min_version": "1.0", "max_version": "1.0"}, second]
        return forms.answer({"versions": versions}, status=300)

    async def _hosts(self, request: web.Request) -> web.Response:
        self._require(request, "blazar:oshosts:get")
        return forms.blazar_answer({"hosts": [forms.host(row) for row in self._site.hosts.values()]})

    async def _host(self, request: web.Request) -> web.Response:
        self._require(request, "blazar:oshosts:get")
        host_id = request.match_info["host_id"]
        if host_id not in self._site.hosts:
            return forms.blazar_error(404, f"Object with {{'host_id': '{host_id}'}} not found")
        return forms.blazar_answer({"host": forms.host(self._site.hosts[host_id])})

    async def _allocations(self, request: web.Request) -> web.Response:
        self._require(request, "blazar:oshosts:get_allocations")
        rows = [forms.allocation(host_id, leases) for host_id, leases in self._site.leases_by_host().items()]
        return forms.blazar_answer({"allocations": rows})

    async def _leases(self, _request: web.Request) -> web.Response:
        now = self._site.now()
        return forms.blazar_answer({"leases": [forms.lease(each, now) for each in self._site.leases.values()]})

    async def _lease(self, request: web.Request) -> web.Response:
        lease = self._site.lease(request.match_info["lease_id"])
        return forms.blazar_answer({"lease": forms.lease(lease, self._site.now())})

    async def _create_lease(self, request: web.Request) -> web.Response:
        values = await request.json()
        wanted = _Missing(values)
        during = Interval(self._time(wanted["start_date"]), self._time(wanted["end_date"]))
        reservation = wanted["reservations"][0]
        lease = self._site.book_free(
            during,
            minimum=int(reservation["min"]),
            maximum=int(reservation["max"]),
            hostname=_uid_in(reservation.get("resource_properties", "")),
            name=wanted["name"],
        )
        return forms.blazar_answer({"lease": forms.lease(lease, self._site.now())}, status=201)

    async def _update_lease(self, request: web.Request) -> web.Response:
        values = await request.json()
        start, end = (self._time(values[key]) if key in values else None for key in ("start_date", "end_date"))
        lease = self._site.move_lease(request.match_info["lease_id"], start=start, end=end)
        return forms.blazar_answer({"lease": forms.lease(lease, self._site.now())})

    async def _delete_lease(self, request: web.Request) -> web.Response:
        self._site.remove_lease(request.match_info["lease_id"])
        return forms.blazar_answer(None, status=204)

    async def _flavor_availability(self, request: web.Request) -> web.Response:
        flavors = self._site.flavors
        if flavors is None:
            return forms.no_route()
        start = self._window_bound(request, "start_date", self._site.now())
        end = self._window_bound(request, "end_date", start + timedelta(days=30))
        wanted = request.query.get("flavor_id")
        found = [flavor for flavor in flavors if wanted in (None, flavor.id)]
        if wanted and not found:
            return forms.internal_error()
        rows = [forms.capacity(flavor, Interval(start, end), TIME_FORMAT) for flavor in found]
        return forms.blazar_answer({"flavor_instances": rows})

    def _window_bound(self, request: web.Request, name: str, default: datetime) -> datetime:
        try:
            return _parsed(request.query[name]) if name in request.query else default
        except ValueError:
            raise _BlazarError(500, f"Invalid {name}: expected format '{TIME_FORMAT}'") from None

    def _time(self, text: str) -> datetime:
        if text == "now":
            return self._site.now().replace(second=0, microsecond=0)
        try:
            return _parsed(text)
        except ValueError:
            raise _BlazarError(400, f"{text} is an invalid date. Required format: {TIME_FORMAT}") from None

    def _require(self, request: web.Request, rule: str) -> None:
        if self._site.admin_only and "admin" not in request[IDENTITY].roles:
            raise _BlazarError(403, f"Policy doesn't allow {rule} to be performed")


class _BlazarError(Exception):
    """An error that Blazar tells: a status and a message."""


class _Missing(dict[str, Any]):
    def __missing__(self, key: str) -> Any:
        raise _BlazarError(400, f"Missing parameter {key}")


@web.middleware
async def _errors(request: web.Request, handler: Handler) -> web.StreamResponse:
    try:
        return await handler(request)
    except _BlazarError as error:
        return forms.blazar_error(*error.args)
    except NoSuchThingError:
        return forms.blazar_error(404, f"Object with {dict(request.match_info)} not found")
    except NotEnoughHostsError:
        return forms.blazar_error(500, "Not enough hosts available")
    except web.HTTPNotFound:
        return forms.no_route()


def _parsed(text: str) -> datetime:
    return datetime.strptime(text, TIME_FORMAT).replace(tzinfo=UTC)


def _uid_in(properties: str) -> str | None:
    """The node that `["==", "$uid", "…"]` wants; None if any will do."""
    match json.loads(properties) if properties else None:
        case ["==", "$uid", str() as uid]:
            return uid
        case _:
            return None
