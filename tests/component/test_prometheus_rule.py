"""The alert rules for Prometheus' operator are made of those for Prometheus."""

from pathlib import Path

import pytest
import yaml  # type: ignore[import-untyped]

from deploy.local.prometheus_rule import RULES, WRAPPED, main, wrapped


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with rules of its own."""
    monkeypatch.chdir(tmp_path)
    for file in (RULES, WRAPPED):
        file.parent.mkdir(parents=True)
    RULES.write_text("# Ours.\ngroups:\n  - name: a\n\n    rules: []\n")
    return tmp_path


def test_the_rules_become_an_object_as_they_are() -> None:
    rules = RULES.read_text()
    assert yaml.safe_load(wrapped(rules))["spec"] == yaml.safe_load(rules)
    assert all(len(line.strip()) == len(line.strip(" ")) for line in wrapped(rules).split("\n"))


def test_what_is_committed_is_current() -> None:
    assert main(["--check"]) == 0


def test_a_rule_that_changed_is_noticed_until_it_is_written(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--check"]) == 1
    assert "make generate" in capsys.readouterr().err
    assert main([]) == 0
    assert main(["--check"]) == 0
    RULES.write_text(RULES.read_text() + "  - name: b\n    rules: []\n")
    assert main(["--check"]) == 1
