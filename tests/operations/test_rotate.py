"""A client secret is made, proven, handed to StackOne and removed days later; whatever comes between."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from runbook.errors import HandOver
from runbook.operations import section
from runbook.parameters import Parameters
from runbook.runs.engine import execute
from runbook.runs.provenance import folder
from runbook.secrets import Secret
from runbook.sections import NAMES
from runbook.tenant.base import SectionResult, open_context, run_section
from runbook.tenant.registration import marks, require_application
from tests.conftest import runner
from tests.operations.conftest import _outputs
from tests.sections.conftest import Journey, journey, nobody
from tests.sections.test_refresh import set_clock

__all__ = ["journey"]

DAY = 86_400
Begin = Callable[..., Journey]


@pytest.fixture
def own(journey: Begin, sandbox: dict[str, Any]) -> Journey:
    """A connection that was set up ten minutes ago."""
    begun = journey(actions=["list_users"])
    set_clock(sandbox, -600)
    try:
        results = begun.run(*NAMES[:7])
    finally:
        set_clock(sandbox, 0)
    assert {result.verdict for result in results.values()} == {"passed"}
    return begun


@pytest.fixture
def days(sandbox: dict[str, Any]) -> Iterator[Callable[[float], None]]:
    """Moves the sandbox's clock so many days from now."""
    yield lambda number: set_clock(sandbox, int(number * DAY))
    set_clock(sandbox, 0)


def rotated(own: Journey, **changes: Any) -> SectionResult:
    return own.run("rotate_secret", **changes)["rotate_secret"]


def secrets_of(own: Journey) -> dict[str, str]:
    """Description by key id, oldest first, and the profile's."""
    with own.context() as ctx:
        found = require_application(ctx)
        listed = sorted(found["passwordCredentials"], key=lambda item: item["startDateTime"])
        return {item["keyId"]: item["displayName"] for item in listed} | {"profile": marks(found, "profile-key")[0]}


def value_of(own: Journey, key_id: str) -> bool:
    with own.context() as ctx:
        app_id = require_application(ctx)["appId"]
        return ctx.store.has(ctx.store.reference(f"{ctx.target.tenant_id}/{app_id}/{key_id}"))


def told(result: SectionResult) -> dict[str, str]:
    assert result.evidence is not None
    return {row["what"]: row["value"] for row in result.evidence.rows}


def test_the_command_rotates_once_and_again_writes_nothing(
    connected: Parameters, sandbox: dict[str, Any], tmp_path: Path
) -> None:
    file = tmp_path / "choice.json"
    file.write_text(json.dumps(connected.model_dump(mode="json", exclude_unset=True)))
    home = Path(sandbox["file"]).parent
    command = partial(runner(home, tmp_path), XDG_DATA_HOME=str(home), XDG_CONFIG_HOME=str(home))
    planned = command("rotate", "--parameters", "choice.json", "--plan", "--json")
    assert planned.returncode == 0, planned.stderr
    plan = json.loads(planned.stdout)
    assert [change["kind"] for change in plan["sections"][0]["changes"]] == ["added", "changed"]
    assert not (tmp_path / "records").exists()
    done = command("rotate", "--parameters", "choice.json", "--json")
    assert done.returncode == 0, done.stderr
    first = json.loads(done.stdout)
    assert (first["plan_hash"], first["verdict"]) == (plan["plan_hash"], "passed")
    assert first["sections"][0]["done"]["created"] == {"client secret": 1}
    assert "run `runbook rotate` again after" in done.stderr
    verified = command("records", "verify", first["record"])
    assert verified.returncode == 0, verified.stdout
    again = command("rotate", "--parameters", "choice.json", "--json")
    assert again.returncode == 0, again.stderr
    second = json.loads(again.stdout)
    assert second["http"]["writes"] == 0
    assert second["secret"]["key_id"] == first["secret"]["key_id"]


def test_the_notebook_alone_does_the_same_and_nothing_before_it_is_due(own: Journey, tmp_path: Path) -> None:
    file = tmp_path / "choice.json"
    file.write_text(json.dumps({**own.values, "records": str(tmp_path / "kept")}))
    source = folder() / "operations" / "rotate_secret.ipynb"
    before = secrets_of(own)
    for due in (True, None):
        output = tmp_path / f"{due}.ipynb"
        choice = {"parameters_file": str(file), "only_when_due": due}
        done = execute(source, output, {name: value for name, value in choice.items() if value is not None})
        assert done.ok, done
        assert "Passed" in _outputs(output)
        assert (secrets_of(own) == before) == bool(due)
    records = sorted((tmp_path / "kept").iterdir())
    verdicts = [json.loads((record / "summary.json").read_text()) for record in records]
    assert [(one["verdict"], one["http"]["writes"]) for one in verdicts] == [("passed", 0), ("passed", 4)]
    assert verdicts[1]["sections"][0]["notebook"] == "rotate_secret.ipynb"


