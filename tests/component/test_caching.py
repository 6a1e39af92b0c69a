"""Answers as caches see them: tags, dates, codings, and 304 to whoever has them already."""

import asyncio
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import timedelta
from email.utils import format_datetime, parsedate_to_datetime
from pathlib import Path
from typing import Any

import pytest
from aiohttp import ClientResponse
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from api_service import keys
from api_service.adapters.git_repository import load
from api_service.http import bodies
from api_service.http.caching import FORMS
from api_service.http.costly import AT_ONCE, MAX_WAITING
from api_service.http.encodings import compressed
from api_service.http.handlers import inventory as inventory_handlers
from api_service.http.past import PAST
from api_service.http.ready import LONG, Ready
from api_service.http.representation import REPRESENTATIONS
from api_service.http.routes import OTHERS, RESOURCES
from api_service.settings import Settings
from shared.availability import FlavorSegment, Interval, SiteFlavors
from tests.component.serving import AiohttpClient, Service, serving
from tests.decoding import DECODED
from tests.inventories import HOUR, NOW, booked, cluster, inventory, node_document, polled, site
from tests.repositories import HASWELL_NODE, GitRepository, change

IDS = {
    "site_id": "tacc",
    "cluster_id": "chameleon",
    "node_id": HASWELL_NODE,
    "flavor_id": "m1.xlarge",
    "name": "init.js",
}
NAMES = {"ui.asset": {"name": "main.js"}}
NEVER_STORED = {"events", "healthz", "readyz", "status", "metrics"}
ABOUT = ("Cache-Control", "ETag", "Last-Modified", "Vary", "Access-Control-Allow-Origin")
CODINGS = tuple(DECODED)
CASES = settings(max_examples=100, suppress_health_check=[HealthCheck.function_scoped_fixture])
NODES = "/sites/uc/clusters/main/nodes"


async def raw(service: Service, path: str, method: str = "GET", **headers: str) -> tuple[ClientResponse, bytes]:
    """An answer and its bytes as they were sent; `_` stands for `-` in the names of headers."""
    sent = {"Accept-Encoding": ""} | {name.replace("_", "-"): value for name, value in headers.items()}
    response = await service.client.request(method, path, headers=sent, auto_decompress=False)
    return response, await response.read()


def known_flavors(site_id: str, *uids: str) -> SiteFlavors:
    segments = (FlavorSegment(Interval(NOW, NOW + HOUR), 1, 2),)
    window = Interval(NOW, NOW + 90 * 24 * HOUR)
    return SiteFlavors(site_id, 1, None, NOW, timedelta(seconds=60), window, dict.fromkeys(uids, segments))


@pytest.fixture
def repository(tmp_path: Path) -> GitRepository:
    made = GitRepository.of_sample(tmp_path / "repository")
    path = f"sites/tacc/clusters/chameleon/nodes/{HASWELL_NODE}.json"
    made.commit_each(lambda data: change(data / path, gpu="new"))
    return made


@pytest.fixture
async def sample(aiohttp_client: AiohttpClient, repository: GitRepository) -> Service:
    """The sample, of which something is known."""
    reference = {"ref_dir": repository.data}
    flavors = {"sites": {"tacc": {"cloud": "tacc"}}}
    made = await serving(
        aiohttp_client, settings=Settings.model_validate({"reference": reference, "flavor_availability": flavors})
    )
    made.serve(load(repository.data))
    made.learn(polled("tacc", booked((1, 2), node_id=HASWELL_NODE)), known_flavors("tacc", "m1.xlarge"))
    return made


@pytest.fixture
async def service(aiohttp_client: AiohttpClient) -> Service:
    """A cluster whose list of nodes is very long."""
    made = await serving(aiohttp_client)
    documents = [node_document(f"n{number:04}") for number in range(600)]
    made.serve(inventory(site("uc", cluster("uc", "main", documents))))
    made.learn(polled("uc", booked((1, 2), node_id="n0000")))
    return made


@contextmanager
def counted_compressions(patched: pytest.MonkeyPatch) -> Iterator[list[str]]:
    """The codings of the bodies that are compressed meanwhile."""
    found = list[str]()

    def counting(coding: str, body: bytes) -> bytes:
        found.append(coding)
        return compressed(coding, body)

    with patched.context() as patch:
        patch.setattr("api_service.http.caching.compressed", counting)
        yield found


# Every resource


