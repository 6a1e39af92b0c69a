"""The adapter, with the real openstacksdk and blazarclient, against the simulated cloud."""

import asyncio
import contextlib
import functools
import gzip
import json
import logging
import socket
import ssl
import threading
import warnings
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import requests
import trustme
import urllib3
from aiohttp import ClientSession, web
from aiohttp.test_utils import RawTestServer, TestServer
from cryptography.hazmat.primitives import serialization

from deploy.local.openstack import SimulatedCloud, faults
from deploy.local.openstack.listener import Listener
from deploy.local.openstack.site import PEOPLE
from shared.availability import Interval, utc_now
from shared.logs import LogFormat, configure_logging
from sync_service.adapters import clouds, limited_http
from sync_service.adapters.answers import AnswerStore
from sync_service.adapters.blazar import BlazarFlavors, BlazarSite
from sync_service.adapters.clouds import Cloud, _named
from sync_service.adapters.limited_http import LimitedHttp
from sync_service.domain.judgement import Allocation, Host
from sync_service.domain.ports import NotPublishedError, SourceError, TroubleKind
from tests.blazar_cases import (
    SHORT,
    TIMEOUT,
    CloudUnderTest,
    CredentialCases,
    FaultCases,
    ReadingCases,
    RegionCases,
    in_time,
    site_threads,
)
from tests.eventually import until, until_answered
from tests.tcp_proxy import TcpProxy

NOON = datetime(2026, 11, 22, 12, tzinfo=UTC)
DAY = Interval(NOON, NOON + timedelta(days=1))


@pytest.fixture
async def simulated() -> AsyncIterator[SimulatedCloud]:
    sites: dict[str, list[str | None]] = {"uc": ["a", "b", None], "tacc": ["c"]}
    async with SimulatedCloud(sites, flavors={"uc": ["m1.tiny", "m1.large"]}) as cloud:
        now = utc_now()
        cloud.sites["uc"].add_lease("b", now, now + timedelta(hours=1), user_name=PEOPLE[0])
        yield cloud


