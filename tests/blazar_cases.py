"""What the adapter does with a cloud, whether simulated or real; each test class is run against both."""

import asyncio
import json
import threading
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml  # type: ignore[import-untyped]

from deploy.local.openstack import faults
from deploy.local.openstack.listener import Listener
from sync_service.adapters.blazar import BlazarSite
from sync_service.domain.judgement import Allocation
from sync_service.domain.ports import SourceError, TroubleKind
from tests.eventually import LONG_SECONDS, until, until_answered
from tests.openstack_answers import Cloud

TIMEOUT = 60.0
SHORT = 1.0

FAULTS = {
    "nobody listens": (faults.refused, "no connection to .*: Connection refused", TroubleKind.CONNECTION),
    "closed": (faults.closed, "no connection to .*: closed without an answer", TroubleKind.CONNECTION),
    "reset": (faults.reset, "no connection to .*: Connection reset by peer", TroubleKind.CONNECTION),
    "cut short": (faults.truncated, "the answer of .* is cut short", TroubleKind.CONNECTION),
    "cut short by a reset": (faults.truncated_by_reset, "the answer of .* is cut short", TroubleKind.CONNECTION),
    "401 for ever": (faults.unauthorized, r"Blazar refuses the token \(401\)", TroubleKind.CREDENTIAL),
    "403": (
        faults.forbidden,
        r"Blazar's policy blazar:oshosts:get_allocations forbids this \(403\)",
        TroubleKind.POLICY,
    ),
    "404 in JSON": (faults.status(404), "Blazar answers 404", TroubleKind.ERROR_ANSWER),
    "404 in HTML": (faults.status(404, html=True), "Blazar answers 404", TroubleKind.ERROR_ANSWER),
    "500 in JSON": (faults.status(500), "Blazar answers 500", TroubleKind.ERROR_ANSWER),
    "502 in HTML": (faults.status(502, html=True), "Blazar answers 502", TroubleKind.ERROR_ANSWER),
    "503 in JSON": (faults.status(503), "Blazar answers 503", TroubleKind.ERROR_ANSWER),
    "503 without a body": (faults.nothing(503), "Blazar answers 503", TroubleKind.ERROR_ANSWER),
    "200 in HTML": (faults.status(200, html=True), "the answer of Blazar cannot be read", TroubleKind.UNREADABLE),
    "200 without a body": (faults.nothing(200), "the answer of Blazar cannot be read", TroubleKind.UNREADABLE),
    "broken JSON": (faults.garbage, "the answer of Blazar cannot be read", TroubleKind.UNREADABLE),
}
"""The faults of a Blazar that end a poll at once, what is said of them, and of which kind they are."""


@dataclass
class CloudUnderTest:
    """A cloud with a site whose Blazar and Keystone may be broken.

    Attributes:
        clouds_file: With the clouds `<site>`, `<site>-mr`, `<site>-alice`, and the same of the other site.
        hostname: A host of the site that may be booked.
        people: Names that must not be seen, if they are known.
    """

    clouds_file: Path
    site: str
    other_site: str
    hostname: str
    blazar: Listener
    keystone: Listener
    people: tuple[str, ...]

    def changed(self, name: str, **changes: Any) -> None:
        """Changes the entry of a cloud in clouds.yaml; None takes a key away."""
        document = yaml.safe_load(self.clouds_file.read_text())
        for key, value in changes.items():
            if value is None:
                document["clouds"][name].pop(key, None)
            elif isinstance(value, dict):
                document["clouds"][name][key] |= value
            else:
                document["clouds"][name][key] = value
        self.clouds_file.write_text(json.dumps(document))

    async def asked(self) -> Cloud:
        return await asyncio.to_thread(Cloud, self.clouds_file, self.site)

    async def book(self) -> str:
        """A lease of the host from now on; returns its id."""
        cloud = await self.asked()
        wanted = cloud.wanted()
        wanted["reservations"][0]["resource_properties"] = json.dumps(["==", "$uid", self.hostname])
        made = await asyncio.to_thread(cloud.lease, "POST", "", wanted)
        return str(made.json()["lease"]["id"])

    async def give_back(self, lease_id: str) -> None:
        cloud = await self.asked()
        await asyncio.to_thread(cloud.lease, "DELETE", f"/{lease_id}")


