"""What is asked of a field of a node: a dotted path, how to compare, and with what."""

import json
import math
import re
from bisect import bisect_left, bisect_right
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from enum import StrEnum
from typing import Final, Self

from api_service.domain.inventory import Path
from api_service.domain.node_fields import path_of
from api_service.domain.node_index import FieldIndex, NodeIndex
from api_service.domain.row_sets import Rows, bits

_NUMBER: Final = re.compile(r"[-+]?\d{1,40}(?:\.\d{0,40})?(?:[eE][-+]?\d{1,3})?", re.ASCII)
_OF_ITS_OWN: Final = "holds fields of its own: ask for one of them"
_FLAGS: Final[Mapping[str, bool]] = dict.fromkeys(("true", "1", "yes", "on", "t", "y"), True) | dict.fromkeys(
    ("false", "0", "no", "off", "f", "n"), False
)


class UnknownFieldsError(ValueError):
    """Fields that no node has.

    Attributes:
        asked: The parameter that asks for a field, and the field, as they were written.
    """

    def __init__(self, *asked: tuple[str, str]) -> None:
        self.asked = asked
        super().__init__(f"no node has {', '.join(field for _, field in asked)}")


class UnfitConditionError(ValueError):
    """A condition that cannot be meant so; `name` is the parameter, the text says why."""

    def __init__(self, name: str, detail: str) -> None:
        self.name = name
        super().__init__(detail)


class Suffix(StrEnum):
    """How a field is compared; the names are NetBox's."""

    EQUALS = ""
    NOT = "n"
    CONTAINS = "ic"
    STARTS_WITH = "isw"
    GREATER = "gt"
    GREATER_OR_EQUAL = "gte"
    LESS = "lt"
    LESS_OR_EQUAL = "lte"
    EMPTY = "empty"


ONE_VALUE: Final = frozenset({Suffix.GREATER, Suffix.GREATER_OR_EQUAL, Suffix.LESS, Suffix.LESS_OR_EQUAL, Suffix.EMPTY})
"""Suffixes of which several values would mean nothing."""


def number_of(text: str) -> float | None:
    """The number that a client wrote, an integer where it is whole, such as `4.0` or `2.6e9`; None if it is none."""
    # A plus sign becomes a space on its way through a form.
    written = re.sub("(?<=[eE]) ", "+", text.strip(" "))
    if not _NUMBER.fullmatch(written):
        return None
    exact = Decimal(written)
    if not math.isfinite(float(exact)):
        return None
    return int(exact) if exact == exact.to_integral_value() else float(exact)


def flag_of(text: str) -> bool | None:
    """What a client wrote for true or false, in one of the usual words, whatever their case; None if it is none."""
    return _FLAGS.get(text.strip(" ").lower())


def check_valued(index: NodeIndex, parameter: str, paths: Mapping[str, Path]) -> None:
    """For the fields, by what the client calls them, whose values a parameter asks for.

    Raises:
        UnknownFieldsError: no node has some of them.
        UnfitConditionError: one holds fields of its own.
    """
    check_known(index, parameter, paths)
    for name, path in paths.items():
        field = index.field(path)
        if field.objects and not (field.texts or field.numbers or field.flags):
            raise UnfitConditionError(parameter, f"{name} {_OF_ITS_OWN}")


def check_known(index: NodeIndex, parameter: str, paths: Mapping[str, Path]) -> None:
    """For the fields, by what the client calls them, that a parameter names.

    Raises:
        UnknownFieldsError: no node has some of them.
    """
    if unknown := [name for name, path in paths.items() if not index.field(path).known]:
        raise UnknownFieldsError(*((parameter, name) for name in unknown))


