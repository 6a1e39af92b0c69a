"""What a client writes as one value of a query: moments, durations, words, numbers, shas."""

import math
import re
from datetime import UTC, datetime, timedelta
from typing import Annotated, Final

from pydantic import BeforeValidator, Field, WithJsonSchema

from api_service.domain.history import VERSION_ID
from api_service.domain.node_conditions import flag_of, number_of
from shared.availability import AvailabilityState

MAX_VALUES: Final = 200
"""Values of one filter in one request."""

_INSTANT: Final = re.compile(
    r"(?P<date>\d{4}-\d\d-\d\d)"
    r"(?:[Tt ](?P<time>(?:[01]\d|2[0-3]):\d\d(?::\d\d(?:\.\d{1,9})?)?)"
    r"(?:[Zz]|(?P<sign>[-+ ])(?P<hours>[01]\d|2[0-3])(?::?(?P<minutes>[0-5]\d))?)?)?",
    re.ASCII,
)


def instant(text: object) -> datetime:
    """The moment that a client wrote, in UTC.

    RFC 3339; without an offset, or without a time of day, it is read as UTC, an offset may be `+0100` or `+01`, as ISO
    8601 has it, and a `+` that became a space on its way through a form is understood.

    Raises:
        ValueError: it is anything else, or lies outside the years 1 to 9999.
    """
    found = _INSTANT.fullmatch(text) if isinstance(text, str) else None
    if found is None:
        raise ValueError("must be an RFC 3339 date and time such as 2026-11-22T08:00:00Z")
    zone = (
        "+00:00"
        if found["sign"] is None
        else f"{found['sign'].strip() or '+'}{found['hours']}:{found['minutes'] or '00'}"
    )
    # Nine digits of a second are allowed; datetime keeps six.
    clock = re.sub(r"(\.\d{6})\d+$", r"\1", found["time"] or "00:00")
    try:
        return datetime.fromisoformat(f"{found['date']}T{clock}{zone}").astimezone(UTC)
    except OverflowError:
        raise ValueError("lies outside the years 1 to 9999") from None


_AMOUNT: Final = r"\d{1,6}(?:\.\d{1,6})?"
_DURATION: Final = rf"P(?:{_AMOUNT}W)?(?:{_AMOUNT}D)?(?:T(?:{_AMOUNT}H)?(?:{_AMOUNT}M)?(?:{_AMOUNT}S)?)?"
MIN_DURATION: Final = timedelta(minutes=1)
MAX_DURATION: Final = timedelta(days=366)


def _duration(text: object) -> object:
    """What pydantic reads as a duration; months and years, which have no fixed length, are left out."""
    if isinstance(text, str):
        written = text.strip(" ").upper()
        if re.fullmatch(_AMOUNT, written, re.ASCII):
            return f"PT{written}H"
        # Without a digit at its end something is missing, such as the time after a T.
        if re.fullmatch(_DURATION, written, re.ASCII) and not written.endswith(("P", "T")):
            return written
    if isinstance(text, timedelta):
        return text
    raise ValueError("must be an ISO 8601 duration in weeks, days, hours and less, such as PT72H, or a number of hours")


def _flag(text: object) -> bool:
    flag = flag_of(text) if isinstance(text, str) else None
    if flag is None:
        raise ValueError("must be true or false")
    return flag


def _word(text: object) -> object:
    if isinstance(text, str) and re.search(r"[,\x00-\x1f\x7f]", text):
        raise ValueError("must not hold a comma or a control character")
    return text


def _state(text: object) -> object:
    return text.strip(" ").lower() if isinstance(text, str) else text


def _sha(text: object) -> object:
    if isinstance(text, str) and not VERSION_ID.fullmatch(text := text.lower()):
        raise ValueError("must be a commit's sha, or its first 7 digits or more")
    return text


def _whole(text: object) -> int:
    number = number_of(text) if isinstance(text, str) else None
    if number is None or number != math.floor(number):
        raise ValueError("must be a whole number")
    return math.floor(number)


def _second(text: object) -> int:
    # Clocks tell fractions, commits do not have any.
    number = number_of(text) if isinstance(text, str) else None
    if number is None:
        raise ValueError("must be seconds since 1970-01-01T00:00:00Z")
    return math.floor(number)


Instant = Annotated[
    datetime,
    BeforeValidator(instant),
    WithJsonSchema({"type": "string", "format": "date-time"}),
]
Duration = Annotated[
    timedelta,
    Field(ge=MIN_DURATION, le=MAX_DURATION),
    BeforeValidator(_duration),
    WithJsonSchema({"type": "string", "pattern": f"^(?:{_AMOUNT}|{_DURATION})$"}),
]
Flag = Annotated[bool, BeforeValidator(_flag), WithJsonSchema({"type": "boolean"})]
Word = Annotated[
    str,
    Field(min_length=1, max_length=300),
    BeforeValidator(_word),
    WithJsonSchema({"type": "string", "minLength": 1, "maxLength": 300, "pattern": r"^[^,\x00-\x1f\x7f]+$"}),
]
Sha = Annotated[str, BeforeValidator(_sha), WithJsonSchema({"type": "string", "pattern": f"^{VERSION_ID.pattern}$"})]
Whole = BeforeValidator(_whole)
"""For integers, which may be written as `4.0` or `1e9` too: clients send what their language makes of a number."""
Second = BeforeValidator(_second)
"""For integers: seconds since 1970, of which fractions are cut off."""
State = Annotated[AvailabilityState, BeforeValidator(_state)]
Words = Annotated[list[Word], Field(max_length=MAX_VALUES, json_schema_extra={"comma": True})]
