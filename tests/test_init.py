"""``runbook init`` asks, checks each answer, and writes what it was told with what each is for."""

from __future__ import annotations

from pathlib import Path

import yaml

from runbook import catalog
from runbook.parameters import Parameters, load
from tests.conftest import runner

GUID = "1b4e28ba-2fa1-11d2-883f-0016d3cca427"
SECRET = "abc8Q~Wrong.secret_value-00000000000000"


def test_each_answer_is_checked_and_the_file_says_what_each_is_for(tmp_path: Path) -> None:
    command = runner(tmp_path, tmp_path)
    answers = ["entra", "contoso", "contoso.com", "device-code", SECRET, GUID, "", "", "List Usrs", "start"]
    done = command("init", "my choice.yaml", given="\n".join([*answers, "", "", "0100", "90", ""]) + "\n")
    assert done.returncode == 0, done.stderr
    file = tmp_path / "my choice.yaml"
    text = file.read_text(encoding="utf-8")
    found = load(file)
    assert (found.target, found.tenant_id, found.client_id, found.secret_lifetime_days) == (
        "entra",
        "contoso.com",
        GUID,
        90,
    )
    assert set(found.actions) == set(catalog.presets()["start"].actions)
    for said in ("is neither a tenant id", "looks like a secret", "Did you mean List Users?", "valid integer"):
        assert said in done.stderr
    assert SECRET not in done.stderr + done.stdout + text
    assert text.count("\n# ") == len(yaml.safe_load(text))
    assert "runbook doctor --parameters 'my choice.yaml'" in done.stderr
    again = command("init", "my choice.yaml")
    assert again.returncode == 2
    assert "is there already" in again.stderr
    assert file.read_text(encoding="utf-8") == text


def test_for_a_rehearsal_enter_is_enough_and_nothing_of_a_real_tenant_is_asked(tmp_path: Path) -> None:
    done = runner(tmp_path, tmp_path)("init", given="\n" * 6)
    assert done.returncode == 0, done.stderr
    found = load(tmp_path / "parameters.yaml")
    assert found == Parameters(actions=found.actions)
    assert set(found.actions) == set(catalog.presets()["start"].actions)
    assert "tenant_id" not in done.stderr