def site_threads() -> list[str]:
    """The threads that calls of the adapter run in."""
    return [thread.name for thread in threading.enumerate() if thread.name.startswith("cloud ")]


async def in_time(source: BlazarSite) -> Sequence[Allocation]:
    """The allocations, or none if the source's limit was too short for a busy machine."""
    try:
        return await source.allocations()
    except SourceError as error:
        if error.kind is not TroubleKind.TIMEOUT:
            raise
        return ()


async def reservations(source: BlazarSite, hostname: str) -> int:
    ids = {host.resource_id for host in await source.hosts() if host.node_id == hostname}
    return sum(len(row.reservations) for row in await source.allocations() if row.resource_id in ids)


class ReadingCases:
    async def test_every_host_is_in_the_allocations(self, cloud: CloudUnderTest, source: BlazarSite) -> None:
        hosts, allocations = await source.hosts(), await source.allocations()
        assert {host.resource_id for host in hosts} == {row.resource_id for row in allocations}
        assert cloud.hostname in {host.node_id for host in hosts}
        assert None in {host.node_id for host in hosts}
        assert not any(host.unreadable for host in hosts)
        assert not any(row.unreadable for row in allocations)

    async def test_a_lease_is_seen_as_soon_as_it_is_made_and_no_longer_once_it_is_gone(
        self, cloud: CloudUnderTest, source: BlazarSite
    ) -> None:
        before = await reservations(source, cloud.hostname)
        lease_id = await cloud.book()
        booked = await reservations(source, cloud.hostname)
        await cloud.give_back(lease_id)
        assert (booked, await reservations(source, cloud.hostname)) == (before + 1, before)

    async def test_five_polls_take_one_token_and_one_connection(
        self, cloud: CloudUnderTest, source: BlazarSite
    ) -> None:
        await source.allocations()
        tokens, connections = len(cloud.keystone.requests), cloud.blazar.connections
        for _ in range(5):
            await source.allocations()
            await source.hosts()
        assert (len(cloud.keystone.requests), cloud.blazar.connections) == (tokens, connections)


class RegionCases:
    async def test_each_cloud_of_a_catalog_with_two_regions_has_its_own_hosts(self, cloud: CloudUnderTest) -> None:
        for site in (cloud.site, cloud.other_site):
            own, one_of_two = BlazarSite(site, timeout=TIMEOUT), BlazarSite(f"{site}-mr", timeout=TIMEOUT)
            assert set(await own.hosts()) == set(await one_of_two.hosts())
            own.close()
            one_of_two.close()

    async def test_a_cloud_without_a_region_is_refused_where_there_are_two(self, cloud: CloudUnderTest) -> None:
        cloud.changed(f"{cloud.site}-mr", region_name=None)
        with pytest.raises(SourceError, match=r"names no region, and Blazar is in several: \w+, \w+$"):
            await BlazarSite(f"{cloud.site}-mr", timeout=TIMEOUT).hosts()

    async def test_a_region_that_the_catalog_does_not_have_is_named(self, cloud: CloudUnderTest) -> None:
        cloud.changed(f"{cloud.site}-mr", region_name="atlantis")
        with pytest.raises(SourceError, match="the catalog has no Blazar in region 'atlantis'; it is in: ") as failure:
            await BlazarSite(f"{cloud.site}-mr", timeout=TIMEOUT).hosts()
        assert failure.value.kind is TroubleKind.CATALOG

    async def test_an_interface_that_the_catalog_does_not_have_is_named(self, cloud: CloudUnderTest) -> None:
        cloud.changed(f"{cloud.site}-mr", interface="secret")
        with pytest.raises(SourceError, match="no service of type 'reservation' with interface 'secret'"):
            await BlazarSite(f"{cloud.site}-mr", timeout=TIMEOUT).hosts()


