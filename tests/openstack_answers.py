"""The questions that are put to an OpenStack cloud, real or simulated, and what forms its answers have."""

import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final

import requests
import yaml  # type: ignore[import-untyped]

HEADERS: Final = (
    "Content-Type",
    "Location",
    "OpenStack-API-Version",
    "Vary",
    "WWW-Authenticate",
    "X-Openstack-Request-Id",
    "X-Subject-Token",
)
"""Whose presence is part of a form."""

KINDS: Final = (
    ("uuid", r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}"),
    ("hex id", r"[0-9a-f]{32}"),
    ("digits", r"\d+"),
    ("naive time with microseconds", r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}"),
    ("zulu time with microseconds", r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z"),
    ("stamp", r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d(\.\d{6})?"),
    ("minute", r"\d{4}-\d\d-\d\d \d\d:\d\d"),
    ("url", r"http://\S+"),
    ("address", r"\S+@\S+"),
)
MINUTE: Final = "%Y-%m-%d %H:%M"


@dataclass(frozen=True)
class Answer:
    """What a service said."""

    status: int
    headers: dict[str, str]
    body: Any

    @classmethod
    def of(cls, response: requests.Response) -> "Answer":
        headers = {name: response.headers[name] for name in HEADERS if name in response.headers}
        return cls(response.status_code, headers, response.json() if response.content else None)


class Cloud:
    """A site of a cloud as clouds.yaml tells of it: `<site>` reads, `<site>-alice` makes leases too."""

    def __init__(self, clouds_file: Path, site: str) -> None:
        clouds = yaml.safe_load(clouds_file.read_text())["clouds"]
        self.reader = clouds[site]["auth"]
        self.user = clouds[f"{site}-alice"]["auth"]
        self.auth_url: str = self.reader["auth_url"]
        made = self.make_token(self.by_credential(self.reader["application_credential_secret"]))
        self.token = made.headers["X-Subject-Token"]
        self.user_token = self.make_token(self.by_password()).headers["X-Subject-Token"]
        self.blazar = self._endpoint(made, "reservation").removesuffix("/v1")
        self.nova = self._endpoint(made, "compute").removesuffix("/v2.1")

    def by_credential(self, secret: str, credential_id: str | None = None) -> dict[str, Any]:
        given = {"id": credential_id or self.reader["application_credential_id"], "secret": secret}
        return {"auth": {"identity": {"methods": ["application_credential"], "application_credential": given}}}

    def by_password(self, *, scoped: bool = True) -> dict[str, Any]:
        domain = {"domain": {"id": "default"}}
        user = {"name": self.user["username"], "password": self.user["password"], **domain}
        scope = {"scope": {"project": {"name": self.user["project_name"], **domain}}} if scoped else {}
        return {"auth": {"identity": {"methods": ["password"], "password": {"user": user}}, **scope}}

    def make_token(self, body: Any) -> requests.Response:
        return requests.post(f"{self.auth_url}/auth/tokens", json=body, timeout=30)

    def get(self, url: str, token: str | None = "") -> requests.Response:
        return requests.get(url, headers=_authenticated(self.token if token == "" else token), timeout=90)

    def lease(self, method: str, path: str, body: Any = None) -> requests.Response:
        url = f"{self.blazar}/v1/leases{path}"
        return requests.request(method, url, json=body, headers=_authenticated(self.user_token), timeout=90)

    def wanted(self, **changed: Any) -> dict[str, Any]:
        """A lease to ask for."""
        reservation = {
            "resource_type": "physical:host",
            "min": 1,
            "max": 1,
            "hypervisor_properties": "",
            "resource_properties": "",
        }
        lease = {
            "name": "form",
            "start_date": "now",
            "end_date": (datetime.now(UTC) + timedelta(hours=1)).strftime(MINUTE),
            "reservations": [reservation],
            "events": [],
        }
        return {**lease, **changed}

    @staticmethod
    def _endpoint(made: requests.Response, service_type: str) -> str:
        catalog = made.json()["token"]["catalog"]
        service = next(each for each in catalog if each["type"] == service_type)
        return str(next(each["url"] for each in service["endpoints"] if each["interface"] == "public"))


def _authenticated(token: str | None) -> dict[str, str]:
    return {} if token is None else {"X-Auth-Token": token}


def _of_lease(
    method: str, body: Callable[[Cloud], object] = lambda _cloud: None
) -> Callable[[Cloud], requests.Response]:
    """Asks about a lease that is made for it, and taken back afterwards."""

    def ask(cloud: Cloud) -> requests.Response:
        lease_id = cloud.lease("POST", "", cloud.wanted()).json()["lease"]["id"]
        response = cloud.lease(method, f"/{lease_id}", body(cloud))
        if method != "DELETE":
            cloud.lease("DELETE", f"/{lease_id}")
        return response

    return ask


def _created_lease(cloud: Cloud) -> requests.Response:
    response = cloud.lease("POST", "", cloud.wanted())
    cloud.lease("DELETE", f"/{response.json()['lease']['id']}")
    return response


def _too_many(cloud: Cloud) -> requests.Response:
    wanted = cloud.wanted()
    wanted["reservations"][0] |= {"min": 5000, "max": 5000}
    return cloud.lease("POST", "", wanted)


def _longer(_cloud: Cloud) -> object:
    return {"end_date": (datetime.now(UTC) + timedelta(hours=3)).strftime(MINUTE)}


def _first_host(cloud: Cloud) -> requests.Response:
    host_id = cloud.get(f"{cloud.blazar}/v1/os-hosts").json()["hosts"][0]["id"]
    return cloud.get(f"{cloud.blazar}/v1/os-hosts/{host_id}")


QUESTIONS: Final[dict[str, Callable[[Cloud], requests.Response]]] = {
    "keystone-versions": lambda cloud: cloud.get(cloud.auth_url.removesuffix("/v3")),
    "keystone-version": lambda cloud: cloud.get(cloud.auth_url),
    "token-by-credential": lambda cloud: cloud.make_token(
        cloud.by_credential(cloud.reader["application_credential_secret"])
    ),
    "token-by-password": lambda cloud: cloud.make_token(cloud.by_password()),
    "token-for-no-project": lambda cloud: cloud.make_token(cloud.by_password(scoped=False)),
    "token-wrong-secret": lambda cloud: cloud.make_token(cloud.by_credential("wrong")),
    "token-unknown-credential": lambda cloud: cloud.make_token(cloud.by_credential("wrong", "0" * 32)),
    "token-malformed": lambda cloud: cloud.make_token({"x": 1}),
    "blazar-versions": lambda cloud: cloud.get(f"{cloud.blazar}/"),
    "blazar-hosts": lambda cloud: cloud.get(f"{cloud.blazar}/v1/os-hosts"),
    "blazar-host": _first_host,
    "blazar-allocations": lambda cloud: cloud.get(f"{cloud.blazar}/v1/os-hosts/allocations"),
    "blazar-unknown-host": lambda cloud: cloud.get(f"{cloud.blazar}/v1/os-hosts/99999"),
    "blazar-no-route": lambda cloud: cloud.get(f"{cloud.blazar}/v1/nothing"),
    "blazar-no-token": lambda cloud: cloud.get(f"{cloud.blazar}/v1/os-hosts", None),
    "blazar-wrong-token": lambda cloud: cloud.get(f"{cloud.blazar}/v1/os-hosts", "wrong"),
    "lease-created": _created_lease,
    "lease": _of_lease("GET"),
    "lease-updated": _of_lease("PUT", _longer),
    "lease-deleted": _of_lease("DELETE"),
    "lease-unknown": lambda cloud: cloud.lease("GET", "/00000000-0000-4000-8000-000000000000"),
    "lease-bad-date": lambda cloud: cloud.lease("POST", "", cloud.wanted(end_date="tomorrow")),
    "lease-too-many-hosts": _too_many,
    "flavor-availability": lambda cloud: cloud.get(f"{cloud.blazar}/v1/flavor-instances/availability"),
    "flavor-availability-unknown": lambda cloud: cloud.get(
        f"{cloud.blazar}/v1/flavor-instances/availability?flavor_id=nothing"
    ),
    "flavor-availability-bad-date": lambda cloud: cloud.get(
        f"{cloud.blazar}/v1/flavor-instances/availability?start_date=tomorrow"
    ),
    "nova-versions": lambda cloud: cloud.get(cloud.nova),
    "nova-version": lambda cloud: cloud.get(f"{cloud.nova}/v2.1"),
    "nova-flavors": lambda cloud: cloud.get(f"{cloud.nova}/v2.1/flavors/detail"),
    "nova-unknown-flavor": lambda cloud: cloud.get(f"{cloud.nova}/v2.1/flavors/nothing"),
}
"""What both clouds are asked, by the name of the sample."""

FORBIDDEN: Final[dict[str, Callable[[Cloud], requests.Response]]] = {
    "blazar-hosts-forbidden": QUESTIONS["blazar-hosts"],
    "blazar-allocations-forbidden": QUESTIONS["blazar-allocations"],
}
"""The same where policy lets administrators alone read."""


@dataclass
class Form:
    """What values look like, whatever they say: kinds of scalars, the form of items, and keys."""

    kinds: set[str] = field(default_factory=set)
    items: "Form | None" = None
    keys: dict[str, "Form"] = field(default_factory=dict)
    always: set[str] | None = None

    @classmethod
    def of(cls, value: object) -> "Form":
        if isinstance(value, dict):
            return cls({"object"}, keys={key: cls.of(each) for key, each in value.items()}, always=set(value))
        if isinstance(value, list):
            return cls({"list"}, items=cls.united(map(cls.of, value)))
        return cls({_kind(value)})

    @classmethod
    def united(cls, forms: Iterable["Form"]) -> "Form | None":
        found = list(forms)
        if not found:
            return None
        objects = [form for form in found if form.always is not None]
        keys = {key for form in objects for key in form.keys}
        united = {key: cls.united(form.keys[key] for form in objects if key in form.keys) for key in keys}
        return cls(
            {kind for form in found for kind in form.kinds},
            cls.united(form.items for form in found if form.items is not None),
            {key: form for key, form in united.items() if form is not None},
            set.intersection(*(form.always or set() for form in objects)) if objects else None,
        )

    def differences(self, sample: "Form", where: str = "body") -> Iterator[str]:
        """What is here and not in `sample`, or the other way round where it is always there."""
        if strange := self.kinds - sample.kinds:
            yield f"{where} is {strange}, the sample's is {sample.kinds}"
        if self.always != sample.always:
            yield f"{where} always has {self.always}, the sample's {sample.always}"
        for key in self.keys.keys() & sample.keys.keys():
            yield from self.keys[key].differences(sample.keys[key], f"{where}.{key}")
        if self.items is not None and sample.items is not None:
            yield from self.items.differences(sample.items, f"{where}[]")


def differences(answer: Answer, sample: Answer) -> list[str]:
    """In what an answer's form is not the sample's."""
    found = list(Form.of(answer.body).differences(Form.of(sample.body)))
    if answer.status != sample.status:
        found.append(f"the status is {answer.status}, the sample's {sample.status}")
    if answer.headers.keys() != sample.headers.keys():
        found.append(f"the headers are {set(answer.headers)}, the sample's {set(sample.headers)}")
    if answer.headers.get("Content-Type") != sample.headers.get("Content-Type"):
        found.append(f"the content type is {answer.headers.get('Content-Type')}")
    return found


def _kind(value: object) -> str:
    if not isinstance(value, str):
        return type(value).__name__
    return next((kind for kind, pattern in KINDS if re.fullmatch(pattern, value)), "text")