def test_the_old_one_stays_for_the_overlap_and_goes_by_its_key_id(own: Journey, days: Callable[[float], None]) -> None:
    (old,) = [key for key in secrets_of(own) if key != "profile"]
    assert rotated(own).verdict == "passed"
    _, new, _ = after = list(secrets_of(own))
    assert after == [old, new, "profile"]
    assert secrets_of(own)["profile"] == new
    assert own.plan() == {}, "section 5 keeps it as long, and nobody has to sign in again for a secret"

    days(6.9)
    result = rotated(own)
    assert (result.verdict, own.writes()) == ("passed", {})
    assert "every token from before" in told(result)["StackOne, as the linked account"]
    days(7.1)
    assert [change.wanted for change in own.plan("client_secret")["client_secret"]] == ["absent"]
    assert rotated(own, only_when_due=True).verdict == "passed"
    assert list(secrets_of(own)) == [new, "profile"]
    assert (value_of(own, old), value_of(own, new)) == (False, True)
    assert rotated(own, only_when_due=True).verdict == "passed"
    assert own.writes() == {}


def test_without_an_overlap_it_stays_until_stackone_has_shown_that_it_works_without(
    own: Journey, days: Callable[[float], None]
) -> None:
    asked = {"secret_overlap_days": 0}
    assert rotated(own, **asked).verdict == "passed"
    assert len(secrets_of(own)) == 3
    assert rotated(own, **asked).verdict == "passed"
    assert own.writes() == {}
    days(91 / 1440)
    assert rotated(own, **asked).verdict == "passed"
    assert len(secrets_of(own)) == 2


def test_due_makes_one_when_few_days_are_left_and_a_person_s_secret_always_stays(
    own: Journey, days: Callable[[float], None]
) -> None:
    with own.context() as ctx:
        path = f"/applications/{require_application(ctx)['id']}/addPassword"
        theirs: Any = ctx.graph.post(path, {"passwordCredential": {"displayName": "StackOne connector"}})
    for day in (0, 149):
        days(day)
        assert rotated(own, only_when_due=True).verdict == "passed"
        assert len(secrets_of(own)) == 3
    days(151)
    assert rotated(own, only_when_due=True).verdict == "passed"
    assert len(secrets_of(own)) == 4
    days(181)  # a month was missed: the old one has ended meanwhile
    assert rotated(own, only_when_due=True).verdict == "passed"
    assert set(secrets_of(own)) == {theirs["keyId"], secrets_of(own)["profile"], "profile"}


def test_what_a_person_put_in_wrongly_is_found_while_the_old_one_lives_and_handed_over_again(
    own: Journey, days: Callable[[float], None]
) -> None:
    with own.context(own.journal()) as ctx:
        other, attend = ctx.store.put("another", Secret("not-the-secret")), ctx.target.attend
        assert attend is not None

        def mistaken(item: HandOver) -> bool:
            return attend(replace(item, fields={**item.fields, "client_secret": other}))

        object.__setattr__(ctx.target, "attend", mistaken)
        assert run_section(ctx, section("rotate_secret"), apply=True).verdict == "passed"
    days(1)
    failed = rotated(own)
    assert failed.verdict == "failed"
    assert "`runbook rotate` again" in failed.next_step
    assert len(secrets_of(own)) == 3
    mended = rotated(own)
    assert (mended.verdict, mended.error) == ("passed", None)
    assert own.writes()
    days(8)
    assert rotated(own).verdict == "passed"
    assert len(secrets_of(own)) == 2


def test_it_parks_for_the_person_and_goes_on_where_it_was(own: Journey) -> None:
    for _ in range(2):
        with open_context(own.params(), own.journal(), nobody) as ctx:
            result = run_section(ctx, section("rotate_secret"), apply=True)
        assert result.verdict == "parked"
        assert result.hand_over is not None
        assert "client_secret" in result.hand_over.fields
        assert len(secrets_of(own)) == 3, "no third secret is made while one waits"
    assert own.writes() == {}
    assert rotated(own).verdict == "passed"
    assert len(secrets_of(own)) == 3


def test_a_choice_of_other_actions_is_refused_before_a_secret_is_made(own: Journey) -> None:
    before = secrets_of(own)
    result = rotated(own, actions=["list_users", "create_group"])
    assert result.verdict == "failed"
    assert "more than its secret" in str(result.error)
    assert secrets_of(own) == before