async def test_every_good_answer_may_be_stored_and_is_not_sent_again(
    sample: Service, repository: GitRepository
) -> None:
    newest, oldest = repository.log("main")
    for name, path, _ in (*RESOURCES, *OTHERS):
        target = path.format(**IDS | NAMES.get(name, {}), version=oldest, other=newest)
        for coding in CODINGS:
            # A stream of events has no end.
            got, body = await raw(sample, target, "HEAD" if name == "events" else "GET", Accept_Encoding=coding)
            where = f"{name} as {coding}"
            assert got.status == 200 or name == "readyz", where
            if name in NEVER_STORED:
                assert (got.headers["Cache-Control"], "ETag" in got.headers) == ("no-store", False), where
                continue
            used = got.headers.get("Content-Encoding", "identity")
            # What is short already stays as it is, and so does a picture.
            assert used == (coding if len(DECODED[used](body)) >= 1024 else "identity"), where
            assert got.headers["Vary"] == "Accept-Encoding", where
            assert got.headers["Accept-Ranges"] == "none", where
            assert parsedate_to_datetime(got.headers["Last-Modified"]) <= sample.clock.now, where
            await _is_the_same_of_head(sample, target, coding, got)
            await _is_not_sent_again(sample, target, coding, got)


async def _is_the_same_of_head(service: Service, path: str, coding: str, got: ClientResponse) -> None:
    head, body = await raw(service, path, "HEAD", Accept_Encoding=coding)
    assert (head.status, body) == (200, b""), path
    assert _comparable(head.headers) == _comparable(got.headers), path


async def _is_not_sent_again(service: Service, path: str, coding: str, got: ClientResponse) -> None:
    for method in ("GET", "HEAD"):
        again, body = await raw(service, path, method, Accept_Encoding=coding, If_None_Match=got.headers["ETag"])
        assert (again.status, body) == (304, b""), path
        assert not {"Content-Type", "Content-Encoding", "Content-Length"} & again.headers.keys(), path
        assert {name: again.headers[name] for name in ABOUT} == {name: got.headers[name] for name in ABOUT}, path


def _comparable(headers: Mapping[str, str]) -> dict[str, str]:
    return {name: value for name, value in headers.items() if name not in {"Date", "X-Request-ID"}}


async def test_the_forms_of_a_url_have_one_tag(sample: Service) -> None:
    for path in ("/sites", "/sites/tacc", f"/sites/tacc/clusters/chameleon/nodes/{HASWELL_NODE}", "/versions"):
        tags = {(await sample.get(path + form)).headers["ETag"] for form in ("", "/", ".json", ".json/")}
        assert len(tags) == 1, path


async def test_what_tells_a_state_is_asked_for_anew_each_time(sample: Service) -> None:
    node = f"/sites/tacc/clusters/chameleon/nodes/{HASWELL_NODE}"
    for path in (
        f"{node}/availability",
        "/sites/tacc/availability",
        "/sites/tacc/status",
        "/sites/tacc/clusters/chameleon/status",
        "/sites/tacc/flavors/m1.xlarge/availability",
        "/nodes/search",
        "/nodes/availability",
        "/availability/earliest",
        "/availability/capacity",
    ):
        assert (await sample.get(path)).headers["Cache-Control"] == "public, no-cache", path


async def test_an_error_has_no_tag_and_is_kept_by_nobody(sample: Service) -> None:
    for path, status in (("/sites/nowhere", 404), ("/nowhere", 404), ("/nodes/search?nope=1", 400)):
        response = await sample.get(path, headers={"If-None-Match": "*"})
        assert (response.status, response.headers["Cache-Control"]) == (status, "no-store")
        assert "ETag" not in response.headers
    refused = await sample.client.post("/sites")
    assert (refused.status, refused.headers["Cache-Control"]) == (405, "no-store")


# Tags


async def test_a_tag_is_of_the_bytes_so_it_is_the_same_in_every_replica(
    sample: Service, repository: GitRepository, aiohttp_client: AiohttpClient
) -> None:
    other = await serving(aiohttp_client)
    other.serve(load(repository.data))
    other.learn(polled("tacc", booked((1, 2), node_id=HASWELL_NODE)))
    for path in ("/", "/sites/tacc/clusters/chameleon/nodes", "/sites/tacc/availability", "/nodes/search?gpu=true"):
        assert (await sample.get(path)).headers["ETag"] == (await other.get(path)).headers["ETag"], path


