"""What the runbook made is removed and nothing else; it may stop anywhere, wait for a person, and be run again."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from entra_sandbox.store import Store

from runbook.operations import section
from runbook.parameters import Parameters
from runbook.runs.engine import execute
from runbook.runs.provenance import folder
from runbook.secrets.stores import open_store
from runbook.sections import NAMES
from runbook.tenant.base import SectionResult, open_context, run_section
from runbook.tenant.registration import require_application
from tests.conftest import runner
from tests.operations.conftest import _outputs
from tests.safety.census import Books, others
from tests.safety.foreign import Life, adoptable, plant
from tests.sections.conftest import Journey, journey, nobody

__all__ = ["journey"]

Begin = Callable[..., Journey]


@pytest.fixture
def store(sandbox: dict[str, Any]) -> Iterator[Store]:
    """The sandbox's own books."""
    opened = Store(Path(sandbox["file"]).with_name("sandbox.db"))
    yield opened
    opened.close()


def torn_down(own: Journey, **changes: Any) -> SectionResult:
    return own.run("teardown", **changes)["teardown"]


def set_up(journey: Begin, **values: Any) -> Journey:
    own = journey(actions=["list_users", "create_group"], **values)
    assert {result.verdict for result in own.run(*NAMES[:7]).values()} == {"passed"}
    return own


def left(store: Store, params: Parameters) -> dict[str, int]:
    """What is there of a choice, the deleted items apart."""
    books = Books.read(store, params)
    rows = [*books.applications, *books.principals, *books.grants, *books.assignments, *books.profiles, *books.accounts]
    return {row[0]: 1 for row in rows if not row[2]}


def kept(tenant: str, app_id: str) -> list[str]:
    return [ref for ref in open_store("file").references() if f"{tenant}/{app_id}/" in ref or "/link/" in ref]


def test_everything_of_ours_goes_look_alikes_stay_and_again_writes_nothing(
    journey: Begin, sandbox: dict[str, Any], store: Store
) -> None:
    own = journey(actions=["list_users", "create_group"])
    params = own.params()
    plant(store, sandbox["tenant_id"], params)
    foreign = others(store, params)
    assert {result.verdict for result in own.run(*NAMES[:7]).values()} == {"passed"}
    with own.context() as ctx:
        app_id = require_application(ctx)["appId"]
    assert kept(sandbox["tenant_id"], app_id)
    result = torn_down(own)
    assert (result.verdict, result.error) == ("passed", None)
    assert left(store, params) == {}
    assert others(store, params) == foreign
    assert kept(sandbox["tenant_id"], app_id) == []
    assert Books.read(store, params).count()["in the bin"] == 2
    expected = {"linked account": 1, "connector profile": 1, "client secret": 1, "delegated grant": 1}
    expected |= {"app role assignment": 2, "service principal": 1, "application": 1}
    assert result.done["deleted"] == expected
    assert torn_down(own).verdict == "passed"
    assert own.writes() == {}

    assert torn_down(own, purge=True).verdict == "passed"
    assert sum(Books.read(store, params).count().values()) == 0
    assert torn_down(own, purge=True).verdict == "passed"
    assert own.writes() == {}


def test_accounts_of_several_owners_stay_ours_and_go_together(journey: Begin, store: Store) -> None:
    own = set_up(journey)
    first = own.params().account_owner_id
    second = f"{first}-second"
    linked = {owner: own.run(NAMES[6], account_owner_id=owner)[NAMES[6]] for owner in (second, first, second)}
    assert {result.verdict for result in linked.values()} == {"passed"}
    assert linked[first].facts["account"]["id"] != linked[second].facts["account"]["id"]
    of_both = [each for each in store.find("stackone.account", None) if each["origin_owner_id"] in linked]
    assert sorted(each["origin_owner_id"] for each in of_both) == [first, second]
    assert own.run(NAMES[6], account_owner_id=second)[NAMES[6]].verdict == "passed"
    assert own.writes() == {}

    assert torn_down(own).done["deleted"]["linked account"] == 2
    assert not [each for each in store.find("stackone.account", None) if each["origin_owner_id"] in linked]


