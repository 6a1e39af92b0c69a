"""What caches ask of a good answer: a tag for each of its codings, its date, and how long it may be kept."""

import asyncio
from collections.abc import Mapping, MutableMapping, Sequence
from datetime import UTC, datetime
from email.utils import formatdate
from functools import lru_cache, partial
from http import HTTPStatus
from typing import Final

from aiohttp import hdrs, web
from aiohttp.typedefs import Handler, Middleware

from api_service import keys
from api_service.domain.node_query import NEVER
from api_service.http.encodings import IDENTITY, NONE_IS_LEFT, accepted, compressed
from api_service.http.kept_answers import KEPT_ANSWERS, Basis, Kept, asked_by
from api_service.http.problems import TooBusyError
from api_service.http.ready import LONG, Keep, Ready
from api_service.http.remembered import Remembered

SHORT: Final = 1024
"""Bytes below which compressing saves no packet."""

MAX_COMPRESSED_BYTES: Final = 8 * 1024 * 1024
"""What may be kept of long bodies that were compressed for one request, in case that another gets the same."""

FORMS: Final = web.AppKey("forms", Remembered)
"""Makes and keeps these."""

_NOT_KNOWN: Final = datetime.max.replace(tzinfo=UTC)


class Answer(web.Response):
    """A good answer, as a handler gives it; `cacheable` finishes it.

    Attributes:
        ready: Its body.
        keep: How long it may be kept.
        modified: When it last changed, aware; None if nobody knows better than `cacheable`.
        good_until: Until when it tells the same of states while nothing becomes known; None if nobody knows.
    """

    def __init__(
        self,
        ready: Ready,
        *,
        keep: Keep | None = None,
        modified: datetime | None = None,
        good_until: datetime | None = None,
    ) -> None:
        super().__init__(body=ready.body, headers={hdrs.CONTENT_TYPE: ready.content_type})
        self.ready = ready
        self.keep = keep or ready.keep
        self.modified = modified
        self.good_until = good_until


def cacheable(inventory_seconds: float) -> Middleware:
    """Finishes every `Answer`: its headers, its coding, or 304 if the client has it. Keeps what may be told again.

    Args:
        inventory_seconds: How long another commit may go unnoticed.
    """
    told: Mapping[Keep, str] = {
        Keep.ASK: "public, no-cache",
        Keep.WHILE_SERVED: f"public, max-age={int(inventory_seconds)}",
        Keep.FOR_EVER: "public, max-age=31536000, immutable",
    }

    @web.middleware
    async def finish(request: web.Request, handler: Handler) -> web.StreamResponse:
        answers = request.app[KEPT_ANSWERS]
        basis = answers.basis
        response = await handler(request)
        if isinstance(response, Answer):
            response.headers[hdrs.CACHE_CONTROL] = told[response.keep]
            since = await _finish(request, response)
            if since and (asked := asked_by(request)) and (kept := _kept(request, response, basis, since)):
                answers.keep(asked, kept, basis)
        return response

    return finish


def told_again(request: web.Request, kept: Kept) -> web.Response:
    """What `cacheable` would give, as a new response; 304 if the client has it."""
    if _has_it(request, kept.tag, kept.unchanged_since):
        return web.Response(status=HTTPStatus.NOT_MODIFIED, headers=kept.headers_alone)
    return web.Response(body=kept.body, headers=kept.headers)


async def _finish(request: web.Request, answer: Answer) -> datetime | None:
    """Says from when on the answer is as it is now; None if it should be made anew for whoever asks next."""
    ready, headers = answer.ready, answer.headers
    if ready.takes_long:
        await asyncio.to_thread(ready.tag, IDENTITY)
    codings = accepted(request.headers.getall(hdrs.ACCEPT_ENCODING, ()))
    coding = _chosen(codings, ready)
    now = request.app[keys.CLOCK]()
    changed = answer.modified or _last_change(request.app)
    modified = min(changed, now)
    headers[hdrs.LAST_MODIFIED] = _http_date(int(modified.timestamp()))
    if _has_it(request, ready.tag(coding), modified if answer.keep is Keep.FOR_EVER else None):
        answer.set_status(HTTPStatus.NOT_MODIFIED)
        answer.body = None
        headers.update(ready.headers(coding))
        _leave_out_body(headers)
        return None
    try:
        answer.body = await _encoded(request.app, ready, coding)
    except TooBusyError:
        if IDENTITY not in codings:
            raise
        headers.update(ready.headers(IDENTITY))
        return None
    headers.update(ready.headers(coding))
    return now if changed <= now else None


def _kept(request: web.Request, answer: Answer, basis: Basis, since: datetime) -> Kept | None:
    """What others are told, if it is known for how long."""
    of_states = answer.keep is Keep.ASK
    good_until = answer.good_until if of_states else NEVER
    if good_until is None or not isinstance(answer.body, bytes):
        return None
    alone = answer.headers.copy()
    _leave_out_body(alone)
    return Kept(
        request.match_info.route,
        answer.headers.copy(),
        alone,
        answer.body,
        shared=answer.ready.forms is not None and not of_states,
        unchanged_since=answer.modified if answer.keep is Keep.FOR_EVER else None,
        revision=basis.revision if of_states else None,
        made_at=since,
        good_until=good_until,
    )


def _leave_out_body(headers: MutableMapping[str, str]) -> None:
    for name in (hdrs.CONTENT_TYPE, hdrs.CONTENT_ENCODING):
        headers.pop(name, None)


def _chosen(codings: Sequence[str], ready: Ready) -> str:
    if not codings:
        raise web.HTTPNotAcceptable(reason=NONE_IS_LEFT)
    is_small = len(ready.body) < SHORT or ready.content_type.startswith("image/")
    return IDENTITY if is_small and IDENTITY in codings else codings[0]


def _has_it(request: web.Request, tag: str, unchanged_since: datetime | None) -> bool:
    tags = request.headers.getall(hdrs.IF_NONE_MATCH, None)
    if tags is not None:
        # In a list that is well formed a tag with both its quotes stands for itself only, weak (`W/`) or not.
        return any(tag in each or each.strip() == "*" for each in tags)
    if unchanged_since is None:
        return False
    try:
        since = request.if_modified_since
    except OverflowError:  # aiohttp believes any year
        return False
    return since is not None and since >= unchanged_since


async def _encoded(app: web.Application, ready: Ready, coding: str) -> bytes:
    if coding == IDENTITY:
        return ready.body
    if ready.forms is not None and coding in ready.forms:
        return ready.forms[coding]
    make = partial(compressed, coding, ready.body)
    made = make() if len(ready.body) <= LONG else await app[FORMS].get(ready.tag(coding), make, len)
    if ready.forms is not None:
        ready.forms[coding] = made
    return made


def _last_change(app: web.Application) -> datetime:
    """Of all that an answer may be made of, but for the clock."""
    told, loaded = app[keys.AVAILABILITY].changed_at, app[keys.INVENTORY].loaded_at
    return max(told, loaded) if told and loaded else told or loaded or _NOT_KNOWN


@lru_cache(maxsize=1024)
def _http_date(seconds: int) -> str:
    return formatdate(seconds, usegmt=True)