@pytest.fixture
def cloud(simulated: SimulatedCloud, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> CloudUnderTest:
    path = tmp_path / "clouds.yaml"
    path.write_text(simulated.clouds_yaml())
    monkeypatch.setenv("OS_CLIENT_CONFIG_FILE", str(path))
    blazar = simulated.sites["uc"].listener
    return CloudUnderTest(path, "uc", "tacc", "a", blazar, simulated.identity, people=PEOPLE)


@pytest.fixture
def source(cloud: CloudUnderTest) -> Iterator[BlazarSite]:
    source = BlazarSite(cloud.site, timeout=TIMEOUT)
    yield source
    source.close()


@pytest.fixture
def hasty_source(cloud: CloudUnderTest) -> Iterator[BlazarSite]:
    source = BlazarSite(cloud.site, timeout=SHORT / 4)
    yield source
    source.close()


@pytest.fixture
def flavors(cloud: CloudUnderTest) -> Iterator[BlazarFlavors]:
    source = BlazarFlavors(cloud.site, timeout=TIMEOUT)
    yield source
    source.close()


class TestReading(ReadingCases):
    async def test_hosts_and_bookings_come_out_as_ours(self, simulated: SimulatedCloud, source: BlazarSite) -> None:
        [lease] = simulated.sites["uc"].leases.values()
        simulated.sites["uc"].update_host("a", disabled=True)
        assert await source.hosts() == (Host("1", "a", maintenance=True), Host("2", "b"), Host("3", None))
        bookings = (Allocation("1"), Allocation("2", (lease.during,)), Allocation("3"))
        assert await source.allocations() == bookings

    async def test_an_empty_list_is_an_answer(self, cloud: CloudUnderTest, source: BlazarSite) -> None:
        await cloud.blazar.break_with(faults.emptied)
        assert (await source.hosts(), await source.allocations()) == ((), ())

    async def test_an_answer_without_its_list_is_a_failure(
        self, cloud: CloudUnderTest, simulated: SimulatedCloud
    ) -> None:
        cloud.changed("uc", reservation_endpoint_override=f"{simulated.sites['uc'].url}/compute/v2.1/flavors/detail?x=")
        with pytest.raises(SourceError, match=r"the answer of Blazar cannot be read \(KeyError\)"):
            await BlazarSite("uc", timeout=TIMEOUT).hosts()

    async def test_a_body_that_is_too_large_is_a_failure(self, cloud: CloudUnderTest) -> None:
        source = BlazarSite("uc", timeout=TIMEOUT, max_answer_bytes=500)
        with pytest.raises(SourceError, match="an answer of more than 500 bytes") as failure:
            await source.hosts()
        assert failure.value.kind is TroubleKind.TOO_LARGE


class TestLargeAnswers:
    async def test_hosts_and_bookings_are_read_as_of_any_other(
        self, cloud: CloudUnderTest, simulated: SimulatedCloud, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        simulated.sites["uc"].update_host("a", note="x" * 9000)
        for number in range(99):
            start = NOON + timedelta(days=1000 + number)
            simulated.sites["uc"].add_lease("b", start, start + timedelta(hours=1))
        found = []
        for most in (8000, 100_000):
            monkeypatch.setattr(limited_http, "SMALL_ANSWER_BYTES", most)
            source = BlazarSite("uc", timeout=TIMEOUT)
            found.append((await source.hosts(), await source.allocations()))
            source.close()
        assert found[0] == found[1]
        assert len(found[0][1][1].reservations) == 100

    async def test_what_answers_take_of_the_store_is_given_back_whatever_comes_of_them(
        self, cloud: CloudUnderTest, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        store = AnswerStore(1000)
        monkeypatch.setattr(clouds, "LimitedHttp", functools.partial(LimitedHttp, store=store))
        monkeypatch.setattr(limited_http, "SMALL_ANSWER_BYTES", 20_000)
        source = BlazarSite("uc", timeout=TIMEOUT)
        for said in (b'{"hosts": [1' + b" " * 20_000, b'{"hosts": []}' + b" " * 20_000, b" " * 22_000):
            await cloud.blazar.break_with(faults.body(said))
            with contextlib.suppress(SourceError):
                await source.hosts()
        store.take(1000)

    async def test_an_answer_that_is_coded_twice_is_refused(self, cloud: CloudUnderTest, source: BlazarSite) -> None:
        said = gzip.compress(gzip.compress(b'{"hosts": []}'))
        await cloud.blazar.break_with(faults.body(said, Content_Encoding="gzip, gzip"))
        with pytest.raises(SourceError, match="an answer that is coded more than once"):
            await source.hosts()

    async def test_a_large_error_is_known_by_its_status(self, cloud: CloudUnderTest, source: BlazarSite) -> None:
        await cloud.blazar.break_with(faults.body(b"x" * 100_000, 502))
        with pytest.raises(SourceError, match="Blazar answers 502"):
            await source.hosts()


class TestRegions(RegionCases):
    async def test_a_service_that_is_missing_from_the_catalog_is_named(
        self, simulated: SimulatedCloud, source: BlazarSite
    ) -> None:
        simulated.sites["uc"].in_catalog = False
        with pytest.raises(SourceError, match="no service of type 'reservation' with interface 'public'"):
            await source.hosts()
        simulated.sites["uc"].in_catalog = True
        assert await source.hosts()

    async def test_a_service_that_leaves_the_catalog_later_is_named_too(
        self, cloud: CloudUnderTest, simulated: SimulatedCloud, source: BlazarSite
    ) -> None:
        await source.hosts()
        simulated.sites["uc"].in_catalog = False
        simulated.keystone.expire_tokens()
        await source.hosts()  # begun with the old catalog
        with pytest.raises(SourceError, match="the catalog has no endpoint of Blazar") as failure:
            await source.hosts()
        assert failure.value.kind is TroubleKind.CATALOG

    async def test_the_interface_of_clouds_yaml_is_used(self, cloud: CloudUnderTest, simulated: SimulatedCloud) -> None:
        simulated.keystone.interfaces = ("internal",)
        cloud.changed("uc", interface="internal")
        source = BlazarSite("uc", timeout=TIMEOUT)
        assert await source.hosts()
        source.close()

    async def test_an_endpoint_of_clouds_yaml_is_preferred_to_the_catalog(
        self, cloud: CloudUnderTest, simulated: SimulatedCloud
    ) -> None:
        cloud.changed("uc", reservation_endpoint_override=f"{simulated.sites['tacc'].url}/v1")
        source = BlazarSite("uc", timeout=TIMEOUT)
        assert [host.node_id for host in await source.hosts()] == ["c"]
        source.close()


class TestCredentials(CredentialCases):
    async def test_tokens_that_are_over_are_renewed(self, simulated: SimulatedCloud, source: BlazarSite) -> None:
        await source.hosts()
        simulated.keystone.expire_tokens()
        assert await source.hosts()

    async def test_a_credential_deleted_under_a_kept_client_is_told_and_a_new_one_noticed(
        self, cloud: CloudUnderTest, simulated: SimulatedCloud, source: BlazarSite
    ) -> None:
        await source.hosts()
        simulated.delete_credential("uc")
        assert await source.hosts(), "the token is still good"
        simulated.keystone.expire_tokens()
        for _ in range(2):
            with pytest.raises(SourceError, match="Keystone answers 404"):
                await source.hosts()
        simulated.renew_credential("uc")
        cloud.clouds_file.write_text(simulated.clouds_yaml())
        assert await source.hosts()

    async def test_a_secret_may_be_in_secure_yaml_and_is_noticed_when_it_changes(
        self, cloud: CloudUnderTest, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        entry = json.loads(cloud.clouds_file.read_text())["clouds"]["uc"]["auth"]
        secure = cloud.clouds_file.with_name("secure.yaml")
        monkeypatch.setenv("OS_CLIENT_SECURE_FILE", str(secure))
        cloud.changed("uc", auth={"application_credential_secret": "in secure.yaml"})
        secret = {"application_credential_secret": entry["application_credential_secret"]}
        secure.write_text(json.dumps({"clouds": {"uc": {"auth": secret}}}))
        source = BlazarSite("uc", timeout=TIMEOUT)
        assert await source.hosts()
        secure.write_text(json.dumps({"clouds": {"uc": {"auth": {"application_credential_secret": "wrong"}}}}))
        with pytest.raises(SourceError, match="Keystone answers 401"):
            await source.hosts()

    async def test_a_file_that_comes_beside_the_others_is_noticed_once_the_credential_was_refused(
        self, simulated: SimulatedCloud, cloud: CloudUnderTest, source: BlazarSite, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        secure = cloud.clouds_file.with_name("secure.yaml")
        monkeypatch.setenv("OS_CLIENT_SECURE_FILE", str(secure))
        await source.hosts()
        simulated.delete_credential("uc")
        simulated.keystone.expire_tokens()
        with pytest.raises(SourceError, match="Keystone answers 404"):
            await source.hosts()
        simulated.renew_credential("uc")
        renewed = json.loads(simulated.clouds_yaml())["clouds"]["uc"]["auth"]
        secure.write_text(json.dumps({"clouds": {"uc": {"auth": renewed}}}))
        assert await source.hosts()

    async def test_policy_that_forbids_reading_is_told_as_the_operators_matter(
        self, simulated: SimulatedCloud, source: BlazarSite
    ) -> None:
        simulated.sites["uc"].admin_only = True
        with pytest.raises(SourceError, match=r"policy blazar:oshosts:get forbids .*the site's operator must allow it"):
            await source.hosts()


class TestFaults(FaultCases):
    async def test_calls_run_in_daemon_threads_so_that_exit_waits_for_none(
        self, cloud: CloudUnderTest, source: BlazarSite
    ) -> None:
        await cloud.blazar.break_with(faults.hang)
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.2):
                await source.hosts()
        assert all(thread.daemon for thread in threading.enumerate() if thread.name in site_threads())

    async def test_a_call_that_nothing_can_cut_keeps_the_next_one_off_and_adds_no_thread(
        self, cloud: CloudUnderTest
    ) -> None:
        answered = threading.Event()  # as a name server that does not answer would
        stuck = Cloud("uc", lambda _region: None, timeout=TIMEOUT)
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.2):
                await stuck.run(lambda _clients: answered.wait())
        for _ in range(3):
            with pytest.raises(SourceError, match="the previous call still hangs") as failure:
                await stuck.run(lambda _clients: None)
            assert failure.value.kind is TroubleKind.HANGING
        assert len(site_threads()) == 1
        answered.set()
        await until(lambda: not site_threads())
        await stuck.run(lambda _clients: None)

    async def test_a_keystone_whose_answer_trickles_is_cut_from_the_first_call_on(
        self, cloud: CloudUnderTest, source: BlazarSite
    ) -> None:
        await cloud.keystone.break_with(faults.trickling_head)
        for _ in range(3):
            with pytest.raises(TimeoutError):
                async with asyncio.timeout(0.2):
                    await source.allocations()
            await until(lambda: not site_threads())
        await cloud.keystone.mend()
        assert await source.allocations()

    @pytest.mark.parametrize("where", ["site", "tunnel of a proxy", "TLS"])
    async def test_a_call_that_is_given_up_before_its_connection_is_there_ends_once_it_is(
        self, where: str, cloud: CloudUnderTest, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        reached, answered = threading.Event(), threading.Event()
        real = urllib3.connection.HTTPConnection._new_conn

        def late(connection: urllib3.connection.HTTPConnection) -> socket.socket:
            reached.set()
            answered.wait()
            return real(connection)

        monkeypatch.setattr(urllib3.connection.HTTPConnection, "_new_conn", late)
        async with trickling(where, cloud, monkeypatch):
            source = BlazarSite("uc", timeout=TIMEOUT)
            call = asyncio.create_task(source.allocations())
            await until(reached.is_set)
            call.cancel()
            with pytest.raises(asyncio.CancelledError):
                await call
            answered.set()
            await until(lambda: not site_threads())
            source.close()

    async def test_a_handshake_of_tls_that_trickles_is_cut(
        self, cloud: CloudUnderTest, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        async with trickling("TLS", cloud, monkeypatch):
            source = BlazarSite("uc", timeout=TIMEOUT)
            for _ in range(3):
                with pytest.raises(TimeoutError):
                    async with asyncio.timeout(0.2):
                        await source.hosts()
                await until(lambda: not site_threads())
            source.close()

    @pytest.mark.parametrize("connection", ["close", "keep-alive"])
    @pytest.mark.parametrize(
        "words",
        [
            "Content-Length: 9999\r\n\r\n",
            "Transfer-Encoding: chunked\r\n\r\n1;",
            "Transfer-Encoding: chunked\r\n\r\n0\r\nX-Trailer: ",
            "Content-Encoding: gzip\r\n\r\n\x1f\x8b\x08\x08\0\0\0\0\0\3",
        ],
        ids=["body", "extension", "trailer", "name in gzip"],
    )
    async def test_an_answer_that_trickles_wherever_it_may_is_cut(
        self, words: str, connection: str, cloud: CloudUnderTest
    ) -> None:
        head = f"HTTP/1.1 200 OK\r\nConnection: {connection}\r\n"
        async with saying(f"{head}{words}", trickle="x") as site:
            cloud.changed("uc", reservation_endpoint_override=f"{site}/v1")
            source = BlazarSite("uc", timeout=TIMEOUT)
            for _ in range(2):
                with pytest.raises(TimeoutError):
                    async with asyncio.timeout(0.3):
                        await source.hosts()
                await until(lambda: not site_threads())
            source.close()

    async def test_another_sites_calls_go_on_while_one_hangs(self, cloud: CloudUnderTest, source: BlazarSite) -> None:
        await cloud.blazar.break_with(faults.hang)
        hanging = asyncio.create_task(source.hosts())
        other = BlazarSite("tacc", timeout=TIMEOUT)
        assert await other.hosts()
        assert not hanging.done()
        await cloud.blazar.mend()
        assert await hanging
        other.close()

    async def test_an_error_of_our_own_is_not_taken_for_the_sites(self, cloud: CloudUnderTest) -> None:
        def buggy(_clients: object) -> None:
            raise ZeroDivisionError

        broken = Cloud("uc", lambda _region: None, timeout=TIMEOUT)
        with pytest.raises(ZeroDivisionError):
            await broken.run(buggy)
        with pytest.raises(ZeroDivisionError):
            await broken.run(buggy)


class TestConfiguration:
    async def failure(self, cloud: str = "uc") -> str:
        with pytest.raises(SourceError) as failure:
            await BlazarSite(cloud, timeout=TIMEOUT).hosts()
        assert failure.value.kind is TroubleKind.CONFIGURATION
        return str(failure.value)

    async def test_an_unknown_cloud_is_named_with_its_file(self, cloud: CloudUnderTest) -> None:
        assert await self.failure("atlantis") == f"there is no cloud 'atlantis' in {cloud.clouds_file}"

    async def test_a_file_that_goes_missing_is_told_and_noticed_when_it_comes_back(
        self, cloud: CloudUnderTest, source: BlazarSite, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        assert await source.hosts()
        hidden = cloud.clouds_file.rename(cloud.clouds_file.with_name("hidden"))
        monkeypatch.chdir(hidden.parent)
        with pytest.raises(SourceError, match=r"cloud 'uc': there is no clouds.yaml that can be read"):
            await source.hosts()
        hidden.rename(cloud.clouds_file)
        assert await source.hosts()

    @pytest.mark.parametrize("text", ["clouds: {uc: {auth: {password: hunter2", "a: *hunter2", "a: !hunter2 b"])
    async def test_a_file_that_is_no_yaml_is_told_without_its_text(
        self, text: str, cloud: CloudUnderTest, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
    ) -> None:
        cloud.clouds_file.write_text(text)
        monkeypatch.chdir(cloud.clouds_file.parent)
        assert await self.failure() == "cloud 'uc': there is no clouds.yaml that can be read"
        assert "hunter2" not in caplog.text

    @pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16"])
    async def test_a_file_may_begin_with_the_mark_of_its_encoding(
        self, encoding: str, cloud: CloudUnderTest, source: BlazarSite
    ) -> None:
        cloud.clouds_file.write_bytes(cloud.clouds_file.read_text().encode(encoding))
        if encoding == "utf-8-sig":
            assert await source.hosts()
        else:
            assert await self.failure() == "cloud 'uc': there is no clouds.yaml that can be read"

    @pytest.mark.parametrize(
        ("text", "sentence"),
        [
            ("[]", "there is no cloud 'uc' in "),
            ("[1]", "cloud 'uc' is not configured as openstacksdk wants it"),
            ("clouds: {uc: 7}", "cloud 'uc' is not configured as openstacksdk wants it"),
            ("clouds: {uc: {auth: [1]}}", "cloud 'uc' is not configured as openstacksdk wants it"),
            ("clouds: {uc: {auth_type: magic, auth: {}}}", "cloud 'uc': there is no auth_type 'magic'"),
            (
                "clouds: {uc: {auth: {auth_url: 'http://x', application_credential_id: i}}}",
                "cloud 'uc': auth_type 'password' takes no application_credential_id; auth_type: v3applicationcre",
            ),
            ("clouds: {uc: {auth_type: v3token, auth: {secret: s}}}", "cloud 'uc' "),
            ("clouds: {uc: {auth_type: v3password, auth: {password: p}}}", "cloud 'uc' lacks auth_url"),
        ],
    )
    async def test_an_unusable_file_is_one_sentence(self, text: str, sentence: str, cloud: CloudUnderTest) -> None:
        cloud.clouds_file.write_text(text)
        assert sentence in await self.failure()

    @pytest.mark.parametrize("where", ["override", "catalog"])
    async def test_a_token_without_a_project_is_told_as_such(
        self, where: str, cloud: CloudUnderTest, simulated: SimulatedCloud
    ) -> None:
        auth = json.loads(cloud.clouds_file.read_text())["clouds"]["uc-alice"]["auth"]
        del auth["project_name"], auth["project_domain_id"]
        endpoint = {"reservation_endpoint_override": f"{simulated.sites['uc'].url}/v1"} if where == "override" else {}
        cloud.clouds_file.write_text(
            json.dumps({"clouds": {"uc": {"auth_type": "password", "auth": auth, **endpoint}}})
        )
        told = "the token is for no project: clouds.yaml needs a project_name, or project_id, in auth"
        assert await self.failure() == told

    async def test_the_environment_may_take_the_place_of_a_file(
        self, cloud: CloudUnderTest, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        entry = json.loads(cloud.clouds_file.read_text())["clouds"]["uc"]
        assert await self.failure("envvars") == "cloud 'envvars': no OS_* variables are set"
        monkeypatch.delenv("OS_CLIENT_CONFIG_FILE")
        monkeypatch.chdir(cloud.clouds_file.parent.parent)
        for name, value in {**entry["auth"], "auth_type": entry["auth_type"], "region_name": "uc"}.items():
            monkeypatch.setenv(f"OS_{name.upper()}", value)
        source = BlazarSite("envvars", timeout=TIMEOUT)
        assert await source.hosts()
        source.close()


@pytest.fixture(scope="module")
def authority() -> trustme.CA:
    return trustme.CA()


@asynccontextmanager
async def saying(words: str, *, trickle: str = "") -> AsyncIterator[str]:
    """The URL of whoever says these words to each request, and then bit by bit the others, for ever."""

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(ConnectionError, asyncio.IncompleteReadError):
            await reader.readuntil(b"\r\n\r\n")
            writer.write(words.encode("latin-1"))
            while trickle:
                writer.write(trickle.encode())
                await writer.drain()
                await asyncio.sleep(faults.TRICKLE_SECONDS)
        writer.close()

    async with await asyncio.start_server(answer, "127.0.0.1", 0) as server:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"


async def shake(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Begins a record of TLS and sends it bit by bit: it may have 16 kB, and a message in such records 16 MB."""
    await reader.read(1)
    writer.write(b"\x16\x03\x03\x40\x00")
    with contextlib.suppress(ConnectionError):
        while True:
            writer.write(b"\x02")
            await writer.drain()
            await asyncio.sleep(faults.TRICKLE_SECONDS)
    writer.close()


@asynccontextmanager
async def trickling(where: str, cloud: CloudUnderTest, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[None]:
    """Keystone, a proxy before it, or the TLS of it says something for ever."""
    if where == "site":
        await cloud.keystone.break_with(faults.trickling_head)
        yield
    elif where == "TLS":
        async with await asyncio.start_server(shake, "127.0.0.1", 0) as server:
            port = server.sockets[0].getsockname()[1]
            cloud.changed("uc", auth={"auth_url": f"https://127.0.0.1:{port}/v3"})
            yield
    else:
        cloud.changed("uc", auth={"auth_url": "https://keystone.example/v3"})
        async with saying("HTTP/1.1 200 OK\r\nX-Padding: ", trickle="x") as proxy:
            monkeypatch.setenv("HTTPS_PROXY", proxy)
            monkeypatch.setenv("NO_PROXY", "")
            yield


async def failure_of(name: str = "uc") -> tuple[TroubleKind, str]:
    """Why a site cannot be read."""
    source = BlazarSite(name, timeout=TIMEOUT)
    with pytest.raises(SourceError) as failure:
        await source.hosts()
    source.close()
    assert failure.value.__cause__ is None, "its traceback would quote what was said"
    return failure.value.kind, str(failure.value)


@dataclass
class Elsewhere:
    """A server that notes what comes to it."""

    url: str
    requests: list[web.BaseRequest]


@pytest.fixture
async def elsewhere() -> AsyncIterator[Elsewhere]:
    async def take(request: web.BaseRequest) -> web.Response:
        place.requests.append(request)
        return web.json_response({"hosts": [], "allocations": []})

    async with RawTestServer(take) as server:
        place = Elsewhere(str(server.make_url("/believed?token=swordfish")), [])
        yield place


class TestRedirects:
    @pytest.mark.parametrize("status", [301, 302, 303, 305, 307, 308])
    @pytest.mark.parametrize("what", ["keystone", "blazar"])
    async def test_a_redirect_is_told_and_gets_neither_credential_nor_belief(
        self, cloud: CloudUnderTest, elsewhere: Elsewhere, what: str, status: int
    ) -> None:
        listener: Listener = getattr(cloud, what)
        await listener.break_with(faults.leading_to(elsewhere.url, status))
        kind, sentence = await failure_of()
        assert kind is TroubleKind.CONFIGURATION
        target = elsewhere.url.partition("/believed")[0]
        assert sentence == (
            f"{listener.url} leads to {target} ({status}), which is not followed:"
            " auth_url or the catalog has to name it"
        )
        assert elsewhere.requests == []

    async def test_a_redirect_to_the_same_host_is_told_as_such(self, cloud: CloudUnderTest) -> None:
        await cloud.blazar.break_with(faults.leading_to("/v2/", 308))
        _, sentence = await failure_of()
        assert f"leads to another address of {cloud.blazar.url} (308)" in sentence


class TestOtherHosts:
    """What a catalog names that clouds.yaml does not: `localhost.example` leads nowhere, and is never asked."""

    async def test_a_catalog_that_leads_to_another_host_does_not_get_the_token(
        self, cloud: CloudUnderTest, simulated: SimulatedCloud
    ) -> None:
        simulated.sites["uc"].listener._name = "elsewhere.invalid"
        kind, sentence = await failure_of()
        assert kind is TroubleKind.CATALOG
        assert "the catalog leads to http://elsewhere.invalid:" in sentence
        assert "reservation_endpoint_override" in sentence

    def test_clouds_yaml_names_hosts_by_its_addresses(self) -> None:
        auth = {"auth_url": "http://a/v3", "application_credential_secret": "http://s"}
        more = {"reservation_endpoint_override": "http://b/v1", "region_name": "http://r", "verify": True}
        assert set(_named({"auth": auth, **more})) == {"http://a/v3", "http://b/v1"}
        assert set(_named({"auth": {"endpoint": "http://a"}})) == {"http://a"}

    @pytest.mark.parametrize(
        ("named", "host", "trusted"),
        [
            ("keystone.uc.testbed.example", "keystone.uc.testbed.example", True),
            ("keystone.uc.testbed.example", "blazar.uc.testbed.example", True),
            ("keystone.uc.testbed.example", "uc.testbed.example", True),
            ("keystone.uc.testbed.example", "blazar.tacc.testbed.example", False),
            ("keystone.uc.testbed.example", "evil-uc.testbed.example", False),
            ("keystone.testbed.example", "blazar.testbed.example", True),
            ("testbed.co.uk", "evil.co.uk", False),
            ("testbed.example", "evil.example", False),
            ("keystone", "blazar", False),
            ("10.0.0.1", "10.0.0.1", True),
            ("10.0.0.1", "11.0.0.1", False),
            ("localhost", "127.0.0.1", True),
            ("[::1]", "localhost", True),
            ("[fd00::1]", "[fd00::2]", False),
        ],
    )
    def test_neighbours_are_those_of_one_domain(
        self, named: str, host: str, trusted: bool, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        asked: list[str] = []

        def answer(_: object, request: requests.PreparedRequest, **_options: object) -> requests.Response:
            asked.append(str(request.url))
            raise requests.exceptions.ConnectionError

        monkeypatch.setattr(requests.adapters.HTTPAdapter, "send", answer)
        http = LimitedHttp(500)
        http.trust([f"https://{named}:5000/v3"])
        http.deadline = float("inf")
        with pytest.raises((SourceError, requests.exceptions.ConnectionError)):
            http.send(requests.Request("GET", f"https://{host}:1234/v1").prepare())
        assert (asked != []) is trusted


class TestMoves:
    async def test_a_blazar_that_moved_is_found_in_the_catalog_at_the_next_poll(
        self, simulated: SimulatedCloud, source: BlazarSite
    ) -> None:
        await source.hosts()
        await moved(simulated)
        with pytest.raises(SourceError, match="Connection refused"):
            await source.hosts()
        assert await source.hosts()

    async def test_keystone_is_asked_ever_more_seldom_while_a_blazar_is_away(
        self, cloud: CloudUnderTest, simulated: SimulatedCloud, source: BlazarSite
    ) -> None:
        await source.hosts()
        await cloud.blazar.break_with(faults.refused)
        simulated.keystone._tokens.clear()
        for _ in range(17):
            with pytest.raises(SourceError, match="Connection refused"):
                await source.hosts()
        assert len(simulated.keystone._tokens) == 5  # before polls 2, 3, 5, 9 and 17

    async def test_what_was_known_is_used_while_keystone_hangs(
        self, cloud: CloudUnderTest, hasty_source: BlazarSite
    ) -> None:
        await until_answered(lambda: in_time(hasty_source))
        await cloud.blazar.break_with(faults.status(503))
        with pytest.raises(SourceError, match="Blazar answers 503"):
            await hasty_source.hosts()
        await cloud.blazar.mend()
        await cloud.keystone.break_with(faults.hang)
        await until_answered(lambda: in_time(hasty_source))

    async def test_what_was_known_is_used_while_keystone_is_away(
        self, cloud: CloudUnderTest, source: BlazarSite
    ) -> None:
        await source.hosts()
        await cloud.blazar.break_with(faults.status(503))
        with pytest.raises(SourceError, match="Blazar answers 503"):
            await source.hosts()
        await cloud.blazar.mend()
        await cloud.keystone.break_with(faults.refused)
        assert await source.hosts()


async def moved(simulated: SimulatedCloud) -> None:
    """The Blazar of `uc` gets another port."""
    site = simulated.sites["uc"]
    await site.listener.stop()
    site.listener = Listener(simulated._app_of(site))
    await site.listener.start()


class TestProxies:
    """`HTTP_PROXY` and the like, as requests understands them."""

    @pytest.fixture
    def through(self, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], None]:
        def through(proxy: str) -> None:
            for name in ("HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY"):
                monkeypatch.setenv(name, "" if name == "NO_PROXY" else proxy)
                monkeypatch.setenv(name.lower(), "" if name == "NO_PROXY" else proxy)

        return through

    async def test_a_site_is_read_through_one(
        self, cloud: CloudUnderTest, through: Callable[[str], None], simulated: SimulatedCloud
    ) -> None:
        async with ClientSession() as session:

            async def forward(request: web.Request) -> web.Response:
                headers = {key: value for key, value in request.headers.items() if key not in {"Host", "Connection"}}
                async with session.request(
                    request.method, request.url, headers=headers, data=await request.read()
                ) as answer:
                    kept = {key: value for key, value in answer.headers.items() if key == "X-Subject-Token"}
                    return web.json_response(await answer.json(), status=answer.status, headers=kept)

            app = web.Application()
            app.router.add_route("*", "/{path:.*}", forward)
            async with TestServer(app) as proxy:
                through(f"http://someone:secret@127.0.0.1:{proxy.port}")
                source = BlazarSite("uc", timeout=TIMEOUT)
                assert len(await source.hosts()) == 3
                source.close()

    @pytest.mark.parametrize("scheme", ["http", "https"])
    async def test_an_answer_whose_head_trickles_through_one_is_cut_like_any_other(
        self, scheme: str, cloud: CloudUnderTest, through: Callable[[str], None]
    ) -> None:
        cloud.changed("uc", auth={"auth_url": f"{scheme}://keystone.example/v3"})
        source = BlazarSite("uc", timeout=TIMEOUT)
        async with saying("HTTP/1.1 200 OK\r\nX-Padding: ", trickle="x") as proxy:
            through(proxy)
            for _ in range(3):
                with pytest.raises(TimeoutError):
                    async with asyncio.timeout(0.2):
                        await source.hosts()
                await until(lambda: not site_threads())

    @pytest.mark.parametrize(
        ("proxy", "kind", "sentence"),
        [
            ("http://someone:secret@127.0.0.1:1", "connection", "no connection to the proxy http://127.0.0.1:1: Conn"),
            (
                "http://someone:secret@nowhere.invalid",
                "connection",
                "no connection to the proxy http://nowhere.invalid",
            ),
            (
                "socks5h://someone:secret@127.0.0.1:1",
                "configuration",
                "the proxy socks5h://127.0.0.1:1 cannot be used: Py",
            ),
            (
                "magic://someone:secret@127.0.0.1",
                "configuration",
                "the proxy magic://127.0.0.1 cannot be used: its addr",
            ),
            (
                "http://someone:sec/ret@127.0.0.1:1",
                "configuration",
                "the proxy of HTTP_PROXY or HTTPS_PROXY cannot be used: its",
            ),
            ("someone:secret@host:port", "configuration", "the proxy of HTTP_PROXY or HTTPS_PROXY cannot be used: its"),
            (
                "http://",
                "configuration",
                "the proxy of HTTP_PROXY or HTTPS_PROXY cannot be used: its address is not un",
            ),
        ],
    )
    @pytest.mark.parametrize("scheme", ["http", "https"])
    async def test_one_that_does_not_work_is_named_without_its_credentials_instead_of_the_site(
        self, scheme: str, proxy: str, kind: str, sentence: str, cloud: CloudUnderTest, through: Callable[[str], None]
    ) -> None:
        cloud.changed("uc", auth={"auth_url": f"{scheme}://keystone.example/v3"})
        through(proxy)
        found, told = await failure_of()
        assert (found, told[: len(sentence)]) == (kind, sentence)
        assert "secret" not in told

    @pytest.mark.parametrize(
        ("status", "kind", "sentence"),
        [
            ("407 Nobody", TroubleKind.CONFIGURATION, "refuses us: it wants credentials (407)"),
            ("502 Nobody", TroubleKind.CONNECTION, "lets nobody through: it answers 502"),
        ],
    )
    async def test_one_that_refuses_is_told_as_such(
        self, status: str, kind: TroubleKind, sentence: str, cloud: CloudUnderTest, through: Callable[[str], None]
    ) -> None:
        cloud.changed("uc", auth={"auth_url": "https://keystone.example/v3"})
        async with saying(f"HTTP/1.1 {status}\r\nContent-Length: 0\r\n\r\n") as proxy:
            through(proxy)
            assert await failure_of() == (kind, f"the proxy {proxy} {sentence}")

    async def test_credentials_that_one_wants_are_not_taken_for_the_sites(
        self, cloud: CloudUnderTest, through: Callable[[str], None]
    ) -> None:
        async with saying("HTTP/1.1 407 Nobody\r\nContent-Length: 0\r\n\r\n") as proxy:
            through(proxy)
            told = f"the proxy {proxy} refuses us: it wants credentials (407)"
            assert await failure_of() == (TroubleKind.CONFIGURATION, told)

    async def test_a_site_that_is_away_behind_one_is_told_with_it(
        self, cloud: CloudUnderTest, through: Callable[[str], None]
    ) -> None:
        cloud.changed("uc", auth={"auth_url": "https://keystone.example/v3"})
        async with saying("HTTP/1.1 200 OK\r\n\r\n") as proxy:
            through(proxy)
            kind, told = await failure_of()
            assert kind is TroubleKind.CONNECTION
            assert told.startswith(f"no connection to keystone.example through the proxy {proxy}: ")


@dataclass
class Blazar:
    """One behind TLS: the cloud that has it, its port, and what its certificates are in."""

    cloud: CloudUnderTest
    port: int
    context: ssl.SSLContext

    def changed(self, host: str = "localhost", **settings: Any) -> None:
        override = f"https://{host}:{self.port}/v1"
        self.cloud.changed("uc", reservation_endpoint_override=override, **settings)


class TestTls:
    """What is between a client and HTTPS: certificates, and files that hold them."""

    @pytest.fixture
    async def blazar(
        self, authority: trustme.CA, cloud: CloudUnderTest, simulated: SimulatedCloud
    ) -> AsyncIterator[Blazar]:
        """Leads to the site's, with a certificate for localhost; the cloud's entry has its address."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        authority.issue_cert("localhost").configure_cert(context)
        async with TcpProxy(simulated.sites["uc"].listener.port, tls=context).listening() as proxy:
            yield Blazar(cloud, proxy.port, context)

    @pytest.fixture
    def bundle(self, authority: trustme.CA, tmp_path: Path) -> str:
        authority.cert_pem.write_to_path(tmp_path / "ca.pem")
        return str(tmp_path / "ca.pem")

    async def test_a_site_is_read_whose_certificate_the_file_of_cacert_vouches_for(
        self, blazar: Blazar, bundle: str
    ) -> None:
        blazar.changed(cacert=bundle)
        source = BlazarSite("uc", timeout=TIMEOUT)
        assert len(await source.hosts()) == 3
        source.close()

    async def test_without_verification_any_certificate_will_do(self, blazar: Blazar) -> None:
        blazar.changed(host="127.0.0.1", verify=False)
        source = BlazarSite("uc", timeout=TIMEOUT)
        with warnings.catch_warnings(category=urllib3.exceptions.InsecureRequestWarning, action="ignore"):
            assert len(await source.hosts()) == 3
        source.close()

    async def test_a_certificate_that_nobody_vouches_for_is_a_trouble_of_its_own(self, blazar: Blazar) -> None:
        blazar.changed()
        told = f"TLS with localhost:{blazar.port} fails: the certificate is not trusted: unable to get local issuer"
        kind, sentence = await failure_of()
        assert (kind, sentence[: len(told)]) == (TroubleKind.TLS, told)

    async def test_a_certificate_for_another_host_is_too(self, blazar: Blazar, bundle: str) -> None:
        blazar.changed(host="127.0.0.1", cacert=bundle)
        kind, sentence = await failure_of()
        assert (kind, "certificate is not valid for '127.0.0.1'" in sentence) == (TroubleKind.TLS, True)

    async def test_so_is_one_that_is_over(self, blazar: Blazar, bundle: str, authority: trustme.CA) -> None:
        authority.issue_cert("localhost", not_after=utc_now() - timedelta(days=1)).configure_cert(blazar.context)
        blazar.changed(cacert=bundle)
        kind, sentence = await failure_of()
        assert (kind, sentence.rpartition(": ")[2]) == (TroubleKind.TLS, "certificate has expired")

    async def test_an_address_that_does_not_speak_tls_is_one_too(
        self, cloud: CloudUnderTest, simulated: SimulatedCloud
    ) -> None:
        url = simulated.sites["uc"].url.replace("http:", "https:")
        cloud.changed("uc", reservation_endpoint_override=f"{url}/v1")
        kind, sentence = await failure_of()
        assert (kind, sentence.rpartition(": ")[2]) == (TroubleKind.TLS, "wrong version number")

    async def test_a_keystone_of_which_nobody_knows_is_one_too(self, blazar: Blazar) -> None:
        blazar.cloud.changed("uc", auth={"auth_url": f"https://localhost:{blazar.port}/v3"})
        kind, sentence = await failure_of()
        assert (kind, f"TLS with localhost:{blazar.port} fails: " in sentence) == (TroubleKind.TLS, True)

    async def test_a_site_may_want_a_certificate_of_ours(
        self, blazar: Blazar, bundle: str, authority: trustme.CA, tmp_path: Path
    ) -> None:
        authority.configure_trust(blazar.context)
        blazar.context.verify_mode = ssl.CERT_REQUIRED
        own = authority.issue_cert("reference-api.example")
        own.private_key_pem.write_to_path(tmp_path / "key.pem")
        own.cert_chain_pems[0].write_to_path(tmp_path / "cert.pem")
        blazar.changed(cacert=bundle, cert=str(tmp_path / "cert.pem"), key=str(tmp_path / "key.pem"))
        source = BlazarSite("uc", timeout=TIMEOUT)
        assert len(await source.hosts()) == 3
        source.close()

    @pytest.mark.parametrize("where", ["override", "catalog"])
    @pytest.mark.parametrize(
        ("files", "sentence"),
        [
            ({"cacert": "nowhere.pem"}, "in {}/nowhere.pem cannot be read: No such file or directory"),
            ({"cacert": "garbage"}, "in {}/garbage are none in PEM"),
            ({"cacert": "empty"}, "in {}/empty are none in PEM"),
            ({"cert": "nowhere.pem", "key": "key.pem"}, "cannot be read: {}/nowhere.pem: No such file or directory"),
            ({"cert": "cert.pem", "key": "nowhere.pem"}, "cannot be read: {}/nowhere.pem: No such file or directory"),
            ({"cert": "garbage", "key": "key.pem"}, "cannot be used: not PEM, or encrypted"),
            ({"cert": "cert.pem", "key": "encrypted.pem"}, "cannot be used: not PEM, or encrypted"),
            ({"cert": "cert.pem", "key": "other.pem"}, "cannot be used: they do not belong together"),
        ],
    )
    async def test_a_file_that_cannot_be_used_is_named_as_a_matter_of_configuration(
        self, files: dict[str, str], sentence: str, where: str, blazar: Blazar, authority: trustme.CA, tmp_path: Path
    ) -> None:
        own, other = authority.issue_cert("reference-api.example"), authority.issue_cert("other.example")
        own.cert_chain_pems[0].write_to_path(tmp_path / "cert.pem")
        own.private_key_pem.write_to_path(tmp_path / "key.pem")
        other.private_key_pem.write_to_path(tmp_path / "other.pem")
        key = serialization.load_pem_private_key(own.private_key_pem.bytes(), None)
        (tmp_path / "encrypted.pem").write_bytes(
            key.private_bytes(
                serialization.Encoding.PEM,
                serialization.PrivateFormat.PKCS8,
                serialization.BestAvailableEncryption(b"a passphrase"),
            )
        )
        (tmp_path / "garbage").write_text("-----BEGIN CERTIFICATE-----\nhunter2\n-----END CERTIFICATE-----\n")
        (tmp_path / "empty").touch()
        settings = {name: str(tmp_path / file) for name, file in files.items()}
        if where == "override":
            blazar.changed(**settings)
        else:
            blazar.cloud.changed("uc", auth={"auth_url": f"https://localhost:{blazar.port}/v3"}, **settings)
        kind, told = await failure_of()
        assert (kind, told.endswith(sentence.format(tmp_path))) == (TroubleKind.CONFIGURATION, True), told
        assert ("cacert" in told) is ("cacert" in files)

    async def test_files_that_are_mended_are_noticed(self, blazar: Blazar, bundle: str, tmp_path: Path) -> None:
        hidden = (tmp_path / "ca.pem").rename(tmp_path / "hidden.pem")
        blazar.changed(cacert=bundle)
        source = BlazarSite("uc", timeout=TIMEOUT)
        for _ in range(2):
            with pytest.raises(SourceError, match=f"in {bundle} cannot be read"):
                await source.hosts()
        hidden.rename(bundle)
        assert len(await source.hosts()) == 3
        source.close()


class TestFlavors:
    async def test_their_capacity_is_told_by_name(self, flavors: BlazarFlavors) -> None:
        capacity = await flavors.capacity(DAY)
        assert capacity.flavors.keys() == {"m1.tiny", "m1.large"}
        segments = capacity.flavors["m1.tiny"]
        assert (segments[0].during.start, segments[-1].during.end) == (DAY.start, DAY.end)
        assert capacity.unreadable == 0

    async def test_a_blazar_that_does_not_have_them_does_not_publish_them(self, cloud: CloudUnderTest) -> None:
        with pytest.raises(NotPublishedError, match="does not tell the availability of flavors"):
            await BlazarFlavors("tacc", timeout=TIMEOUT).capacity(DAY)

    @pytest.mark.parametrize(
        ("fault", "path", "sentence"),
        [
            (faults.status(500), "/v1/", "Blazar answers 500"),
            (faults.forbidden, "/v1/", r"Blazar's policy blazar:oshosts:get forbids"),
            (faults.unauthorized, "/v1/", r"Blazar refuses the token \(401\)"),
            (faults.garbage, "/v1/", "the answer of Blazar cannot be read"),
            (faults.emptied, "/compute/v2.1/flavors", None),
            (faults.status(503, html=True), "/compute", "Nova answers 503"),
            (faults.garbage, "/flavors/detail", "the answer of Nova cannot be read"),
            (faults.reset, "/flavors/detail", "no connection to"),
        ],
    )
    async def test_a_fault_is_one_sentence(
        self, fault: faults.Fault, path: str, sentence: str | None, cloud: CloudUnderTest, flavors: BlazarFlavors
    ) -> None:
        await cloud.blazar.break_with(fault, path=path)
        if sentence is None:
            assert (await flavors.capacity(DAY)).flavors == {}
            return
        with pytest.raises(SourceError, match=sentence):
            await flavors.capacity(DAY)
        await cloud.blazar.mend()
        assert (await flavors.capacity(DAY)).flavors


async def test_whichever_service_forbids_something_it_is_a_matter_of_policy(
    cloud: CloudUnderTest, flavors: BlazarFlavors
) -> None:
    await cloud.blazar.break_with(faults.status(403), path="/compute")
    with pytest.raises(SourceError, match="Nova answers 403") as failure:
        await flavors.capacity(DAY)
    assert failure.value.kind is TroubleKind.POLICY


def test_a_request_that_begins_too_late_is_out_of_time() -> None:
    late = LimitedHttp(max_answer_bytes=1)
    with pytest.raises(SourceError, match="takes too long") as failure:
        late.send(requests.Request("GET", "http://localhost/").prepare())
    assert failure.value.kind is TroubleKind.TIMEOUT


async def test_not_even_debug_logs_hold_names_secrets_or_tokens(
    cloud: CloudUnderTest, simulated: SimulatedCloud, source: BlazarSite, capfd: pytest.CaptureFixture[str]
) -> None:
    root = logging.getLogger()
    handlers, level = root.handlers, root.level
    configure_logging(LogFormat.JSON, debug=True)
    try:
        await source.hosts()
        await source.allocations()
        for fault in (faults.unauthorized, faults.truncated, faults.reset):
            await cloud.blazar.break_with(fault)
            with pytest.raises(SourceError):
                await source.allocations()
        logging.getLogger("sync_service").debug("a debug line")
    finally:
        root.handlers = handlers
        root.setLevel(level)
    logged = capfd.readouterr().err
    assert "a debug line" in logged
    for secret in (*PEOPLE, *simulated.secrets, "gAAAAA"):
        assert secret not in logged
