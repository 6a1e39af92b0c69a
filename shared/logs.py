"""Logs: events with fields, one a line; JSON for machines, text for people."""

import logging
import sys
from enum import StrEnum
from typing import Final

# structlog would import rich where that is installed, for tracebacks that are never drawn: a tenth of a start.
if absent := "rich" not in sys.modules:
    sys.modules["rich"] = None  # type: ignore[assignment] # what makes an import fail
import structlog

if absent:
    del sys.modules["rich"]

OURS: Final = ("__main__", "api_service", "deploy", "shared", "sync_service")
"""What `--debug` makes talk, and nothing else: keystoneauth's DEBUG holds whole response bodies, with users' names
and tokens, and RabbitMQ's client shows every frame."""


class LogFormat(StrEnum):
    """`auto` is `text` on a terminal and `json` elsewhere."""

    AUTO = "auto"
    JSON = "json"
    TEXT = "text"


def configure_logging(form: LogFormat, *, debug: bool = False) -> None:
    """Sends structlog's events, the standard library's records and warnings to standard error, in one form."""
    text = form is LogFormat.TEXT or (form is LogFormat.AUTO and sys.stderr.isatty())
    fields: list[structlog.typing.Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.processors.StackInfoRenderer(),
    ]
    structlog.configure(
        processors=[structlog.stdlib.filter_by_level, *fields, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
    )
    handler = logging.StreamHandler(sys.stderr)
    handler.addFilter(_worth_telling)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=fields,
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, *_renderers(text=text)],
        )
    )
    logging.basicConfig(level=logging.INFO, handlers=[handler], force=True)
    logging.captureWarnings(capture=True)
    for name in OURS:
        logging.getLogger(name).setLevel(logging.DEBUG if debug else logging.NOTSET)


def _worth_telling(record: logging.LogRecord) -> bool:
    """Not what aiohttp says, with a traceback and the bytes, of a request that is no HTTP: scanners send such."""
    if not record.exc_info:
        return True
    # Settings, which are read before all else, name the form of logs: with this at the top they would wait for aiohttp.
    from aiohttp.http_exceptions import HttpProcessingError  # noqa: PLC0415

    return not isinstance(record.exc_info[1], HttpProcessingError)


def _renderers(*, text: bool) -> list[structlog.typing.Processor]:
    if not text:
        return [structlog.processors.format_exc_info, structlog.processors.JSONRenderer()]
    # Its own choice of a traceback, where rich is installed, shows local variables: passwords and tokens.
    plain = structlog.dev.plain_traceback
    return [structlog.dev.ConsoleRenderer(colors=sys.stderr.isatty(), exception_formatter=plain)]
