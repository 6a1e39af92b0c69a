"""The services find their settings, their secrets and the inventory where the manifests put them."""

import re
import tomllib
from collections.abc import Iterator, Mapping
from pathlib import PurePosixPath
from typing import Any

from pydantic import ValidationError

from api_service.settings import OPTIONS as API_OPTIONS
from shared.settings import SharedSettings
from shared.settings_sources import CONFIG_VARIABLE
from shared.topology import JobQueueType
from sync_service.settings import OPTIONS as SYNC_OPTIONS
from tests.manifests.objects import Manifests, Object, Pod

CLOUDS_VARIABLE = "OS_CLIENT_CONFIG_FILE"
"""Read by openstacksdk."""

BROKER_VARIABLE, FOLDER_VARIABLE = "REFERENCE_API_BROKER_URL", "REFERENCE_API_REF_DIR"
VARIABLES = {
    "api": {option.variable for option in API_OPTIONS} | {CONFIG_VARIABLE},
    "sync": {option.variable for option in SYNC_OPTIONS} | {CONFIG_VARIABLE, CLOUDS_VARIABLE},
}
SECRETIVE = re.compile(r"://[^/\s@]*:[^/\s@]+@|(password|passwd|secret|token)\w*\s*[:=]\s*\S", re.IGNORECASE)
QUORUM_NODES = 3


def variables_are_settings(manifests: Manifests) -> Iterator[str]:
    for pod, container in _ours(manifests):
        for variable in container.get("env", ()):
            if variable["name"] not in VARIABLES[container["name"]]:
                yield f"{pod.owner}: {variable['name']} is no setting of the service"


def settings_load(manifests: Manifests) -> Iterator[str]:
    for pod, container in _ours(manifests):
        file = variable_of(container, CONFIG_VARIABLE).get("value", "")
        volume, name = mounted_at(pod, container, file)
        config = manifests.named("ConfigMap", volume.get("configMap", {}).get("name", ""))
        text = config and config["data"].get(name)
        if not text:
            yield f"{pod.owner}: {CONFIG_VARIABLE} names no file of a ConfigMap"
            continue
        try:
            settings = SharedSettings.model_validate(tomllib.loads(text))
        except (ValidationError, tomllib.TOMLDecodeError) as error:
            yield f"{pod.owner}: the settings do not load: {error}"
            continue
        wanted = settings.server.port if container["name"] == "api" else settings.sync.port
        if wanted not in {port["containerPort"] for port in container.get("ports", ())}:
            yield f"{pod.owner}: listens on {wanted}, which is not declared"
        if _queue_type(manifests) not in {settings.broker.job_queue_type, None}:
            yield f"{pod.owner}: [broker] job_queue_type is not what the broker's nodes want"


def both_services_share_their_settings_and_broker(manifests: Manifests) -> Iterator[str]:
    sources = set()
    for pod, container in _ours(manifests):
        volume, _ = mounted_at(pod, container, variable_of(container, CONFIG_VARIABLE).get("value", ""))
        sources.add(str(volume.get("configMap")))
        reference = variable_of(container, BROKER_VARIABLE).get("valueFrom", {}).get("secretKeyRef", {})
        if (reference.get("name"), reference.get("key")) != ("rabbitmq-default-user", "connection_string"):
            yield f"{pod.owner}: the broker's address is not the one of its Secret"
    if len(sources) > 1:
        yield "the services read different settings"


def clouds_are_a_folder_that_can_change(manifests: Manifests) -> Iterator[str]:
    for pod, container in _ours(manifests):
        secrets = {volume["name"]: volume["secret"] for volume in pod.spec.get("volumes", ()) if "secret" in volume}
        if container["name"] != "sync":
            if secrets:
                yield f"{pod.owner}: mounts a Secret that it does not need"
            continue
        file = variable_of(container, CLOUDS_VARIABLE).get("value", "")
        volume, name = mounted_at(pod, container, file)
        secret = volume.get("secret", {})
        if not secret.get("secretName") or name != "clouds.yaml":
            yield f"{pod.owner}: {CLOUDS_VARIABLE} names no clouds.yaml of a Secret"
        if secret.get("defaultMode") != 0o440 or not pod.spec.get("securityContext", {}).get("fsGroup"):
            yield f"{pod.owner}: clouds.yaml can be read by others than the service, or not by it"
        for mount in container.get("volumeMounts", ()):
            if "subPath" in mount:
                yield f"{pod.owner}: mounts {mount['mountPath']} as one file, which never changes"