@dataclass(frozen=True, slots=True)
class Condition:
    """What one parameter asks of the nodes; any of its values will do.

    Attributes:
        name: The parameter as it was written.
        path: The field. Of a list any element counts.
        values: At least one. Each is taken for what the field holds: as a number among numbers, as true or false among
            those, as text among texts; where the field holds several kinds, for all that it can be read as.
    """

    name: str
    path: Path
    suffix: Suffix
    values: tuple[str, ...]

    @classmethod
    def of(cls, name: str, values: Iterable[str]) -> Self:
        """The condition that a client means by a parameter and its values."""
        field, _, suffix = name.rpartition("__")
        if field and suffix and suffix in Suffix:
            return cls(name, path_of(field), Suffix(suffix), tuple(values))
        return cls(name, path_of(name), Suffix.EQUALS, tuple(values))

    def looks(self, index: NodeIndex) -> int:
        """How many single looks at values `rows` takes, once the field is indexed."""
        field = index.field(self.path)
        match self.suffix:
            case Suffix.EQUALS | Suffix.NOT | Suffix.EMPTY:
                return len(self.values)
            case Suffix.CONTAINS | Suffix.STARTS_WITH:
                return len(field.texts) * len(self.values)
            case _:
                return field.distinct

    def rows(self, index: NodeIndex) -> int:
        """Who fulfils it. A node without the field fulfils `__n` and `__empty=true` only.

        Raises:
            UnknownFieldsError: no node has the field.
            UnfitConditionError: the field holds nothing that compares with a value.
        """
        field = index.field(self.path)
        if not field.known:
            raise UnknownFieldsError((self.name, self.name))
        match self.suffix:
            case Suffix.EQUALS:
                return self._equal(field)
            case Suffix.NOT:
                return index.everything & ~self._equal(field)
            case Suffix.EMPTY:
                return self._empty(field, index.everything)
            case Suffix.CONTAINS:
                return self._like(field, str.__contains__)
            case Suffix.STARTS_WITH:
                return self._like(field, str.startswith)
            case _:
                return self._ordered(field)

    def _equal(self, field: FieldIndex) -> int:
        return bits(rows for value in self.values for rows in self._equal_to(field, value))

    def _equal_to(self, field: FieldIndex, value: str) -> Iterator[Rows]:
        number, flag = number_of(value), flag_of(value)
        kinds = (field.texts, field.numbers if number is not None else (), field.flags if flag is not None else ())
        if not any(kinds):
            self._refuse(field, value)
        if value in field.texts:
            yield field.texts[value]
        if number is not None and number in field.numbers:
            yield field.numbers[number]
        if flag is not None and flag in field.flags:
            yield field.flags[flag]

    def _empty(self, field: FieldIndex, everything: int) -> int:
        wanted = flag_of(self.values[0])
        if wanted is None:
            raise UnfitConditionError(self.name, "must be true or false")
        return everything & ~field.filled if wanted else field.filled

    def _like(self, field: FieldIndex, alike: Callable[[str, str], bool]) -> int:
        if not field.texts:
            self._refuse(field, self.values[0])
        parts = [value.casefold() for value in self.values]

        def fits(text: str) -> bool:
            return any(alike(text, part) for part in parts)

        return bits(rows for text, rows in field.texts.items() if fits(text.casefold()))

    def _ordered(self, field: FieldIndex) -> int:
        (value,) = self.values
        if (number := number_of(value)) is None:
            if not field.texts:
                self._refuse(field, value)
            return self._between(field.sorted_texts, field.texts, value)
        if not field.numbers:
            self._refuse(field, value)
        return self._between(field.sorted_numbers, field.numbers, number)

    def _between[V: (str, float)](self, values: Sequence[V], rows: Mapping[V, Rows], bound: V) -> int:
        match self.suffix:
            case Suffix.GREATER:
                found = values[bisect_right(values, bound) :]
            case Suffix.GREATER_OR_EQUAL:
                found = values[bisect_left(values, bound) :]
            case Suffix.LESS:
                found = values[: bisect_left(values, bound)]
            case _:
                found = values[: bisect_right(values, bound)]
        return bits(rows[value] for value in found)

    def _refuse(self, field: FieldIndex, value: str) -> None:
        """Says what the field holds, and why that cannot be compared with `value`; a field of nulls holds nothing."""
        held: Mapping[str, Iterable[object]] = {
            "text": field.texts, "numbers": field.numbers, "truth values": field.flags,
        }  # fmt: skip
        kinds = [f"{kind} such as {json.dumps(value):.60}" for kind, values in held.items() for value in [*values][:1]]
        if kinds:
            shown = json.dumps(value) if number_of(value) is None else f"the number {value}"
            detail = f"the field holds {' and '.join(kinds)}, with which {shown:.60} cannot be compared"
            raise UnfitConditionError(self.name, detail)
        if field.objects:
            raise UnfitConditionError(self.name, f"the field {_OF_ITS_OWN}")
