"""What a fresh Keystone is told: projects, people, regions, endpoints, and the application credentials to read with."""

import secrets
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

import requests

TIMEOUT_SECONDS: Final = 30
EVERYWHERE: Final = "multi-region"
"""A project whose catalog has every region; a site's own project sees that site alone."""

READER: Final = "reference-api"
USER: Final = "alice"
SERVICE_USER: Final = "blazar"
DEFAULT: Final = {"domain": {"id": "default"}}

type Document = dict[str, Any]


def project_of(site_id: str) -> str:
    """The name of a site's own project."""
    return f"project-{site_id}"


class IdentityError(Exception):
    """Keystone refused; tells what it said."""


@dataclass(frozen=True, slots=True)
class Identity:
    """Keystone's API as one user of one project."""

    url: str
    user: str
    password: str = field(repr=False)
    project: str

    @property
    def auth(self) -> Document:
        """For clouds.yaml."""
        domains = {"user_domain_id": "default", "project_domain_id": "default"}
        user = {"username": self.user, "password": self.password, "project_name": self.project}
        return {"auth_url": self.url, **user, **domains}

    def call(self, method: str, path: str, body: Document | None = None) -> Document:
        """What Keystone answers to a request.

        Raises:
            IdentityError: anything but success.
        """
        answer = requests.request(
            method, self.url + path, json=body, headers={"X-Auth-Token": self.token()}, timeout=TIMEOUT_SECONDS
        )
        _check(answer)
        found: Document = answer.json() if answer.content else {}
        return found

    def make(self, kind: str, **values: object) -> str:
        """Makes something; returns its id."""
        return str(self.call("POST", f"/{kind}s", {kind: values})[kind]["id"])

    def credential(self) -> Document:
        """An application credential that only reads."""
        wanted = {"name": secrets.token_hex(8), "roles": [{"name": "reader"}]}
        made = self.call("POST", self._credentials(), {"application_credential": wanted})["application_credential"]
        return {"application_credential_id": made["id"], "application_credential_secret": made["secret"]}

    def delete_credential(self, credential_id: str) -> None:
        """Revokes one."""
        self.call("DELETE", f"{self._credentials()}/{credential_id}")

    def _credentials(self) -> str:
        return f"/users/{self._token()[1]}/application_credentials"

    def token(self) -> str:
        """A new one."""
        return self._token()[0]

    def _token(self) -> tuple[str, str]:
        """A new token, and the user's id."""
        user = {"name": self.user, "password": self.password, **DEFAULT}
        scope = {"project": {"name": self.project, **DEFAULT}}
        body = {"auth": {"identity": {"methods": ["password"], "password": {"user": user}}, "scope": scope}}
        answer = requests.post(f"{self.url}/auth/tokens", json=body, timeout=TIMEOUT_SECONDS)
        _check(answer)
        return answer.headers["X-Subject-Token"], str(answer.json()["token"]["user"]["id"])


class Directory:
    """Fills Keystone, which `keystone-manage bootstrap` left with an administrator and one region."""

    def __init__(self, admin: Identity) -> None:
        self._admin = admin
        self._roles = {role["name"]: role["id"] for role in admin.call("GET", "/roles")["roles"]}
        self.passwords = {user: secrets.token_urlsafe(12) for user in (READER, USER, SERVICE_USER)}

    def fill(self, endpoints: Mapping[str, Mapping[str, tuple[str, str]]]) -> None:
        """Makes everything.

        Args:
            endpoints: By region and by type of service: its name and URL. The first region exists already.
        """
        projects = {
            name: self._admin.make("project", name=name, domain_id="default") for name in self._names(endpoints)
        }
        users = {
            user: self._admin.make("user", name=user, domain_id="default", password=password)
            for user, password in self.passwords.items()
        }
        self._grant(users[SERVICE_USER], [projects["service"]], ["admin"])
        shared = [project for name, project in projects.items() if name != "service"]
        self._grant(users[USER], shared, ["member"])
        self._grant(users[READER], shared, ["member", "reader"])
        for region in list(endpoints)[1:]:
            self._admin.call("POST", "/regions", {"region": {"id": region}})
        self._publish(endpoints, projects)

    def clouds(self, site_id: str) -> Mapping[str, Document]:
        """The entries of clouds.yaml for a site."""
        common = {"region_name": site_id, "interface": "public", "identity_api_version": "3"}
        entries: dict[str, Document] = {}
        for name, project in ((site_id, project_of(site_id)), (f"{site_id}-mr", EVERYWHERE)):
            auth = {"auth_url": self._admin.url, **self._as(READER, project).credential()}
            entries[name] = {**common, "auth_type": "v3applicationcredential", "auth": auth}
        alice = self._as(USER, project_of(site_id))
        entries[f"{site_id}-alice"] = {**common, "auth_type": "password", "auth": alice.auth}
        entries[f"{site_id}-admin"] = {**common, "auth_type": "password", "auth": self._admin.auth}
        return entries

    def _as(self, user: str, project: str) -> Identity:
        return Identity(self._admin.url, user, self.passwords[user], project)

    @staticmethod
    def _names(sites: Iterable[str]) -> list[str]:
        return ["service", EVERYWHERE, *map(project_of, sites)]

    def _grant(self, user_id: str, projects: Iterable[str], roles: Iterable[str]) -> None:
        for project in projects:
            for role in roles:
                self._admin.call("PUT", f"/projects/{project}/users/{user_id}/roles/{self._roles[role]}")

    def _publish(self, endpoints: Mapping[str, Mapping[str, tuple[str, str]]], projects: Mapping[str, str]) -> None:
        services = {each["type"]: each["id"] for each in self._admin.call("GET", "/services")["services"]}
        known = {(each["region_id"], each["service_id"]) for each in self._existing()}
        for region, offered in endpoints.items():
            for kind, (name, url) in offered.items():
                service = services.get(kind) or self._admin.make("service", name=name, type=kind)
                services[kind] = service
                for interface in ("public", "internal", "admin") if (region, service) not in known else ():
                    place = {"service_id": service, "region_id": region, "interface": interface, "url": url}
                    self._admin.make("endpoint", **place)
        for endpoint in self._existing():
            project = projects[project_of(endpoint["region_id"])]
            self._admin.call("PUT", f"/OS-EP-FILTER/projects/{project}/endpoints/{endpoint['id']}")

    def _existing(self) -> list[Document]:
        found: list[Document] = self._admin.call("GET", "/endpoints")["endpoints"]
        return found


def _check(answer: requests.Response) -> None:
    if not answer.ok:
        raise IdentityError(f"Keystone answers {answer.status_code} to {answer.request.path_url}: {answer.text:.500}")
