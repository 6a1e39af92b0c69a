"""Where settings come from, which source wins, and what is said when one is wrong."""

import os
import re
import stat
import tomllib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import pytest

from api_service.settings import load_settings as load_api
from shared.logs import LogFormat
from shared.settings import SharedSettings
from shared.settings_sources import MAX_CONFIG_BYTES, MAX_ERRORS_TOLD, Loaded
from sync_service.settings import load_settings as load_sync

type Load = Callable[[list[str], Mapping[str, str]], Loaded[SharedSettings]]

SERVICES: dict[str, Load] = {"reference-api": load_api, "reference-sync": load_sync}
both_services = pytest.mark.parametrize("service", SERVICES)


@dataclass(frozen=True)
class Row:
    """A row of the settings table: the same setting from each of its sources, and what comes of it."""

    service: str
    setting: str
    default: object
    toml: tuple[str, object]
    variable: tuple[str, str, object] | None = None
    flag: tuple[str, str, object] | None = None

    def __str__(self) -> str:
        return f"{self.service} {self.setting}"


AMQP = "amqps://user:secret@{}:5671/vhost"
ROWS = [
    Row(
        "reference-api",
        "server.host",
        "0.0.0.0",
        ('"1.1.1.1"', "1.1.1.1"),
        ("REFERENCE_API_HOST", "2.2.2.2", "2.2.2.2"),
        ("--host", "3.3.3.3", "3.3.3.3"),
    ),
    Row(
        "reference-api",
        "server.port",
        8000,
        ("1", 1),
        ("REFERENCE_API_PORT", "2", 2),
        ("--port", "3", 3),
    ),
    Row(
        "reference-api",
        "reference.ref_dir",
        Path("reference-repository/data/chameleoncloud"),
        ('"a"', Path("a")),
        ("REFERENCE_API_REF_DIR", "b", Path("b")),
        ("--ref-dir", "c", Path("c")),
    ),
    Row("reference-sync", "sync.host", "0.0.0.0", ('"::1"', "::1"), ("REFERENCE_SYNC_HOST", "2.2.2.2", "2.2.2.2")),
    Row("reference-sync", "sync.port", 8081, ("1", 1), ("REFERENCE_SYNC_PORT", "2", 2)),
    *(
        row
        for service in SERVICES
        for row in (
            Row(
                service,
                "broker.url",
                "amqp://guest:guest@localhost/",
                (f'"{AMQP.format("file")}"', AMQP.format("file")),
                ("REFERENCE_API_BROKER_URL", AMQP.format("variable"), AMQP.format("variable")),
            ),
            Row(service, "broker.job_queue_type", "classic", ('"quorum"', "quorum")),
            Row(service, "server.root_path", "", ('"/hardware"', "/hardware")),
            Row(service, "server.cors_origins", ("*",), ('["https://a.example"]', ("https://a.example",))),
            Row(service, "server.max_event_readers", 10_000, ("5", 5)),
            Row(service, "reference.reload_interval_seconds", 10, ("2.5", 2.5)),
            Row(service, "sync.max_concurrent_polls", 32, ("4", 4)),
            Row(service, "log.format", LogFormat.AUTO, ('"json"', LogFormat.JSON)),
            Row(service, "availability.poll_interval_seconds", 60, ("5", 5)),
            Row(service, "availability.site_timeout_seconds", 120, ("5", 5)),
            Row(service, "availability.error_backoff_seconds", 60, ("5", 5)),
            Row(service, "availability.hosts_interval_seconds", 300, ("5", 5)),
        )
    ),
]


@pytest.fixture(autouse=True)
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty working directory: the project root as the services see it."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


def written(content: str | bytes, path: str = "etc/config.toml") -> Path:
    """The configuration file, with `content`."""
    file = Path(path)
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_bytes(content.encode() if isinstance(content, str) else content)
    return file


def value_of(row: Row, argv: list[str], environ: Mapping[str, str]) -> object:
    section, key = row.setting.split(".")
    value = getattr(getattr(SERVICES[row.service](argv, environ).settings, section), key)
    return value.get_secret_value() if row.setting == "broker.url" else value


@pytest.mark.parametrize("row", ROWS, ids=str)
def test_the_command_line_wins_over_the_environment_over_the_file_over_the_default(row: Row) -> None:
    environ: dict[str, str] = {}
    argv: list[str] = []
    assert value_of(row, argv, environ) == row.default
    section, key = row.setting.split(".")
    written(f"[{section}]\n{key} = {row.toml[0]}\n")
    assert value_of(row, argv, environ) == row.toml[1]
    if row.variable:
        environ[row.variable[0]] = row.variable[1]
        assert value_of(row, argv, environ) == row.variable[2]
    if row.flag:
        argv += row.flag[:2]
        assert value_of(row, argv, environ) == row.flag[2]


