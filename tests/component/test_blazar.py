"""The adapter, with the real openstacksdk and blazarclient, against the simulated cloud."""

import asyncio
import json
import logging
import threading
from collections.abc import AsyncIterator, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import requests

from deploy.local.openstack import SimulatedCloud, faults
from deploy.local.openstack.site import PEOPLE
from shared.availability import Interval, utc_now
from shared.logs import LogFormat, configure_logging
from sync_service.adapters.blazar import BlazarFlavors, BlazarSite
from sync_service.adapters.clouds import Cloud, LimitedHttp
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
    site_threads,
)
from tests.eventually import until

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

    @pytest.mark.parametrize(
        ("text", "sentence"),
        [
            ("[]", "there is no cloud 'uc' in "),
            ("[1]", "cloud 'uc' is not configured as openstacksdk wants it"),
            ("clouds: {uc: 7}", "cloud 'uc' is not configured as openstacksdk wants it"),
            ("clouds: {uc: {auth: [1]}}", "cloud 'uc' is not configured as openstacksdk wants it"),
            ("clouds: {uc: {auth_type: magic, auth: {}}}", "cloud 'uc' is not configured as openstacksdk wants it"),
            ("clouds: {uc: {auth_type: v3password, auth: {password: p}}}", "cloud 'uc' lacks auth_url"),
        ],
    )
    async def test_an_unusable_file_is_one_sentence(self, text: str, sentence: str, cloud: CloudUnderTest) -> None:
        cloud.clouds_file.write_text(text)
        assert sentence in await self.failure()

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
