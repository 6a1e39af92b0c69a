"""Blazar's JSON as tolerant models: one odd record makes one node unknown, never free, and never fails a poll.

Only what is named here is ever kept: names of people, lease and project ids end at this door.
"""

import re
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from itertools import pairwise
from typing import Annotated, Final

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, TypeAdapter, ValidationError

from shared.availability import FlavorSegment, Interval
from sync_service.adapters.answers import MAX_ROWS, Rows
from sync_service.domain.judgement import Allocation, Host
from sync_service.domain.ports import FlavorCapacity, SourceError, TroubleKind

MAX_INTERVALS: Final = 250_000
"""Reservations or segments of one answer, all records together."""

_FALSE: Final = frozenset({"", "0", "false", "no", "off", "none", "null"})
_TRUE: Final = frozenset({"1", "true", "yes", "on"})
_TIME: Final = re.compile(r"\d{4}-\d\d-\d\d[T ](?:[01]\d|2[0-3]):\d\d(:\d\d(\.\d{1,6})?)?(Z|[+-]\d\d:?\d\d)?", re.ASCII)


def _text_of_number(value: object) -> object:
    """An id that is a number is taken as its digits; `True` is no number."""
    return str(value) if isinstance(value, int) and not isinstance(value, bool) else value


def _flag(value: object) -> bool:
    """A column that a capability of the same name may shadow with a string, of which `"False"` would be true."""
    if value is None or isinstance(value, bool):
        return bool(value)
    word = str(value).strip().casefold() if isinstance(value, str | int) else None
    if word in _FALSE or word in _TRUE:
        return word in _TRUE
    raise ValueError("neither true nor false")


def _deleted(value: object) -> bool:
    """Whether a soft-delete mark, an id or a time where there is one, is set."""
    return not (value is None or value is False or str(value).strip().casefold() in _FALSE)


def _utc(value: object) -> datetime:
    """Blazar's times are naive UTC; a zone is understood all the same. Bare numbers and dates are not times.

    Any year will do: operators book "for ever" until 9999-12-31, and such a node is reserved. What a zone carries
    beyond the calendar is its first or last moment.
    """
    if not isinstance(value, str) or not _TIME.fullmatch(value):
        raise ValueError("not a time")
    time = datetime.fromisoformat(value)
    if time.tzinfo is None:
        return time.replace(tzinfo=UTC)
    try:
        return time.astimezone(UTC)
    except OverflowError:
        return datetime.min.replace(tzinfo=UTC) if time.year == 1 else datetime.max.replace(tzinfo=UTC)


def _text(value: str) -> str:
    """JSON may hold half of a surrogate pair, which no message of ours could carry."""
    value.encode()
    return value


Id = Annotated[str, BeforeValidator(_text_of_number), Field(min_length=1, max_length=255), AfterValidator(_text)]
_ID: Final[TypeAdapter[str]] = TypeAdapter(Id)
Flag = Annotated[bool, BeforeValidator(_flag)]
Time = Annotated[datetime, BeforeValidator(_utc)]
Count = Annotated[int, Field(ge=0, lt=2**31, strict=True)]


class Record(BaseModel):
    """Base of Blazar's records: everything that is not named is dropped."""

    model_config = ConfigDict(frozen=True, extra="ignore", hide_input_in_errors=True)


class HostRecord(Record):
    """A row of `GET /os-hosts`; `disabled` and `deleted` exist in Chameleon's fork only."""

    id: Id
    hypervisor_hostname: Id | None
    reservable: Flag
    disabled: Flag = False
    deleted: Annotated[bool, BeforeValidator(_deleted)] = False

    def to_domain(self) -> Host:
        """A row without a hostname speaks of no node."""
        maintenance = self.disabled or not self.reservable
        return Host(self.id, self.hypervisor_hostname, maintenance=maintenance, unreadable=self.deleted)


class ReservationRecord(Record):
    """A booking, whatever its status: Blazar hands out what ends now or later."""

    start_date: Time
    end_date: Time

    def to_domain(self) -> Interval:
        """Raises ValueError if the booking ends before it starts."""
        return Interval(self.start_date, self.end_date)


class AllocationRecord(Record):
    """A row of `GET /os-hosts/allocations`; its reservations are read one by one."""

    resource_id: Id
    reservations: list[object]


