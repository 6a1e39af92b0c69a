"""Patches as RFC 6902 has them; the only module that knows jsonpatch."""

from typing import Any, Final

import jsonpatch
import orjson

from api_service.domain.inventory import Document

# What jsonpatch does with a long list takes the square of its length.
_MAX_COMPARED_BYTES: Final = 32 * 1024

type Patch = list[dict[str, Any]]


def patch_between(before: Document, after: Document) -> Patch:
    """What makes `after` of `before`, proved by doing it; nothing if they are equal as JSON."""
    equal = {key for key in before.keys() & after.keys() if _written(before[key]) == _written(after[key])}
    # Most members are equal; each of them would be gone through, and copied for the proof.
    before, after = ({key: each[key] for key in each if key not in equal} for each in (before, after))
    compared = max(len(_written(before)), len(_written(after))) <= _MAX_COMPARED_BYTES
    found = _proved(before, after) if compared else None
    return _by_members(before, after) if found is None else found


def _by_members(before: Document, after: Document) -> Patch:
    """Members that came, went or differ, as all of these do, each replaced whole."""
    removed: Patch = [{"op": "remove", "path": _pointer(key)} for key in before if key not in after]
    return removed + [
        {"op": "replace" if key in before else "add", "path": _pointer(key), "value": value}
        for key, value in after.items()
    ]


def _proved(before: Document, after: Document) -> Patch | None:
    try:
        found: Patch = jsonpatch.make_patch(before, after).patch
        made = jsonpatch.apply_patch(before, found)
    except (jsonpatch.JsonPatchException, jsonpatch.JsonPointerException, LookupError, RecursionError, TypeError):
        return None
    return found if _written(made) == _written(after) else None


def _pointer(key: str) -> str:
    return "/" + key.replace("~", "~0").replace("/", "~1")


def _written(value: object) -> bytes:
    # As JSON has it: 1, 1.0 and true differ, an object's order of keys does not matter.
    return orjson.dumps(value, option=orjson.OPT_SORT_KEYS)
