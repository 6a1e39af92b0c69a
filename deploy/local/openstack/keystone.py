"""A simulated Keystone v3: version discovery, tokens for passwords and application credentials, the catalog."""

import secrets
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from aiohttp import web

from deploy.local.openstack import forms
from deploy.local.openstack.site import SimulatedSite

IDENTITY_PATH: Final = "/identity"
EVERYWHERE: Final = "everywhere"
"""The project whose catalog has every region; a site's own project sees that site's only."""

MALFORMED: Final = (
    "The server could not comply with the request since it is either malformed or otherwise incorrect. "
    "The client is assumed to be in error."
)
TOKEN_LIFE: Final = timedelta(hours=1)


@dataclass(frozen=True, slots=True)
class Identity:
    """Who a token is for: a user in a project, and what roles it has there; without a project, in none."""

    user_name: str
    project: str | None
    method: str
    roles: tuple[str, ...]


@dataclass(slots=True)
class Keystone:
    """Credentials and tokens.

    Args:
        sites: Whose endpoints the catalog holds.
        url_of: Where a site is.
        clock: The present.

    Attributes:
        url: Where Keystone itself is, once that is known.
        credentials: Secret and identity by application credential id.
        passwords: Password and roles by user name; any project may be asked for.
        interfaces: Of every endpoint in the catalog.
    """

    sites: Iterable[SimulatedSite]
    url_of: Callable[[SimulatedSite], str]
    clock: Callable[[], datetime]
    url: str = ""
    credentials: dict[str, tuple[str, Identity]] = field(default_factory=dict)
    passwords: dict[str, tuple[str, tuple[str, ...]]] = field(default_factory=dict)
    interfaces: tuple[str, ...] = ("public", "internal", "admin")
    _tokens: dict[str, tuple[Identity, datetime]] = field(default_factory=dict)

    def add_credential(self, project: str) -> tuple[str, str]:
        """A new application credential that may read: its id and secret."""
        credential_id, secret = secrets.token_hex(16), secrets.token_urlsafe(32)
        identity = Identity("reference-api", project, "application_credential", ("reader",))
        self.credentials[credential_id] = (secret, identity)
        return credential_id, secret

    def expire_tokens(self) -> None:
        """Every token is over, at once."""
        self._tokens.clear()

    def identity_of(self, token: str | None) -> Identity | None:
        """Whom a token is for; None if it is missing, unknown or over."""
        identity, expires_at = self._tokens.get(token or "", (None, None))
        return identity if expires_at is not None and expires_at > self.clock() else None

    def app(self) -> web.Application:
        """Keystone over HTTP."""
        app = web.Application()
        app.router.add_get("/", self._versions)
        app.router.add_get(IDENTITY_PATH, self._versions)
        app.router.add_get(f"{IDENTITY_PATH}/v3", self._version)
        app.router.add_get(f"{IDENTITY_PATH}/v3/", self._version)
        app.router.add_post(f"{IDENTITY_PATH}/v3/auth/tokens", self._make_token)
        return app

    @property
    def auth_url(self) -> str:
        """What clouds.yaml says."""
        return f"{self.url}{IDENTITY_PATH}/v3"

    async def _versions(self, _request: web.Request) -> web.Response:
        body = {"versions": {"values": [self._described()]}}
        return forms.keystone_answer(body, status=300, headers={"Location": f"{self.auth_url}/"})

    async def _version(self, _request: web.Request) -> web.Response:
        return forms.keystone_answer({"version": self._described()})

    def _described(self) -> forms.Document:
        media_type = {"base": "application/json", "type": "application/vnd.openstack.identity-v3+json"}
        return {
            "id": "v3.14",
            "status": "stable",
            "updated": "2020-04-07T00:00:00Z",
            "links": [{"rel": "self", "href": f"{self.auth_url}/"}],
            "media-types": [media_type],
        }

    async def _make_token(self, request: web.Request) -> web.Response:
        try:
            auth = (await request.json())["auth"]
            method = auth["identity"]["methods"][0]
            given = auth["identity"][method]
            identity = self._by_credential(given) if method == "application_credential" else self._by_password(auth)
        except (KeyError, TypeError, ValueError, IndexError):
            return forms.keystone_error(400, f"Expecting to find auth in request body. {MALFORMED}")
        except LookupError as unknown:
            return forms.keystone_error(404, f"Could not find Application Credential: {unknown}.")
        if identity is None:
            challenge = {"WWW-Authenticate": f'Keystone uri="{self.auth_url}"'}
            return forms.keystone_error(401, forms.REQUIRES_AUTHENTICATION, challenge)
        token = f"gAAAAA{secrets.token_urlsafe(120)}"
        issued_at = self.clock()
        self._tokens[token] = (identity, issued_at + TOKEN_LIFE)
        body = {"token": self._token(identity, issued_at)}
        return forms.keystone_answer(body, status=201, headers={"X-Subject-Token": token})

    def _by_credential(self, given: dict[str, Any]) -> Identity | None:
        """Raises LookupError if there is no such credential."""
        if given["id"] not in self.credentials:
            raise LookupError(given["id"])
        secret, identity = self.credentials[given["id"]]
        return identity if secrets.compare_digest(secret, given["secret"]) else None

    def _by_password(self, auth: dict[str, Any]) -> Identity | None:
        user = auth["identity"]["password"]["user"]
        password, roles = self.passwords.get(user["name"], (None, ()))
        if password is None or not secrets.compare_digest(password, user["password"]):
            return None
        project = auth["scope"]["project"]["name"] if "scope" in auth else None
        return Identity(user["name"], project, "password", roles)

    def _token(self, identity: Identity, issued_at: datetime) -> forms.Document:
        user = {"domain": forms.DOMAIN, "id": forms.hex_id(identity.user_name), "name": identity.user_name}
        token: forms.Document = {
            "methods": [identity.method],
            "user": {**user, "password_expires_at": None},
            "audit_ids": [secrets.token_urlsafe(16)],
            "expires_at": _zulu(issued_at + TOKEN_LIFE),
            "issued_at": _zulu(issued_at),
        }
        if identity.project is None:
            return token
        token |= {
            "project": {"domain": forms.DOMAIN, "id": forms.hex_id(identity.project), "name": identity.project},
            "is_domain": False,
            "roles": [{"id": forms.hex_id(role), "name": role} for role in identity.roles],
            "catalog": self._catalog(identity.project),
        }
        if identity.method == "application_credential":
            credential_id = next(key for key, (_, each) in self.credentials.items() if each is identity)
            token["application_credential"] = {"id": credential_id, "name": "reference-api", "restricted": True}
        return token

    def _catalog(self, project: str) -> list[forms.Document]:
        sites = [site for site in self.sites if project in (EVERYWHERE, site.site_id)]
        listed = [site for site in sites if site.in_catalog]
        return [
            self._service("keystone", "identity", {site.site_id: self.auth_url for site in sites}),
            self._service("nova", "compute", {site.site_id: f"{self.url_of(site)}/compute/v2.1" for site in sites}),
            self._service("blazar", "reservation", {site.site_id: f"{self.url_of(site)}/v1" for site in listed}),
        ]

    def _service(self, name: str, service_type: str, url_by_region: dict[str, str]) -> forms.Document:
        endpoints = [
            {
                "id": forms.hex_id(f"{name} {region} {interface}"),
                "interface": interface,
                "region_id": region,
                "url": url,
                "region": region,
            }
            for region, url in url_by_region.items()
            for interface in self.interfaces
        ]
        return {"endpoints": endpoints, "id": forms.hex_id(name), "type": service_type, "name": name}


def _zulu(time: datetime) -> str:
    return time.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.000000Z")