class SegmentRecord(Record):
    """A stretch of time with one capacity; an empty one says nothing."""

    start: Time
    end: Time
    available: Count
    total: Count

    def to_domain(self) -> FlavorSegment:
        """Raises ValueError if the segment ends before it starts, or if more is available than there is."""
        if self.available > self.total:
            raise ValueError("more available than there is")
        return FlavorSegment(Interval(self.start, self.end), self.available, self.total)


class FlavorInstancesRecord(Record):
    """A row of `GET /flavor-instances/availability` (Chameleon's fork)."""

    flavor_id: Id
    availability: list[SegmentRecord]

    def to_domain(self) -> tuple[FlavorSegment, ...]:
        """Raises ValueError if a segment is reversed, or overlaps another."""
        records = (each for each in self.availability if each.start != each.end)
        segments = sorted((each.to_domain() for each in records), key=lambda segment: segment.during)
        if any(one.during.overlaps(next_.during) for one, next_ in pairwise(segments)):
            raise ValueError("overlapping segments")
        return tuple(segments)


def hosts_of(answer: object) -> tuple[Host, ...]:
    """Every row of a host list.

    Raises:
        SourceError: it is no list, or too long.
    """
    return tuple(_host(row) for row in _rows(answer, "host list"))


def _host(row: object) -> Host:
    try:
        return HostRecord.model_validate(row).to_domain()
    except ValidationError:
        fields = row if isinstance(row, dict) else {}
        return Host(_id(fields.get("id")), _id(fields.get("hypervisor_hostname")), unreadable=True)


def allocations_of(answer: object, *, most: int = MAX_INTERVALS) -> tuple[Allocation, ...]:
    """Every row of the allocations, with at most so many reservations together.

    Raises:
        SourceError: it is no list, or there are too many rows or reservations.
    """
    allocations = []
    reservations = 0
    for row in _rows(answer, "allocations"):
        allocations.append(allocation := _allocation(row))
        reservations += len(allocation.reservations)
        if reservations > most:
            raise SourceError(f"more than {most} reservations in the allocations", TroubleKind.TOO_LARGE)
    return tuple(allocations)


def _allocation(row: object) -> Allocation:
    try:
        record = AllocationRecord.model_validate(row)
    except ValidationError:
        return Allocation(_id(row.get("resource_id")) if isinstance(row, dict) else None, unreadable=True)
    reservations = []
    unreadable = False
    for each in record.reservations:
        try:
            reservations.append(ReservationRecord.model_validate(each).to_domain())
        except ValueError:  # pydantic's is one too
            unreadable = True
    return Allocation(record.resource_id, tuple(reservations), unreadable=unreadable)


def capacity_of(answer: object, names: Mapping[str, str], *, most: int = MAX_INTERVALS) -> FlavorCapacity:
    """The capacity of every flavor.

    Args:
        answer: The list of flavor instances.
        names: Nova's flavors, name by id; a flavor that Nova does not list is left out.
        most: How many segments there may be, all flavors together.

    Raises:
        SourceError: it is no list, or there are too many rows or segments.
    """
    flavors: dict[str, tuple[FlavorSegment, ...]] = {}
    unreadable = 0
    for row in _rows(answer, "flavor availability"):
        try:
            record = FlavorInstancesRecord.model_validate(row)
            segments = record.to_domain()
        except ValueError:
            unreadable += 1
            continue
        if name := _id(names.get(record.flavor_id)):
            flavors[name] = segments
    if sum(map(len, flavors.values())) > most:
        raise SourceError(f"more than {most} segments in the flavor availability", TroubleKind.TOO_LARGE)
    return FlavorCapacity(flavors, unreadable)


def _rows(answer: object, what: str) -> Sequence[object]:
    if not isinstance(answer, list | Rows):
        raise SourceError(f"the {what} is not a list")
    if len(answer) > MAX_ROWS:
        raise SourceError(f"more than {MAX_ROWS} rows in the {what}", TroubleKind.TOO_LARGE)
    return answer


def _id(value: object) -> str | None:
    """`value` as an id, or None if it cannot be one."""
    try:
        return _ID.validate_python(value)
    except ValidationError:
        return None