async def test_a_new_commit_is_a_new_tag(service: Service) -> None:
    before, _ = await raw(service, "/sites/uc")
    service.serve(inventory(site("uc", cluster("uc", "main", []), name="new")))
    after, body = await raw(service, "/sites/uc", If_None_Match=before.headers["ETag"])
    assert (after.status, b"new" in body) == (200, True)


async def test_a_node_that_becomes_reserved_by_the_clock_alone_is_sent_again(service: Service) -> None:
    path = f"{NODES}/n0000/availability"
    free, _ = await raw(service, path)
    tag, date = free.headers["ETag"], free.headers["Last-Modified"]
    service.clock.now = NOW + HOUR
    for known in ({"If_None_Match": tag}, {"If_Modified_Since": date}):
        reserved, body = await raw(service, path, **known)
        assert (reserved.status, b'"reserved"' in body) == (200, True)
        assert reserved.headers["Last-Modified"] == date


async def test_a_tag_is_found_wherever_it_stands_and_another_is_another(service: Service) -> None:
    got, _ = await raw(service, "/sites")
    tag = got.headers["ETag"]
    bare = tag.strip('"')
    for named in (tag, f"W/{tag}", f'"other", {tag}', f'"a,b" ,W/{tag} , ""', "*", " * ", f",,{tag},"):
        assert (await raw(service, "/sites", If_None_Match=named))[0].status == 304, named
    others = (f'"{bare}x"', f'"x{bare}"', f'W/"{bare}-gzip"', f'"{bare.upper()}"')
    for named in ("", '""', bare, *others, "W/*", '"*"', "x" * 8000, '",' * 4000):
        again, body = await raw(service, "/sites", If_None_Match=named)
        assert (again.status, bool(body)) == (200, True), named


async def test_tags_may_be_on_several_lines(service: Service) -> None:
    got, _ = await raw(service, "/sites")
    lines = [("If-None-Match", '"other"'), ("If-None-Match", got.headers["ETag"]), ("Accept-Encoding", "")]
    assert (await service.client.get("/sites", headers=lines)).status == 304


async def test_a_tag_holds_for_its_own_coding_only(service: Service) -> None:
    tags = {coding: (await raw(service, NODES, Accept_Encoding=coding))[0].headers["ETag"] for coding in CODINGS}
    assert len(set(tags.values())) == 3
    for coding in CODINGS:
        for other in CODINGS:
            got, _ = await raw(service, NODES, Accept_Encoding=coding, If_None_Match=tags[other])
            assert got.status == (304 if coding == other else 200)


# Dates


async def test_a_date_is_enough_only_where_there_will_never_be_another_answer(
    sample: Service, repository: GitRepository
) -> None:
    sha = repository.head()
    for path, status in (("/sites", 200), ("/nodes/search", 200), (f"/sites?version={sha}", 304)):
        got, _ = await raw(sample, path)
        date = got.headers["Last-Modified"]
        again, _ = await raw(sample, path, If_Modified_Since=date)
        assert (again.status, again.headers["Last-Modified"]) == (status, date), path
        # A tag says more.
        other, _ = await raw(sample, path, If_Modified_Since=date, If_None_Match='"other"')
        assert other.status == 200
        for older in (format_datetime(parsedate_to_datetime(date) - timedelta(seconds=1), usegmt=True), "then", ""):
            assert (await raw(sample, path, If_Modified_Since=older))[0].status == 200


async def test_dates_tell_when_what_was_told_last_changed(sample: Service, repository: GitRepository) -> None:
    committed = load(repository.data).committed_at
    assert committed is not None
    sample.clock.now = NOW + HOUR
    sample.learn(polled("uc", at=NOW + HOUR))
    for path, changed in (
        ("/sites", committed),
        ("/sites/tacc/availability", NOW),
        ("/nodes/search", NOW + HOUR),
        ("/sites/tacc/status", NOW + HOUR),
    ):
        got, _ = await raw(sample, path)
        assert got.headers["Last-Modified"] == format_datetime(changed, usegmt=True), path


async def test_nothing_was_changed_in_the_future(sample: Service) -> None:
    sample.clock.now = NOW - timedelta(days=3650)
    got, _ = await raw(sample, "/sites")
    assert got.headers["Last-Modified"] == format_datetime(sample.clock.now, usegmt=True)


# Codings


