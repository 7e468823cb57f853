"""Bad input is refused with exit code 2, every mistake at once, and before the first request."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import yaml

from runbook.errors import InputError
from runbook.fleet.books import Books
from runbook.parameters import Parameters, load, parse, save
from runbook.sections import NAMES
from tests.conftest import Listener, Runner

BAD = {
    "an unknown key": ({"aplication_name": "x"}, "aplication_name", "Did you mean application_name?"),
    "a wrong type": ({"secret_lifetime_days": "long"}, "secret_lifetime_days", "integer"),
    "text for a number": ({"secret_lifetime_days": "180"}, "secret_lifetime_days", "integer"),
    "a number out of range": ({"secret_lifetime_days": 100_000}, "secret_lifetime_days", "730"),
    "an unknown action": ({"actions": ["List Usrs"]}, "actions", "List Users"),
    "no action at all": ({"actions": []}, "actions", "choose at least one action"),
    "actions that are no list": ({"actions": 7}, "actions", "list of actions"),
    "an unknown permission type": ({"permission_types": ["delegate"]}, "permission_types", "delegated"),
    "an unknown target": ({"target": "production"}, "target", "entra"),
    "a tenant that is none": ({"tenant_id": "contoso"}, "tenant_id", "GUID"),
    "a client id that is none": ({"client_id": "abc"}, "client_id", "GUID"),
    "an unknown audience": ({"sign_in_audience": "everybody"}, "sign_in_audience", "single"),
    "a redirect URI over http": ({"redirect_uri": "http://example.com/callback"}, "redirect_uri", "https"),
    "a redirect URI with a fragment": ({"redirect_uri": "https://example.com/callback#a"}, "redirect_uri", "fragment"),
    "a redirect URI with a wildcard": ({"redirect_uri": "https://*.example.com/callback"}, "redirect_uri", "wildcard"),
    "a redirect URI that is too long": ({"redirect_uri": "https://example.com/" + "a" * 260}, "redirect_uri", "256"),
    "a redirect URI that is none": ({"redirect_uri": "callback"}, "redirect_uri", ""),
    "a secret in place of its reference": ({"client_secret_ref": "Hx.8Q~planted"}, "client_secret_ref", "reference"),
    "an unknown secret store": ({"secret_store": "drawer"}, "secret_store", "keyring"),
    "a name that is too long": ({"application_name": "n" * 91}, "application_name", "90"),
    "a name with a line break": ({"application_name": "a\nb"}, "application_name", "line breaks"),
    "a renewal after the end": (
        {"secret_lifetime_days": 10, "secret_renew_before_days": 20},
        "secret_renew_before_days",
        "smaller",
    ),
    "a folder of records with a NUL": ({"records": "a\0b"}, "records", "control characters"),
    "a folder of records with a line break": ({"records": "a\nb"}, "records", "line breaks"),
    "records at an address": ({"records": "s3://bucket/x"}, "records", "fleets"),
    "a redirect URI with a line break": ({"redirect_uri": "https://example.com/a\n"}, "redirect_uri", "control"),
    "a redirect URI with a NUL": ({"redirect_uri": "https://example.com/a\0"}, "redirect_uri", "control"),
    "a real tenant without a sign-in": ({"target": "entra"}, "tenant_id", "needed"),
}


@pytest.mark.parametrize(("values", "where", "says"), BAD.values(), ids=BAD.keys())
def test_each_mistake_is_named_with_its_place_and_a_way_out(values: dict[str, object], where: str, says: str) -> None:
    with pytest.raises(InputError) as refused:
        parse(values)
    assert where in {problem.where for problem in refused.value.problems}
    assert says in str(refused.value)


SECRETS = {
    "a client secret": "abc8Q~Wrong.secret_value-00000000000000",
    "a token": "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0In0.c2lnbmF0dXJl",
    "an API key": "v1.eu1.cGxhbnRlZC1rZXktMDAwMQ",
}


@pytest.mark.parametrize("secret", SECRETS.values(), ids=SECRETS.keys())
def test_a_secret_in_the_wrong_place_is_refused_and_never_repeated(secret: str) -> None:
    for name in sorted({*Parameters.model_fields} - {"secret_lifetime_days"}):
        for value in (secret, [secret]):
            with pytest.raises(InputError) as refused:
                parse({name: value, "secret_lifetime_days": "long"})
            assert secret not in str(refused.value), name
            assert {name, "secret_lifetime_days"} <= {problem.where for problem in refused.value.problems}
    assert parse({"application_name": "StackOne-Connector-Prod-2026"}).application_name


@pytest.mark.parametrize("values", [case[0] for case in BAD.values()], ids=BAD.keys())
def test_run_refuses_it_with_exit_code_2_and_sends_nothing(
    values: dict[str, object], command: Runner, listener: Listener, tmp_path: Path
) -> None:
    (tmp_path / "parameters.yaml").write_text(yaml.safe_dump({"sandbox_file": str(listener.ready_file), **values}))
    done = command("run", "--parameters", "parameters.yaml")
    assert done.returncode == 2, done.stderr
    assert listener.connections == []
    assert not (tmp_path / "records").exists()


def test_a_good_input_does_reach_the_listener(command: Runner, listener: Listener) -> None:
    """The counter above can count."""
    done = command("plan", "--sandbox", str(listener.ready_file))
    assert done.returncode not in (0, 2), done.stderr
    assert listener.connections, done.stderr


def test_every_mistake_is_named_in_one_go(command: Runner, tmp_path: Path) -> None:
    wrong = {"colour": "red", "actions": ["List Usrs", "Fly"], "secret_lifetime_days": 0, "tenant_id": "?"}
    wrong |= {"redirect_uri": "http://example.com/a#b"}
    (tmp_path / "p.yaml").write_text(yaml.safe_dump(wrong))
    done = command("run", "--parameters", "p.yaml", "--set", "secret_store=drawer", "--json")
    assert done.returncode == 2
    named = {problem["where"] for problem in json.loads(done.stdout)["problems"]}
    assert named == {*wrong, "secret_store"}


def test_a_planted_secret_is_not_repeated_in_the_refusal(command: Runner) -> None:
    done = command("run", "--set", "client_secret_ref=Hx8.Q~planted-value")
    assert done.returncode == 2
    assert "planted-value" not in done.stdout + done.stderr


WRONG_FILES = {
    "broken": "a: [1",
    "a list": "- a\n- b\n",
    "a number": "7",
    "a brace": "{",
    "a switch that YAML cannot make": "purge: !!bool maybe",
    "a moment that YAML cannot make": "application_name: !!timestamp today",
    "a number of nothing": "secret_lifetime_days: !!int ''",
    "a character that no Unicode has": 'application_name: "\\U99999999"',
}


@pytest.mark.parametrize("text", WRONG_FILES.values(), ids=WRONG_FILES.keys())
def test_a_file_that_is_no_mapping_of_values_is_refused(text: str, command: Runner, tmp_path: Path) -> None:
    (tmp_path / "p.yaml").write_text(text)
    assert command("run", "--parameters", "p.yaml").returncode == 2


def test_the_folder_of_records_may_be_below_the_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    assert parse({"records": "~/kept"}).records == str(tmp_path / "kept")
    assert Books("~/kept").place == str(tmp_path / "kept")


def test_a_file_that_is_not_there_is_refused(command: Runner) -> None:
    done = command("run", "--parameters", "absent.yaml")
    assert done.returncode == 2
    assert "absent.yaml" in done.stderr


@pytest.mark.parametrize("span", [f"0..{len(NAMES)}", "3..2", "a..b", f"{len(NAMES) + 1}", f"1..{len(NAMES) + 1}", ""])
def test_a_range_outside_the_guide_is_refused(span: str, command: Runner) -> None:
    assert command("run", "--sections", span).returncode == 2


def test_names_slugs_and_stackone_ids_are_the_same_choice() -> None:
    named = parse({"actions": ["Create Group", "List Users"]})
    assert named == parse({"actions": "list_users, create_group"})
    assert named == parse({"actions": ["microsoftentraid_list_users", "microsoftentraid_create_group", "List Users"]})


@pytest.mark.parametrize("name", ["p.yaml", "p.json"])
def test_a_saved_choice_is_read_back_the_same(name: str, tmp_path: Path) -> None:
    choice = parse({"actions": ["Create Group"], "sign_in_audience": "single", "secret_lifetime_days": 90})
    save(choice, tmp_path / name)
    assert load(tmp_path / name) == choice


def test_the_default_choice_reads_only() -> None:
    from runbook import catalog

    assert {catalog.action(slug).effect for slug in Parameters().actions} == {"read"}


def test_actions_come_from_a_file_with_comments_and_one_that_is_none_is_refused(
    command: Runner, tmp_path: Path
) -> None:
    (tmp_path / "actions.txt").write_text("\ufeffList Users  # people\n\nGet Group\n", encoding="utf-8")
    done = command("scopes", "--actions-file", "actions.txt", "--json")
    assert json.loads(done.stdout)["actions"] == ["get_group", "list_users"]
    (tmp_path / "none.txt").write_bytes(b"\xff\xfe\x00")
    for name in ("none.txt", "missing.txt"):
        refused = command("scopes", "--actions-file", name)
        assert (refused.returncode, "cannot be read" in refused.stderr) == (2, True)
    (tmp_path / "wrong.txt").write_text("List Usrs\n")
    assert "List Users" in command("scopes", "--actions-file", "wrong.txt").stderr
