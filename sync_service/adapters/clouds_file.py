"""clouds.yaml, parsed once for all clouds: openstacksdk parses the whole file for each, a second for some hundreds."""

import copy
import os
from collections.abc import Sequence
from threading import Lock
from typing import Any, Final

import openstack.config

type _Identity = tuple[int, int, int, int] | None
type _Content = tuple[str, dict[str, Any]] | tuple[None, None]

_ONE_PARSES: Final = Lock()
_PARSED: Final[dict[tuple[str, ...], tuple[list[_Identity], _Content]]] = {}


class SharedCloudsConfig(openstack.config.OpenStackConfig):  # type: ignore[misc] # openstacksdk is not type-checked
    """As openstacksdk's own, which looks for a file at several places; each has a copy of what was found."""

    def _load_yaml_json_file(self, filelist: Sequence[str]) -> _Content:
        # Those who come meanwhile wait for the one that parses: each by itself would take as long as all of them.
        with _ONE_PARSES:
            found = [_identity(path) for path in filelist]
            known = _PARSED.get(tuple(filelist))
            if known is None or known[0] != found:
                known = found, super()._load_yaml_json_file(filelist)
                # What cannot be read may be mended in ways that no file tells of.
                if known[1][0] is not None:
                    _PARSED[tuple(filelist)] = known
        return copy.deepcopy(known[1])


def _identity(path: str) -> _Identity:
    """What changes with a file's content, its place or who may read it."""
    try:
        found = os.stat(path)  # noqa: PTH116 - openstacksdk's are no Paths
    except OSError:
        return None
    return found.st_ino, found.st_size, found.st_mtime_ns, found.st_ctime_ns