async def test_a_coding_is_chosen_by_what_the_client_likes_best(service: Service) -> None:
    _, plain = await raw(service, NODES)
    for header, coding in (
        ("gzip, deflate, br, zstd", "zstd"),
        ("gzip, deflate", "gzip"),
        ("br", "identity"),
        ("gzip;q=1.0, zstd;q=0.5", "gzip"),
        ("GZip;Q=0.3", "gzip"),
        ("x-gzip", "gzip"),
        ("*", "zstd"),
        ("zstd;q=0, *", "gzip"),
        ("gzip;q=0.5, identity", "identity"),
        ("identity;q=0, gzip;q=0.001", "gzip"),
        ("gzip;q=0", "identity"),
        ("gzip;q=2, zstd;q=-1, ;;, =", "identity"),
    ):
        got, body = await raw(service, NODES, Accept_Encoding=header)
        assert got.headers.get("Content-Encoding", "identity") == coding, header
        assert DECODED[coding](body) == plain


async def test_without_a_word_about_codings_nothing_is_compressed(service: Service) -> None:
    response = await service.client.get(NODES, skip_auto_headers=["Accept-Encoding"], auto_decompress=False)
    assert "Content-Encoding" not in response.headers
    assert response.headers["Vary"] == "Accept-Encoding"


async def test_a_client_that_takes_no_coding_of_ours_is_told_which_there_are(service: Service) -> None:
    for header in ("identity;q=0", "*;q=0", "br, *;q=0"):
        got, body = await raw(service, NODES, Accept_Encoding=header)
        assert (got.status, got.content_type) == (406, "application/problem+json")
        assert b"zstd, gzip and identity" in body


async def test_what_is_short_is_compressed_only_for_a_client_that_refuses_it_as_it_is(service: Service) -> None:
    for header, coding in (("gzip", "identity"), ("gzip, identity;q=0", "gzip")):
        got, body = await raw(service, "/sites/uc/availability", Accept_Encoding=header)
        assert got.headers.get("Content-Encoding", "identity") == coding
        assert b"last_synced" in DECODED[coding](body)


@CASES
@given(header=st.text('gzipstdenty*-;=,q01.5 \t"W/', max_size=40), tag=st.text('W/"*, -0f', max_size=30))
async def test_whatever_a_client_writes_there_is_an_answer(service: Service, header: str, tag: str) -> None:
    got, body = await raw(service, "/sites", Accept_Encoding=header.strip(), If_None_Match=tag.strip())
    assert got.status in {200, 304, 406}
    if got.status == 200:
        assert b'"uc"' in DECODED[got.headers.get("Content-Encoding", "identity")](body)


async def test_a_part_is_not_given_but_the_whole(service: Service) -> None:
    for header in ({"Range": "bytes=0-9"}, {"Range": "bytes=0-9", "If_Range": '"x"'}):
        got, body = await raw(service, "/sites", **header)
        assert (got.status, len(body)) == (200, int(got.headers["Content-Length"]))
        assert "Content-Range" not in got.headers


# Each form once