@pytest.mark.parametrize("row", [row for row in ROWS if row.variable], ids=str)
def test_an_empty_variable_counts_as_unset(row: Row) -> None:
    assert row.variable
    assert value_of(row, [], {row.variable[0]: ""}) == row.default


@both_services
@pytest.mark.parametrize("section", ["availability", "flavor_availability"])
def test_sites_have_a_table_each_and_none_by_default(service: str, section: str) -> None:
    assert getattr(SERVICES[service]([], {}).settings, section).sites == {}
    written(f'[{section}.sites.tacc]\ncloud = "chi_tacc"\n[{section}.sites.uc-2]\ncloud = "kvm"\n')
    sites = getattr(SERVICES[service]([], {}).settings, section).sites
    assert {site: each.cloud for site, each in sites.items()} == {"tacc": "chi_tacc", "uc-2": "kvm"}


@both_services
def test_the_file_is_named_by_the_flag_before_the_variable_before_the_default(service: str) -> None:
    written("[sync]\nport = 1\n")
    written("[sync]\nport = 2\n", "variable.toml")
    written("[sync]\nport = 3\n", "flag.toml")
    load = SERVICES[service]
    variable = {"REFERENCE_API_CONFIG": "variable.toml"}
    assert load([], {}).settings.sync.port == 1
    assert load([], {"REFERENCE_API_CONFIG": ""}).settings.sync.port == 1
    assert load([], variable).settings.sync.port == 2
    assert load(["--config", "flag.toml"], variable).settings.sync.port == 3


@both_services
def test_debug_is_a_flag_and_nothing_else(service: str) -> None:
    assert SERVICES[service](["--debug"], {}).debug
    assert not SERVICES[service]([], {"REFERENCE_API_DEBUG": "1"}).debug


def test_relative_paths_are_taken_from_the_working_directory(project: Path) -> None:
    written('[reference]\nref_dir = "inventory"\n', "elsewhere/config.toml")
    ref_dir = load_api(["--config", "elsewhere/config.toml"], {}).settings.reference.ref_dir
    assert ref_dir.absolute() == project / "inventory"


def test_the_api_services_address_never_touches_the_sync_service() -> None:
    environ = {"REFERENCE_API_PORT": "not even a number", "REFERENCE_API_HOST": "9.9.9.9", "REFERENCE_API_REF_DIR": "x"}
    assert load_sync([], environ).settings == load_sync([], {}).settings


