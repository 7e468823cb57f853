"""Where a person is missing: the run parks with everything that person needs, and goes on when it is run again."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from runbook.errors import HandOver
from runbook.records.journal import Journal
from runbook.sections import NAMES, section
from runbook.tenant.base import Context, SectionResult, attended, run_section
from runbook.tenant.permissions import Permissions
from runbook.tenant.registration import require_application
from runbook.widgets.message import HandOverCard
from tests.sections.conftest import REGISTERS, Journey, of_administrator

Begin = Callable[..., Journey]


def alone(ctx: Context) -> Context:
    """The same context with nobody to attend, as on a real tenant."""
    ctx.target = dataclasses.replace(ctx.target, attend=None)
    ctx.hand_over = attended(ctx.target, ctx.journal)
    return ctx


def run_alone(own: Journey, name: str, **changes: Any) -> SectionResult:
    with own.context(**changes) as ctx:
        return run_section(alone(ctx), section(name), apply=True)


def let_the_person_act(own: Journey, hand_over: HandOver) -> None:
    with own.context() as ctx:
        assert ctx.target.attend is not None
        assert ctx.target.attend(hand_over)


@pytest.fixture
def registrar(sandbox: dict[str, Any], journey: Begin, tmp_path: Path) -> Path:
    """The ready file of an administrator's application that may register applications and not consent."""
    return of_administrator(sandbox, journey(), tmp_path, *REGISTERS)


def test_who_may_not_consent_parks_with_one_link_and_goes_on_after_it_was_used(
    journey: Begin, registrar: Path, sandbox: dict[str, Any]
) -> None:
    own = journey(sandbox_file=str(registrar))
    own.run(*NAMES[:3])
    parked = run_alone(own, "api_permissions")
    assert parked.verdict == "parked"
    hand_over = parked.hand_over
    assert hand_over is not None
    assert hand_over.kind == "admin_consent"
    assert urlsplit(hand_over.url).path == f"/{sandbox['tenant_id']}/v2.0/adminconsent"
    query = parse_qs(urlsplit(hand_over.url).query)
    assert query.keys() == {"client_id", "scope", "redirect_uri", "state"}
    assert "Privileged Role Administrator" in hand_over.who

    let_the_person_act(own, hand_over)
    again = run_alone(own, "api_permissions")
    assert again.verdict == "passed"
    assert again.changes
    assert {change.kind for change in again.changes} == {"same"}


def test_the_connector_profile_is_handed_over_with_everything_that_the_form_asks_for(journey: Begin) -> None:
    own = journey()
    own.run(*NAMES[:5])
    parked = run_alone(own, "connector_profile")
    assert parked.verdict == "parked"
    hand_over = parked.hand_over
    assert hand_over is not None
    fields = hand_over.fields
    with own.context() as ctx:
        found = require_application(ctx)
        value = ctx.store.get(fields["client_secret"]).reveal()
        expected = {*ctx.scopes.base, *ctx.scopes.delegated.names}
    assert fields["client_id"] == found["appId"]
    assert fields["type"] == "OAuth 2.0 (Common)"
    assert set(fields["scopes"].split()) == expected
    assert fields["actions"] == "Get Organization, Get User, List Groups, List Users"
    assert value not in str(hand_over)

    let_the_person_act(own, hand_over)
    again = run_alone(own, "connector_profile")
    assert again.verdict == "passed"
    assert [change.now for change in again.changes] == ["saved, not confirmed yet"]
    assert own.plan("connector_profile") == {}


def test_a_profile_that_nobody_saved_since_is_asked_for_again(journey: Begin) -> None:
    own = journey()
    own.run(*NAMES[:6])
    more = {"actions": ["list_users", "list_domains"]}
    own.run(*NAMES[:5], **more)
    first = run_alone(own, "connector_profile", **more)
    assert first.verdict == "parked"
    assert run_alone(own, "connector_profile", **more).verdict == "parked"