def the_inventory_is_cloned_whole(manifests: Manifests) -> Iterator[str]:
    for pod, _, clone in _clones(manifests):
        arguments = _arguments(clone)
        if clone.get("restartPolicy") != "Always":
            yield f"{pod.owner}: git-sync ends before the service begins"
        if arguments.get("depth") != "0":
            yield f"{pod.owner}: git-sync clones without the history"
        if arguments.get("max-failures") != "-1":
            yield f"{pod.owner}: git-sync gives up when its host is away"
        ports = [f":{port['containerPort']}" for port in clone.get("ports", ())]
        if not arguments.get("repo") or arguments.get("http-bind") not in ports:
            yield f"{pod.owner}: git-sync does not know what to clone, or where to answer probes"


def the_inventory_is_where_it_is_looked_for(manifests: Manifests) -> Iterator[str]:
    for pod, container, clone in _clones(manifests):
        arguments = _arguments(clone)
        root, link = arguments.get("root", "/"), arguments.get("link", "none")
        folder = PurePosixPath(variable_of(container, FOLDER_VARIABLE).get("value", "/"))
        if not folder.is_relative_to(PurePosixPath(root) / link):
            yield f"{pod.owner}: {FOLDER_VARIABLE} is not where git-sync puts the inventory"
        ours, theirs = _mount_of(container, root) or {}, _mount_of(clone, root) or {}
        if not ours or any(ours.get(field) != theirs.get(field) for field in ("name", "mountPath", "subPath")):
            yield f"{pod.owner}: git-sync's root is not mounted whole and at the same place"
        if ours.get("readOnly") is not True:
            yield f"{pod.owner}: the service may write into the inventory"


def nothing_secret_is_in_the_open(manifests: Manifests) -> Iterator[str]:
    for each in manifests.of("ConfigMap"):
        for key, text in each.get("data", {}).items():
            if SECRETIVE.search(text):
                yield f"ConfigMap/{each['metadata']['name']}: {key} holds a secret"
    for pod in manifests.pods():
        for container in pod.containers:
            open_text = [str(variable.get("value", "")) for variable in container.get("env", ())]
            if any(SECRETIVE.search(text) for text in (*open_text, *container.get("args", ()))):
                yield f"{pod.owner}: {container['name']} is given a secret in the open"


def variable_of(container: Object, name: str) -> Mapping[str, Any]:
    """An environment variable; empty if it is not set."""
    return next((each for each in container.get("env", ()) if each["name"] == name), {})


def mounted_at(pod: Pod, container: Object, file: str) -> tuple[Mapping[str, Any], str]:
    """The volume that a file is in, and its name there; an empty one if there is none."""
    mount = _mount_of(container, file)
    if mount is None:
        return {}, ""
    volumes: list[Mapping[str, Any]] = pod.spec.get("volumes", [])
    volume = next((each for each in volumes if each["name"] == mount["name"]), {})
    return volume, str(PurePosixPath(file).relative_to(mount["mountPath"]))


def _mount_of(container: Object, path: str) -> Mapping[str, Any] | None:
    mounts: list[Mapping[str, Any]] = [
        each for each in container.get("volumeMounts", ()) if PurePosixPath(path).is_relative_to(each["mountPath"])
    ]
    return max(mounts, key=lambda each: len(each["mountPath"]), default=None)


def _ours(manifests: Manifests) -> Iterator[tuple[Pod, Object]]:
    return ((pod, each) for pod in manifests.pods() for each in pod.main if each["name"] in VARIABLES)


def _clones(manifests: Manifests) -> Iterator[tuple[Pod, Object, Object]]:
    """The API service's container, and git-sync beside it."""
    for pod, container in _ours(manifests):
        if container["name"] == "api":
            clone = next((each for each in pod.beside if each["name"] == "git-sync"), {"name": "nobody"})
            yield pod, container, clone


def _arguments(container: Object) -> Mapping[str, str]:
    return dict(argument.removeprefix("--").partition("=")[::2] for argument in container.get("args", ()))


def _queue_type(manifests: Manifests) -> JobQueueType | None:
    nodes = [pod.replicas for pod in manifests.all_pods() if pod.name == "rabbitmq"]
    if not nodes:
        return None
    return JobQueueType.QUORUM if nodes[0] >= QUORUM_NODES else JobQueueType.CLASSIC