@both_services
def test_help_tells_every_variable_and_ends_well(service: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        SERVICES[service](["--help"], {})
    assert ended.value.code == 0
    told = capsys.readouterr().out
    variables = {row.variable[0] for row in ROWS if row.service == service and row.variable} | {"REFERENCE_API_CONFIG"}
    assert [name for name in variables if name not in told] == []


@pytest.fixture
def refused(capsys: pytest.CaptureFixture[str]) -> Callable[..., str]:
    """Loads settings that must be refused; returns the one line that is said."""

    def refused(service: str, argv: list[str], environ: Mapping[str, str]) -> str:
        with pytest.raises(SystemExit) as ended:
            SERVICES[service](argv, environ)
        assert ended.value.code == 2
        captured = capsys.readouterr()
        assert captured.out == ""
        [line] = captured.err.splitlines()
        assert captured.err.isprintable() or captured.err == line + "\n"
        assert line.startswith(f"{service}: error: ")
        assert "hush" not in line  # whatever the tests below hide in a wrong value
        return line.removeprefix(f"{service}: error: ")

    return refused


type Refused = Callable[[str, list[str], Mapping[str, str]], str]


@both_services
@pytest.mark.parametrize(
    ("content", "key"),
    [
        ('[server]\nport = "hush"', "server.port"),
        ("[server]\nport = 70000", "server.port"),
        ("[server]\nport = true", "server.port"),
        ("[server]\nport = -1", "server.port"),
        ('[server]\nhost = ""', "server.host"),
        ('[server]\nhost = "hush hush"', "server.host"),
        ('[server]\nroot_path = "hush"', "server.root_path"),
        ('[server]\nroot_path = "/hush/"', "server.root_path"),
        ('[server]\ncors_origins = ["https://hush/"]', "server.cors_origins.0"),
        ('[server]\ncors_origins = "hush"', "server.cors_origins"),
        ("[reference]\nreload_interval_seconds = 0", "reference.reload_interval_seconds"),
        ('[reference]\nref_dir = "hush\\u0000"', "reference.ref_dir"),
        ('[broker]\nurl = "http://hush"', "broker.url"),
        ('[broker]\njob_queue_type = "hush"', "broker.job_queue_type"),
        ("[sync]\nmax_concurrent_polls = 0", "sync.max_concurrent_polls"),
        ('[log]\nformat = "hush"', "log.format"),
        ("[availability]\npoll_interval_seconds = nan", "availability.poll_interval_seconds"),
        ("[availability]\npoll_interval_seconds = inf", "availability.poll_interval_seconds"),
        ("[availability]\nsite_timeout_seconds = 2020-01-01", "availability.site_timeout_seconds"),
        ("[availability]\nerror_backoff_seconds = -1", "availability.error_backoff_seconds"),
        ("[availability.sites.tacc]", "availability.sites.tacc.cloud"),
        ('[availability.sites.tacc]\ncloud = ""', "availability.sites.tacc.cloud"),
        ('[availability.sites.tacc]\ncloud = "x"\npassword = "hush"', "availability.sites.tacc.password"),
        ('[flavor_availability.sites."../x"]\ncloud = "hush"', "flavor_availability.sites.../x"),
        ('[availability.sites]\ntacc = "hush"', "availability.sites.tacc"),
        ('server = "hush"', "server"),
        ('[availability]\nsites = "hush"', "availability.sites"),
        ('[serve]\nport = "hush"', "serve"),
        ('[server]\npotr = "hush"', "server.potr"),
        ('[server]\n"po\\u001brt\\n" = "hush"', "server.po?rt?"),
    ],
)
def test_a_wrong_setting_of_the_file_is_named_with_the_file(
    service: str, content: str, key: str, refused: Refused
) -> None:
    written(content)
    assert refused(service, [], {}).startswith(f"etc/config.toml: {key}")


@pytest.mark.parametrize(
    ("variable", "value", "key"),
    [
        ("REFERENCE_API_PORT", "hush", "server.port"),
        ("REFERENCE_API_PORT", "65536", "server.port"),
        ("REFERENCE_API_HOST", "hush hush", "server.host"),
        ("REFERENCE_API_REF_DIR", "hush" * 1000, "reference.ref_dir"),
        ("REFERENCE_API_BROKER_URL", "hush", "broker.url"),
        ("REFERENCE_API_BROKER_URL", "amqp://user:pass/hush@host/", "broker.url"),
        ("REFERENCE_API_BROKER_URL", "amqp://:hush@/", "broker.url"),
        ("REFERENCE_API_BROKER_URL", "amqp://[hush", "broker.url"),
        ("REFERENCE_API_BROKER_URL", "amqp://host/" + "hush" * 1000, "broker.url"),
    ],
)
def test_a_wrong_variable_is_named_with_the_key(variable: str, value: str, key: str, refused: Refused) -> None:
    assert refused("reference-api", [], {variable: value}).startswith(f"{variable} ({key}): ")


def test_the_sync_services_own_variables_are_named_too(refused: Refused) -> None:
    assert refused("reference-sync", [], {"REFERENCE_SYNC_PORT": "hush"}).startswith("REFERENCE_SYNC_PORT (sync.port)")


@pytest.mark.parametrize(("flag", "key"), [("--port", "server.port"), ("--host", "server.host")])
def test_a_wrong_flag_is_named_with_the_key_even_if_the_environment_is_right(
    flag: str, key: str, refused: Refused
) -> None:
    environ = {"REFERENCE_API_PORT": "80", "REFERENCE_API_HOST": "host"}
    assert refused("reference-api", [flag, "hush hush"], environ).startswith(f"{flag} ({key}): ")


@both_services
@pytest.mark.parametrize(
    ("argv", "source"),
    [
        (["--broker-url", "amqp://user:hush@host/"], "--broker-url"),
        (["--broker-url=amqp://user:hush@host/"], "--broker-url"),
        (["hush"], "command line"),
        (["-phush"], "command line"),
        (["--debug=hush"], "argument --debug"),
        (["--config"], "argument --config"),
        (["--config", ""], "--config"),
        (["--conf", "hush"], "--conf"),
    ],
)
def test_an_unknown_argument_is_named_without_its_value(
    service: str, argv: list[str], source: str, refused: Refused
) -> None:
    assert refused(service, argv, {}).startswith(f"{source}: ")


@both_services
def test_several_errors_are_one_line_and_not_endless(service: str, refused: Refused) -> None:
    written("".join(f"unknown_{number} = 1\n" for number in range(MAX_ERRORS_TOLD + 20)))
    line = refused(service, [], {})
    assert line.count("there is no such setting") == MAX_ERRORS_TOLD
    assert line.endswith("and 20 more")


@both_services
def test_a_file_may_begin_with_the_mark_that_some_editors_put_there(service: str) -> None:
    written("[server]\nport = 1234\n".encode("utf-8-sig"))
    assert SERVICES[service]([], {}).settings.server.port == 1234


@both_services
@pytest.mark.parametrize(
    ("content", "reason"),
    [
        ("[server\n", "not TOML"),
        ('a = "hush', "not TOML"),
        ("a = 1\na = 2\n", "not TOML"),
        ("a = " + "9" * 5000, "not TOML"),
        ("a = " + "[" * 50_000, "not TOML"),
        (b"a = '\xff\xfe'", "not UTF-8"),
        ("a = 1\n".encode("utf-16"), "UTF-16; TOML is UTF-8"),
        (b"#" * (MAX_CONFIG_BYTES + 1), "larger than"),
    ],
    ids=["table", "string", "twice", "integer", "nesting", "encoding", "utf-16", "size"],
)
@pytest.mark.parametrize(
    ("argv", "environ", "named"),
    [
        ([], {}, "etc/config.toml: "),
        ([], {"REFERENCE_API_CONFIG": "etc/config.toml"}, "REFERENCE_API_CONFIG: etc/config.toml: "),
        (["--config", "etc/config.toml"], {}, "--config: etc/config.toml: "),
    ],
    ids=["default", "variable", "flag"],
)
def test_an_unusable_file_is_named_with_the_reason(
    service: str,
    content: str | bytes,
    reason: str,
    argv: list[str],
    environ: dict[str, str],
    named: str,
    refused: Refused,
) -> None:
    written(content)
    assert refused(service, argv, environ).startswith(named + reason)


@both_services
def test_a_file_that_was_asked_for_must_exist(service: str, refused: Refused) -> None:
    assert refused(service, ["--config", "no.toml"], {}) == "--config: no.toml: there is no such file"
    environ = {"REFERENCE_API_CONFIG": "no.toml"}
    assert refused(service, [], environ) == "REFERENCE_API_CONFIG: no.toml: there is no such file"


@both_services
def test_a_folder_is_no_file(service: str, refused: Refused) -> None:
    assert refused(service, ["--config", "."], {}) == "--config: .: Is a directory"


@both_services
def test_a_file_that_may_not_be_read_is_named(service: str, refused: Refused) -> None:
    file = written("")
    if os.geteuid() == 0:
        # The superuser may read anything: a symbolic link to itself is what nobody can open.
        file.unlink()
        file.symlink_to(file.name)
        assert refused(service, [], {}).startswith("etc/config.toml: Too many levels")
    else:
        file.chmod(stat.S_IWUSR)
        assert refused(service, [], {}) == "etc/config.toml: Permission denied"


def test_the_brokers_address_is_never_shown() -> None:
    settings = load_api([], {"REFERENCE_API_BROKER_URL": "amqp://user:hush@host/"}).settings
    assert "hush" not in f"{settings} {settings!r} {settings.model_dump()}"
    assert settings.broker.url.get_secret_value() == "amqp://user:hush@host/"


def test_settings_cannot_be_changed() -> None:
    settings = load_api([], {}).settings
    with pytest.raises(ValueError, match="frozen"):
        settings.server.port = 1  # type: ignore[misc]


EXAMPLE = (Path(__file__).parents[2] / "etc/config.toml").read_text()


@both_services
def test_the_example_file_changes_nothing(service: str) -> None:
    unchanged = SERVICES[service]([], {}).settings
    written(EXAMPLE)
    assert SERVICES[service]([], {}).settings == unchanged


@both_services
def test_the_example_file_shows_every_setting_with_its_default(service: str) -> None:
    unchanged = SERVICES[service]([], {}).settings
    shown = re.sub(r"^#(?=\w)", "", EXAMPLE, flags=re.MULTILINE)
    written(shown)
    assert SERVICES[service]([], {}).settings == unchanged
    expected = {
        (section, key) for section, values in unchanged.model_dump().items() for key in values if key != "sites"
    }
    assert {(section, key) for section, values in tomllib.loads(shown).items() for key in values} == expected


@both_services
def test_the_example_files_site_tables_are_right(service: str) -> None:
    tables = "".join(line.removeprefix("#   ") for line in EXAMPLE.splitlines(keepends=True) if line.startswith("#   "))
    written(tables)
    settings = SERVICES[service]([], {}).settings
    assert settings.availability.sites["tacc"].cloud == settings.flavor_availability.sites["tacc"].cloud == "chi_tacc"