def test_an_account_waits_for_its_person_and_is_found_afterwards(journey: Begin) -> None:
    own = journey()
    own.run(*NAMES[:6])
    parked = run_alone(own, "link_account")
    assert parked.verdict == "parked"
    assert parked.hand_over is not None
    let_the_person_act(own, parked.hand_over)
    assert run_alone(own, "link_account").verdict == "passed"


def test_the_link_of_a_parked_run_is_kept_as_a_secret_and_is_not_in_its_record(journey: Begin, tmp_path: Path) -> None:
    own = journey()
    own.run(*NAMES[:6])
    journal = Journal.create(tmp_path, "parked")
    with own.context() as ctx:
        ctx.journal = journal
        ctx.hand_over = attended(dataclasses.replace(ctx.target, attend=None), journal)
        parked = run_section(ctx, section("link_account"), apply=True).hand_over
    assert parked is not None
    token = parked.url.rsplit("/", 1)[-1]
    assert len(token) > 20
    assert token not in journal.path.read_text()
    assert parked.kept in journal.path.read_text()
    with own.context() as ctx:
        assert ctx.store.get(parked.kept).reveal() == parked.url
    assert token not in HandOverCard(parked, attended=False).text()
    assert token in HandOverCard(parked).text()


def test_a_failed_link_gives_the_reason_of_entra_and_the_remedy(journey: Begin) -> None:
    own = journey()
    own.run(*NAMES[:6])
    with own.context() as ctx:
        found = require_application(ctx)
        ctx.graph.set(f"/applications/{found['id']}", {"web": {"redirectUris": ["https://contoso.com/elsewhere"]}})
        result = run_section(ctx, section("link_account"), apply=True)
    assert result.verdict == "failed"
    assert result.error is not None
    assert "AADSTS50011" in str(result.error)


def test_without_a_person_the_linked_account_proves_the_delegated_permissions(journey: Begin) -> None:
    own = journey(actions=["list_users"])
    own.run(*NAMES[:7])
    result = run_alone(own, "verify_actions")
    (action,) = result.facts["actions"]
    assert action["delegated"]["used"] == "not tried"
    assert action["delegated"]["in_token"] is None
    assert action["stackone"]["used"] is True
    assert action["verdict"] == "passed"
    assert result.verdict == "passed"


def test_without_person_and_account_the_proof_is_parked(journey: Begin) -> None:
    own = journey(actions=["list_users"])
    own.run(*NAMES[:6])
    result = run_alone(own, "verify_actions")
    assert result.verdict == "parked"
    assert result.facts["actions"][0]["verdict"] == "not tried"
    assert result.next_step


def test_where_nothing_may_be_tried_nobody_is_waited_for(journey: Begin) -> None:
    own = journey(actions=["create_group"], permission_types=["delegated"], allow_writes=False)
    own.run(*NAMES[:6])
    result = run_alone(own, "verify_actions")
    (action,) = result.facts["actions"]
    assert (action["verdict"], action["untried_for"]) == ("not tried", "parameters")
    assert "allow_writes is off" in action["explanation"]
    assert result.verdict == "passed"


def test_the_cell_of_a_permission_that_is_not_granted_turns_red_and_no_other(journey: Begin) -> None:
    own = journey(actions=["list_users", "list_groups"])
    own.run()
    with own.context() as ctx:
        state = Permissions.read(ctx)
        assignment = state.assignments["User.Read.All"]
        ctx.graph.remove(f"/servicePrincipals/{state.resource_id}/appRoleAssignedTo/{assignment}")
    result = own.run("verify_actions")["verify_actions"]
    users, groups = sorted(result.facts["actions"], key=lambda action: action["slug"], reverse=True)
    assert groups["verdict"] == "passed"
    assert users["verdict"] == "failed"
    assert users["application"] == {
        "wanted": True,
        "requested": True,
        "granted": False,
        "in_token": False,
        "used": False,
    }
    assert users["delegated"]["used"] is True
    assert users["stackone"]["used"] is True
    assert "not granted" in users["explanation"]
    assert "Privileged Role Administrator" in users["explanation"]
    assert result.verdict == "failed"
