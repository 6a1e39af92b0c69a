"""The fields of a node by dotted path: what is at one, and in which order values come."""

import json
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Final

from api_service.domain.inventory import NODE_OWN_KEYS, Document, Node, Path

ALIASES: Final[Mapping[str, Path]] = {"arch": ("architecture", "platform_type"), "gpu": ("gpu", "gpu")}
"""Names that searches have for fields of a node."""

OWN_FIELDS: Final = frozenset({"site_id", "cluster_id"})
"""Fields that every node has by where it is, whatever its file says."""

COUNT: Final = "count"
"""What is asked of a list itself."""


def path_of(name: str) -> Path:
    """The path that a client means by `name`."""
    return ALIASES.get(name) or tuple(name.split("."))


def values_at(document: Document, *path: str) -> Iterator[Any]:
    """Every value at a path; a list on the way means any of its elements, anything else unfit means none.

    An empty list at its end is no value, and told as None, since the field is there. `count` after a list is how many
    elements it has, unless they have a field of that name.
    """
    found: Any = document
    for key in path:
        # Most paths lead through objects only; this takes a third of what follows.
        if not isinstance(found, dict):
            break
        if key not in found:
            return iter(())
        found = found[key]
    else:
        if not isinstance(found, list):
            return iter((found,))
    return _values_in_lists(document, path)


def _values_in_lists(document: Document, path: Path) -> Iterator[Any]:
    pending: list[tuple[Any, int]] = [(document, 0)]
    while pending:
        value, depth = pending.pop()
        if isinstance(value, list) and path[depth:] == (COUNT,) and not any(COUNT in each for each in _objects(value)):
            yield len(value)
        elif isinstance(value, list) and value:
            pending.extend((element, depth) for element in reversed(value))
        elif depth == len(path):
            yield None if value == [] else value
        elif isinstance(value, dict) and path[depth] in value:
            pending.append((value[path[depth]], depth + 1))


def _objects(values: list[Any]) -> Iterator[dict[str, Any]]:
    return (value for value in values if isinstance(value, dict))


def field_values(node: Node, path: Path) -> Iterator[Any]:
    """Every value of a node at a path: of its file, but for the keys that are ours, or of where it is."""
    if path[0] in NODE_OWN_KEYS:
        return iter([getattr(node, path[0])] if len(path) == 1 and path[0] in OWN_FIELDS else [])
    found = node.written.at_hand.get(path)
    return values_at(node.written.document(), *path) if found is None else iter(found)


def distinct_values(node: Node, path: Path) -> list[Any]:
    """The values of a node at a path, sorted, each once; neither nulls nor objects."""
    values = [value for value in field_values(node, path) if not isinstance(value, dict | None)]
    # JSON tells true from 1, which Python does not.
    return sorted({json.dumps(value): value for value in values}.values(), key=rank)


def rank(value: Any) -> tuple[int, float, str]:
    """Where a JSON value comes among others: null, then numbers, then text."""
    match value:
        case None:
            return 0, 0, ""
        case bool() | int() | float():
            return 1, value, ""
        case str():
            return 2, 0, value
        case _:
            return 3, 0, json.dumps(value)


def names_in(documents: Iterable[Document]) -> set[str]:
    """The dotted path of every field of any of the documents, objects and the length of lists included."""
    names: set[str] = set()
    pending: list[tuple[str, Any]] = [("", document) for document in documents]
    while pending:
        prefix, value = pending.pop()
        if isinstance(value, list):
            names.add(f"{prefix}.{COUNT}")
            pending.extend((prefix, element) for element in value)
        elif isinstance(value, Mapping):
            for key, inner in value.items():
                name = f"{prefix}.{key}" if prefix else key
                names.add(name)
                pending.append((name, inner))
    return names


def texts_in(document: Document) -> Iterator[str]:
    """Every text of a document, wherever it stands; not the names of its fields."""
    pending: list[Any] = [document]
    while pending:
        match pending.pop():
            case str() as text:
                yield text
            case list() as inner:
                pending.extend(inner)
            case dict() as inner:
                pending.extend(inner.values())
            case _:  # no text
                pass


def selected(document: Document, paths: Iterable[Path]) -> dict[str, Any]:
    """Of `document` what is at `paths`, as deep as it stands there."""
    deeper: dict[str, list[Path]] = {}
    for path in paths:
        deeper.setdefault(path[0], []).append(path[1:])
    found = {key: _selected_in(document[key], deeper[key]) for key in document if key in deeper}
    return {key: value for key, value in found.items() if value is not _NOTHING}


_NOTHING: Final = object()


def _selected_in(value: Any, paths: list[Path]) -> Any:
    if () in paths:
        return value
    if isinstance(value, list):
        return [found for element in value if (found := _selected_in(element, paths)) is not _NOTHING]
    # What is no object has nothing at a path that goes on.
    return selected(value, paths) if isinstance(value, Mapping) else _NOTHING