class CredentialCases:
    async def test_a_token_that_is_refused_once_is_renewed_without_a_failure(
        self, cloud: CloudUnderTest, source: BlazarSite
    ) -> None:
        await source.allocations()
        await cloud.blazar.break_with(faults.unauthorized, times=1)
        assert await source.allocations()

    async def test_a_wrong_secret_is_told_and_the_right_one_noticed(
        self, cloud: CloudUnderTest, source: BlazarSite
    ) -> None:
        right = cloud.clouds_file.read_text()
        cloud.changed(cloud.site, auth={"application_credential_secret": "wrong"})
        with pytest.raises(SourceError, match="Keystone answers 401: the credential is refused") as failure:
            await source.allocations()
        assert failure.value.kind is TroubleKind.CREDENTIAL
        cloud.clouds_file.write_text(right)
        assert await source.allocations()

    async def test_an_unknown_credential_is_told(self, cloud: CloudUnderTest, source: BlazarSite) -> None:
        cloud.changed(cloud.site, auth={"application_credential_id": "0" * 32})
        with pytest.raises(SourceError, match="Keystone answers 404: the credential was deleted, or auth_url is wrong"):
            await source.allocations()

    async def test_a_changed_file_is_noticed_though_the_old_credential_is_still_good(
        self, cloud: CloudUnderTest, source: BlazarSite
    ) -> None:
        await source.allocations()
        cloud.changed(cloud.site, auth={"application_credential_secret": "wrong"})
        with pytest.raises(SourceError, match="Keystone answers 401"):
            await source.allocations()


class FaultCases:
    @pytest.mark.parametrize("name", FAULTS)
    async def test_a_fault_is_one_sentence_and_over_when_it_is_mended(
        self, name: str, cloud: CloudUnderTest, source: BlazarSite
    ) -> None:
        fault, sentence, kind = FAULTS[name]
        await source.allocations()
        await cloud.blazar.break_with(fault)
        with pytest.raises(SourceError, match=sentence) as failure:
            await source.allocations()
        assert failure.value.__cause__ is None, "its traceback would quote the answer"
        assert failure.value.kind is kind
        await cloud.blazar.mend()
        assert await source.allocations()

    @pytest.mark.parametrize("fault", [faults.hang, faults.stalled, faults.trickle(30)])
    async def test_whatever_hangs_or_trickles_ends_at_the_limit(
        self, fault: faults.Fault, cloud: CloudUnderTest, hasty_source: BlazarSite
    ) -> None:
        await until_answered(lambda: in_time(hasty_source))
        await cloud.blazar.break_with(fault)
        with pytest.raises(SourceError, match=r"in time|too long") as failure:
            async with asyncio.timeout(LONG_SECONDS):
                await hasty_source.allocations()
        assert failure.value.kind is TroubleKind.TIMEOUT
        await cloud.blazar.mend()
        await until_answered(lambda: in_time(hasty_source))

    @pytest.mark.parametrize("fault", [faults.hang, faults.stalled, faults.trickle(30), faults.trickling_head])
    async def test_a_call_that_is_given_up_ends_at_once_with_its_thread_and_the_next_one_goes_on(
        self, fault: faults.Fault, cloud: CloudUnderTest, source: BlazarSite
    ) -> None:
        await source.allocations()
        await cloud.blazar.break_with(fault)
        for _ in range(3):
            with pytest.raises(TimeoutError):
                async with asyncio.timeout(0.2):
                    await source.allocations()
            await until(lambda: not site_threads())
        await cloud.blazar.mend()
        assert await source.allocations()

    @pytest.mark.parametrize(
        ("fault", "sentence", "kind"),
        [
            (faults.refused, "no connection to .*: Connection refused", TroubleKind.CONNECTION),
            (faults.status(500), "Keystone answers 500", TroubleKind.ERROR_ANSWER),
            (faults.status(503, html=True), "Keystone answers 503", TroubleKind.ERROR_ANSWER),
            (faults.garbage, "the answer of Keystone cannot be read", TroubleKind.UNREADABLE),
        ],
    )
    async def test_a_fault_of_keystone_is_one_sentence_too(
        self, fault: faults.Fault, sentence: str, kind: TroubleKind, cloud: CloudUnderTest, source: BlazarSite
    ) -> None:
        await cloud.keystone.break_with(fault)
        with pytest.raises(SourceError, match=sentence) as failure:
            await source.allocations()
        assert failure.value.kind is kind
        await cloud.keystone.mend()
        assert await source.allocations()

    async def test_a_keystone_that_is_away_is_not_missed_while_the_token_is_good(
        self, cloud: CloudUnderTest, source: BlazarSite
    ) -> None:
        await source.allocations()
        await cloud.keystone.break_with(faults.refused)
        assert await source.hosts()
