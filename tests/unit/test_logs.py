"""One event a line, in one form, whoever logs; and what never gets into it."""

import io
import json
import logging
import sys
import warnings
from collections.abc import Iterator

import pytest
import structlog
from aiohttp.http_exceptions import BadHttpMessage

from shared.broker import BrokerTransport
from shared.logs import OURS, LogFormat, configure_logging

log = structlog.get_logger("shared.something")

OTHERS = ["asyncio", "blazarclient", "keystoneauth", "openstack", "stevedore", "urllib3"]


class Terminal(io.StringIO):
    """Standard error that somebody looks at."""

    def isatty(self) -> bool:
        return True


@pytest.fixture(autouse=True)
def untouched_afterwards() -> Iterator[None]:
    """Logging is the process's own: whatever a test configures is taken back."""
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    root.handlers = []  # pytest's own, which `configure_logging` would close
    yield
    for handler in root.handlers:
        handler.close()
    root.handlers = handlers
    root.setLevel(level)
    for name in OURS:
        logging.getLogger(name).setLevel(logging.NOTSET)
    logging.captureWarnings(capture=False)
    structlog.reset_defaults()


def lines(capsys: pytest.CaptureFixture[str]) -> list[str]:
    captured = capsys.readouterr()
    assert captured.out == ""
    return captured.err.splitlines()


def test_an_event_is_one_line_of_json_with_its_fields(capsys: pytest.CaptureFixture[str]) -> None:
    configure_logging(LogFormat.JSON)
    log.warning("site unreachable", site_id="tacc", reason="two\nlines")
    [line] = lines(capsys)
    event = json.loads(line)
    assert event.pop("timestamp").endswith("Z")
    assert event == {
        "event": "site unreachable",
        "site_id": "tacc",
        "reason": "two\nlines",
        "level": "warning",
        "logger": "shared.something",
    }


def test_what_libraries_log_has_the_same_form(capsys: pytest.CaptureFixture[str]) -> None:
    configure_logging(LogFormat.JSON)
    logging.getLogger("urllib3.connection").error("connection %s", "lost")
    [line] = lines(capsys)
    event = json.loads(line)
    assert (event["event"], event["level"], event["logger"]) == ("connection lost", "error", "urllib3.connection")


def test_a_warning_has_the_same_form(capsys: pytest.CaptureFixture[str]) -> None:
    configure_logging(LogFormat.JSON)
    with warnings.catch_warnings():
        warnings.simplefilter("always")
        logging.captureWarnings(capture=True)
        warnings.warn("soon gone", stacklevel=1)
    [line] = lines(capsys)
    assert "soon gone" in json.loads(line)["event"]


def test_a_traceback_stays_on_its_line(capsys: pytest.CaptureFixture[str]) -> None:
    configure_logging(LogFormat.JSON)
    try:
        raise LookupError("nothing here")
    except LookupError as error:
        log.error("surprise", exc_info=error)
    [line] = lines(capsys)
    assert "LookupError: nothing here" in json.loads(line)["exception"]


@pytest.mark.parametrize("form", LogFormat)
def test_a_traceback_never_shows_local_variables(form: LogFormat, capsys: pytest.CaptureFixture[str]) -> None:
    configure_logging(form)
    password = "hush-" * 2  # spelt so that its source line does not show it
    try:
        raise LookupError(len(password))
    except LookupError as error:
        log.error("surprise", exc_info=error)
    assert "hush-hush-" not in "".join(lines(capsys))


def test_auto_is_json_where_nobody_looks(capsys: pytest.CaptureFixture[str]) -> None:
    configure_logging(LogFormat.AUTO)
    log.info("started")
    [line] = lines(capsys)
    assert json.loads(line)["event"] == "started"


def test_auto_is_text_on_a_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    terminal = Terminal()
    monkeypatch.setattr(sys, "stderr", terminal)
    configure_logging(LogFormat.AUTO)
    log.info("started", port=8000)
    assert "started" in terminal.getvalue()
    assert not terminal.getvalue().startswith("{")


def test_text_without_a_terminal_has_no_colours(capsys: pytest.CaptureFixture[str]) -> None:
    configure_logging(LogFormat.TEXT)
    log.info("started", port=8000)
    [line] = lines(capsys)
    assert "started" in line
    assert "port=8000" in line
    assert "\x1b" not in line


@pytest.mark.parametrize("form", LogFormat)
def test_what_a_client_sends_neither_begins_a_line_nor_changes_its_colour(
    form: LogFormat, capsys: pytest.CaptureFixture[str]
) -> None:
    configure_logging(form, debug=True)
    log.debug("request", path="/\r\n2030-01-01T00:00:00Z [error    ] forged \x1b[31m\u2028")
    [line] = lines(capsys)
    assert line.isprintable()


def test_debug_events_are_told_only_if_asked_for(capsys: pytest.CaptureFixture[str]) -> None:
    configure_logging(LogFormat.JSON)
    log.debug("small thing")
    assert lines(capsys) == []
    configure_logging(LogFormat.JSON, debug=True)
    log.debug("small thing")
    assert len(lines(capsys)) == 1
    configure_logging(LogFormat.JSON)
    log.debug("small thing")
    assert lines(capsys) == []


@pytest.mark.parametrize("name", OTHERS)
def test_debug_never_makes_libraries_talk(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    configure_logging(LogFormat.JSON, debug=True)
    for logger in (name, f"{name}.session"):
        logging.getLogger(logger).debug("a body with a token")
        logging.getLogger(logger).info("a milestone")
    assert [json.loads(line)["event"] for line in lines(capsys)] == ["a milestone", "a milestone"]


@pytest.mark.parametrize("name", ["aiormq", "aio_pika"])
def test_the_brokers_client_which_repeats_its_url_says_nothing(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    BrokerTransport("amqp://localhost/", name="test")
    configure_logging(LogFormat.JSON, debug=True)
    logging.getLogger(f"{name}.connection").error("cannot connect to amqp://user:password@host")
    assert lines(capsys) == []


def test_a_request_that_is_no_http_is_not_told_with_its_bytes(capsys: pytest.CaptureFixture[str]) -> None:
    configure_logging(LogFormat.JSON, debug=True)
    server = logging.getLogger("aiohttp.server")
    server.error("Error handling request", exc_info=BadHttpMessage("Authorization: secret"))
    assert lines(capsys) == []
    server.error("Error handling request", exc_info=RuntimeError("a fault of ours"))
    # As asyncio says that there is no error.
    server.error("Error handling request", exc_info=False)
    assert len(lines(capsys)) == 2


def test_configuring_twice_tells_everything_once(capsys: pytest.CaptureFixture[str]) -> None:
    configure_logging(LogFormat.JSON)
    configure_logging(LogFormat.JSON)
    log.info("started")
    assert len(lines(capsys)) == 1