async def test_long_forms_of_what_is_served_are_made_before_it_is_served(
    service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    documents = [node_document(f"m{number:04}") for number in range(300)]
    made = inventory(site("uc", cluster("uc", "main", documents)))
    service.app[REPRESENTATIONS].prepare(made)
    service.serve(made)
    with counted_compressions(monkeypatch) as compressions:
        for coding in ("gzip", "zstd"):
            got, body = await raw(service, NODES, Accept_Encoding=coding)
            assert len(DECODED[coding](body)) > LONG
            assert got.headers["Content-Encoding"] == coding
    assert compressions == []


async def test_a_form_is_made_once_for_all_who_ask(service: Service, monkeypatch: pytest.MonkeyPatch) -> None:
    for path in (NODES, "/nodes/search", f"{NODES}?limit=999"):
        with counted_compressions(monkeypatch) as compressions:
            answers = await asyncio.gather(*(raw(service, path, Accept_Encoding="gzip") for _ in range(5)))
            answers += [await raw(service, path, Accept_Encoding="gzip")]
        assert len({body for _, body in answers}) == 1
        assert compressions == ["gzip"], path


async def test_documents_are_compressed_once_for_as_long_as_the_process_lasts(
    service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    paths = ("/docs", "/openapi.json", "/asyncapi.json", "/docs/assets/swagger-ui-bundle.js")
    first = [(await raw(service, path, Accept_Encoding="gzip"))[1] for path in paths]
    service.app[FORMS].forget()
    with counted_compressions(monkeypatch) as compressions:
        assert [(await raw(service, path, Accept_Encoding="gzip"))[1] for path in paths] == first
    assert compressions == []


async def test_whoever_takes_it_as_it_is_does_not_wait_for_a_turn_to_compress(service: Service) -> None:
    held = threading.Event()
    turns = [asyncio.create_task(service.app[FORMS].get(n, held.wait, int)) for n in range(AT_ONCE + MAX_WAITING)]
    try:
        for header, status in (("gzip", 200), ("gzip, identity;q=0", 503)):
            got, _ = await raw(service, "/nodes/search", Accept_Encoding=header)
            assert (got.status, "Content-Encoding" in got.headers) == (status, False)
            assert "gzip" not in got.headers.get("ETag", "")
    finally:
        held.set()
        await asyncio.gather(*turns)


@pytest.mark.parametrize(
    "since", ["Thu, 01 Jan 99999999999 00:00:00 GMT", "Thu, 01 Jan 2026 99999999999:00:00 GMT", "yesterday", ""]
)
async def test_a_moment_that_is_none_is_taken_for_no_condition(sample: Service, since: str) -> None:
    path = f"/sites?version={sample.app[keys.INVENTORY].current.version}"
    # Whether the answer is made or told again.
    for _ in range(2):
        assert (await raw(sample, path, If_Modified_Since=since))[0].status == 200


async def test_nothing_is_compressed_for_a_client_that_has_it(
    service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    got, _ = await raw(service, "/nodes/search", Accept_Encoding="zstd")
    service.app[FORMS].forget()
    with counted_compressions(monkeypatch) as compressions:
        again, _ = await raw(service, "/nodes/search", Accept_Encoding="zstd", If_None_Match=got.headers["ETag"])
    assert (again.status, compressions) == (304, [])


async def test_forms_of_the_past_are_not_kept_beside_it(sample: Service, repository: GitRepository) -> None:
    path = f"/sites/tacc/clusters/chameleon/nodes?version={repository.head()}"
    got, _ = await raw(sample, path, Accept_Encoding="gzip")
    assert got.headers["Content-Encoding"] == "gzip"
    bodies = await sample.app[PAST].at(load(repository.data).history.all()[0], sample.app[keys.INVENTORY].current)
    assert {ready.forms for ready in bodies._kept.values()} == {None}


async def test_a_list_that_would_take_too_much_memory_is_made_for_whoever_asks(
    aiohttp_client: AiohttpClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    testbed = inventory(site("uc", cluster("uc", "main", [node_document(f"n{number}") for number in range(20)])))
    told = []
    for most in (20, 19):
        monkeypatch.setattr(bodies, "MOST_NODES_TWICE", most)
        service = await serving(aiohttp_client)
        service.app[REPRESENTATIONS].prepare(testbed)
        service.serve(testbed)
        made = service.app[REPRESENTATIONS].current
        assert (("nodes", "uc", "main") in made._kept) is (most == 20)
        told.append(
            [await raw(service, path, Accept_Encoding=coding) for path in (NODES, "/sites") for coding in CODINGS]
        )
    for (kept, body), (anew, same) in zip(*told, strict=True):
        assert same == body
        assert [anew.headers[name] for name in ("ETag", "Cache-Control")] == [
            kept.headers[name] for name in ("ETag", "Cache-Control")
        ]


@pytest.mark.parametrize("most", [2, 1])
async def test_a_long_list_is_made_in_a_thread(
    aiohttp_client: AiohttpClient, monkeypatch: pytest.MonkeyPatch, most: int
) -> None:
    monkeypatch.setattr(inventory_handlers, "LONG_LIST", most)
    service = await serving(aiohttp_client)
    service.serve(inventory(site("uc", cluster("uc", "main", [node_document("n1"), node_document("n2")]))))
    threads = []
    collection = bodies.Bodies.collection

    def noted(self: bodies.Bodies, *arguments: Any, **ids: Any) -> Ready:
        threads.append(threading.current_thread())
        return collection(self, *arguments, **ids)

    monkeypatch.setattr(bodies.Bodies, "collection", noted)
    assert (await service.json(NODES))["total"] == 2
    assert len((await service.json(f"{NODES}?limit=1"))["items"]) == 1
    assert [thread is threading.main_thread() for thread in threads] == [most == 2, True]
