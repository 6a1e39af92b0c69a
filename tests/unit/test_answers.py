"""Large answers of sites: bounded before anything is made of them, and read row by row."""

import json
import subprocess
import sys
from threading import Thread

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sync_service.adapters import answers
from sync_service.adapters.answers import AnswerStore, LargeAnswer
from sync_service.adapters.blazar_records import hosts_of
from sync_service.domain.judgement import Host
from sync_service.domain.ports import SourceError, TroubleKind
from tests.unmeasured import unmeasured

OBJECTS = st.lists(
    st.dictionaries(st.text(max_size=4), st.none() | st.integers() | st.text(max_size=9) | st.lists(st.integers()))
)


@given(OBJECTS)
def test_the_rows_of_a_large_answer_are_those_of_any_reader_of_json(rows: list[object]) -> None:
    body = json.dumps({"before": [{}], "hosts": rows, "after": {"hosts": 1}}).encode()
    found = LargeAnswer(body)["hosts"]
    assert len(found) == len(rows)
    assert list(found) == rows
    assert list(found[1:]) == rows[1:]


@pytest.mark.parametrize(
    "body",
    [b"", b"{", b"[]", b"7", b'{"hosts": {}}', b'{"host": []}', b'{"hosts": [{}', b'{"hosts": [{}, 1]}', b"\xff"],
)
def test_what_has_no_list_of_objects_is_a_failure(body: bytes) -> None:
    with pytest.raises(SourceError, match="has no list of objects 'hosts'") as failure:
        LargeAnswer(body)["hosts"]
    assert failure.value.kind is TroubleKind.UNREADABLE


def test_more_objects_than_any_site_has_are_refused_before_they_are_made(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(answers, "MAX_OBJECTS", 3)
    assert len(LargeAnswer(b'{"hosts": [{}, {}]}')["hosts"]) == 2
    with pytest.raises(SourceError, match="more than 3 objects") as failure:
        LargeAnswer(b'{"hosts": [{}, {}, {}]}')["hosts"]
    assert failure.value.kind is TroubleKind.TOO_LARGE


@pytest.mark.parametrize("odd", ['{"id": "2", "x": "' + "y" * 200 + '"}', '{"x": "\xff"}'])
def test_an_odd_row_makes_one_host_unreadable_and_no_other(odd: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(answers, "MAX_ROW_BYTES", 100)
    good = '{"id": "1", "hypervisor_hostname": "a", "reservable": true}'
    found = hosts_of(LargeAnswer(f'{{"hosts": [{good}, {odd}]}}'.encode("latin-1"))["hosts"])
    assert found[0] == Host("1", "a")
    assert [host.unreadable for host in found] == [False, True]


def test_answers_share_their_bytes_and_give_them_back() -> None:
    store = AnswerStore(10)
    threads = [Thread(target=store.take, args=(3,)) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    with pytest.raises(SourceError, match="too many large answers at once") as failure:
        store.take(2)
    assert failure.value.kind is TroubleKind.TOO_LARGE
    store.give_back(3)
    store.take(4)


MEASURE = """
import re, sys
from pathlib import Path
from sync_service.adapters.answers import MAX_ANSWER_BYTES, LargeAnswer
from sync_service.adapters.blazar_records import hosts_of
from sync_service.domain.ports import SourceError
row = sys.argv[1].encode() + b","
body = b'{"hosts":[' + row * ((MAX_ANSWER_BYTES - 100) // len(row)) + b"{}]}"
try:
    hosts_of(LargeAnswer(body)["hosts"])
except SourceError:
    pass
print(re.search(r"VmHWM:\\s*(\\d+) kB", Path("/proc/self/status").read_text())[1])
"""
"""Prints the kilobytes that a process has at most with such an answer, which it has twice while it makes it."""


@pytest.mark.parametrize(
    "row",
    ["{}", "1", "[]", '""', '{"id":"1"}', '{"a":[' + "{}," * 9 + "{}]}", "[[[]]]", f'{{"id":"1","a":"{"x" * 700}"}}'],
    ids=["empty", "numbers", "lists", "texts", "short", "nested", "deep", "long"],
)
def test_the_largest_answer_takes_little_memory_beyond_its_own(row: str) -> None:
    command = [sys.executable, "-c", MEASURE, row]
    peak = subprocess.run(command, env=unmeasured(), capture_output=True, text=True, check=True).stdout
    assert int(peak) < 300_000