def test_an_adopted_application_is_as_it_was_before(journey: Begin, sandbox: dict[str, Any], store: Store) -> None:
    found, _ = adoptable(store, sandbox["tenant_id"])
    before = Life.read(store, found["id"])
    own = set_up(journey, application_object_id=found["id"])
    assert Life.read(store, found["id"]) != before
    result = torn_down(own)
    assert (result.verdict, result.error) == ("passed", None)
    now = Life.read(store, found["id"])
    assert list(before.lost(now)) == []
    assert now.application == {**before.application, "uniqueName": own.params().unique_name}, (
        "a unique name is for good"
    )
    assert (now.grants, now.assignments) == (before.grants, before.assignments)
    assert torn_down(own).verdict == "passed"
    assert own.writes() == {}


def test_what_others_put_on_our_application_goes_with_it_only_when_exactly_that_was_approved(
    journey: Begin, store: Store
) -> None:
    own = set_up(journey)
    with own.context() as ctx:
        path = f"/applications/{require_application(ctx)['id']}"
        ctx.graph.post(f"{path}/addPassword", {"passwordCredential": {"displayName": "Somebody's"}})
    before = left(store, own.params())
    refused = torn_down(own)
    assert refused.verdict == "failed"
    assert "Somebody's" in str(refused.error)
    assert (own.writes(), left(store, own.params())) == ({}, before)
    (approved,) = re.findall(r"--approve (sha256:[0-9a-f]{64})", str(refused.error))
    done = torn_down(own, approve=approved)
    assert (done.verdict, done.error) == ("passed", None)
    assert left(store, own.params()) == {}


def test_a_disposable_object_that_a_killed_proof_left_goes_too(journey: Begin, store: Store) -> None:
    from runbook.proof.workshop import Mark

    own = set_up(journey)
    with own.context() as ctx:
        mark = Mark.now(require_application(ctx)["appId"], ctx.graph.session.now()).text
        body = {"mailEnabled": False, "mailNickname": "left", "securityEnabled": True}
        made: Any = ctx.graph.post("/groups", {**body, "displayName": f"runbook probe {mark} left"})
    result = torn_down(own)
    assert result.verdict == "passed"
    assert f"group runbook probe {mark} left" in [change.what for change in result.changes]
    assert store.get("group", made["id"]) is None


def test_it_parks_for_the_profile_when_access_has_ended_and_goes_on(journey: Begin, store: Store) -> None:
    own = set_up(journey)

    for _ in range(2):
        with open_context(own.params(), own.journal(), nobody) as ctx:
            result = run_section(ctx, section("teardown"), apply=True)
        assert result.verdict == "parked"
        assert result.hand_over is not None
        assert (result.hand_over.kind, result.hand_over.fields) == (
            "connector_profile_removal",
            {"name": own.params().connector_profile_name},
        )
        assert set(left(store, own.params())) == {"application", "stackone.profile"}
        assert Books.read(store, own.params()).secrets == []
    assert own.writes() == {}
    assert torn_down(own).verdict == "passed"
    assert left(store, own.params()) == {}


def test_one_that_somebody_deleted_in_the_portal_leaves_nothing_at_stackone(
    journey: Begin, sandbox: dict[str, Any], store: Store
) -> None:
    own = set_up(journey)
    with own.context() as ctx:
        found = require_application(ctx)
        ctx.graph.remove(f"/applications/{found['id']}")
    assert set(left(store, own.params())) >= {"stackone.profile", "stackone.account"}
    assert torn_down(own).verdict == "passed"
    assert left(store, own.params()) == {}
    assert kept(sandbox["tenant_id"], found["appId"]) == []


def test_the_command_and_the_notebook_leave_a_record_like_any_other(
    connected: Parameters, sandbox: dict[str, Any], store: Store, tmp_path: Path
) -> None:
    file = tmp_path / "choice.json"
    file.write_text(json.dumps(connected.model_dump(mode="json", exclude_unset=True)))
    home = Path(sandbox["file"]).parent
    command = partial(runner(home, tmp_path), XDG_DATA_HOME=str(home), XDG_CONFIG_HOME=str(home))
    done = command("teardown", "--parameters", "choice.json", "--json")
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout)
    assert told["verdict"] == "passed"
    assert told["sections"][0]["notebook"] == "teardown.ipynb"
    assert "Tear the connection down" in (tmp_path / told["record"] / "report.html").read_text()
    assert command("records", "verify", told["record"]).returncode == 0
    assert left(store, connected) == {}
    output = tmp_path / "again.ipynb"
    source = folder() / "operations" / "teardown.ipynb"
    assert execute(source, output, {"parameters_file": str(file)}).ok
    assert "nothing changed" in _outputs(output)
