"""One file of the repository -> its JSON object, if whatever is in it can be served."""

import json
from typing import Any, Final, NoReturn

import orjson

from api_service.domain.data_faults import FaultKind, why_unusable
from api_service.domain.inventory import Document

MAX_FILE_BYTES: Final = 8 * 1024 * 1024

_INTEGERS: Final = range(-(2**63), 2**64)
_MAX_INTEGER_LENGTH: Final = len(str(2**64))
_ENVELOPE_DEPTH: Final = 8
_SAFE_DEPTH: Final = 200
_ZEROS: Final = bytes.maketrans(b"123456789", b"000000000")
_LONG_NUMBER: Final = b"0" * 19
"""With each digit a zero: what may have more than 64 bits, of which orjson makes a float, and says nothing."""


class UnusableDocumentError(Exception):
    """A file that cannot be served. Its text says why."""

    def __init__(self, kind: FaultKind, detail: str) -> None:
        super().__init__(detail)
        self.kind = kind


def parse_document(content: bytes, stem: str) -> Document:
    """The object that `content` holds, as it was written.

    Args:
        content: The whole file.
        stem: The file's name without `.json`, which must be the object's uid.

    Raises:
        UnusableDocumentError: if there is no such object, or it could not be written out again as it is.
    """
    if len(content) > MAX_FILE_BYTES:
        raise UnusableDocumentError(FaultKind.TOO_LARGE, f"larger than {MAX_FILE_BYTES} bytes")
    document = _usual(content)
    if document is None:
        document = _parse(content)
        _require_writable(document)
    if not isinstance(document, dict):
        raise UnusableDocumentError(FaultKind.NOT_AN_OBJECT, "not a JSON object")
    _require_uid(document, stem)
    return document


def _usual(content: bytes) -> Any:
    """What nearly every file holds, in half the time and the memory that `_parse` takes; None for it to judge."""
    if _LONG_NUMBER in content.translate(_ZEROS) or content.count(b"[") + content.count(b"{") > _SAFE_DEPTH:
        return None
    try:
        return orjson.loads(content)
    except orjson.JSONDecodeError:
        return None


def _parse(content: bytes) -> Any:
    try:
        # Not orjson: it makes integers of more than 64 bits floats, and says nothing.
        return json.loads(content.decode(), parse_constant=_refuse, parse_float=_finite, parse_int=_storable)
    except UnicodeDecodeError as error:
        raise UnusableDocumentError(FaultKind.NOT_UTF8, f"not UTF-8 at byte {error.start}") from error
    except json.JSONDecodeError as error:
        raise UnusableDocumentError(FaultKind.NOT_JSON, f"not JSON: {error}") from error
    except RecursionError as error:
        raise UnusableDocumentError(FaultKind.UNUSABLE_VALUE, "nested too deep") from error


def _require_writable(document: Document) -> None:
    wrapped: object = document
    # An answer wraps a document, and orjson counts the levels of the whole answer.
    for _ in range(_ENVELOPE_DEPTH):
        wrapped = [wrapped]
    try:
        orjson.dumps(wrapped)
    except orjson.JSONEncodeError as error:
        raise UnusableDocumentError(FaultKind.UNUSABLE_VALUE, f"cannot be written as JSON: {error}") from error


def _require_uid(document: Document, stem: str) -> None:
    if "uid" not in document:
        raise UnusableDocumentError(FaultKind.NO_UID, "lacks uid")
    uid = document["uid"]
    if not isinstance(uid, str):
        raise UnusableDocumentError(FaultKind.UNUSABLE_UID, "the uid is not a string")
    if reason := why_unusable(uid):
        raise UnusableDocumentError(FaultKind.UNUSABLE_UID, reason)
    if uid != stem:
        raise UnusableDocumentError(FaultKind.WRONG_UID, f"its uid is {uid!r}, which is not the file's name")


def _refuse(constant: str) -> NoReturn:
    raise UnusableDocumentError(FaultKind.UNUSABLE_VALUE, f"{constant} is not a JSON number")


def _finite(digits: str) -> float:
    number = float(digits)
    if number in {float("inf"), float("-inf")}:
        raise UnusableDocumentError(FaultKind.UNUSABLE_VALUE, f"{digits:.40} is too large a number")
    return number


def _storable(digits: str) -> int:
    # The length first: Python refuses to read thousands of digits with an error of its own.
    if len(digits) > _MAX_INTEGER_LENGTH or int(digits) not in _INTEGERS:
        raise UnusableDocumentError(FaultKind.UNUSABLE_VALUE, f"{digits:.40} has more than 64 bits")
    return int(digits)
