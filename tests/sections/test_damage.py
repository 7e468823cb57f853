"""What somebody else did to the tenant: named by the plan, mended by the next run, and never more than ours."""

from __future__ import annotations

import re
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from entra_sandbox.store import Store

from runbook.errors import PlanRefused, RunbookError
from runbook.operations import section
from runbook.records.journal import read
from runbook.sections import NAMES, connector_profile
from runbook.tenant.base import plan_sections
from runbook.tenant.permissions import Permissions
from runbook.tenant.registration import MARK, application, marks, require_application, service_principal
from tests.sections.conftest import Journey

Begin = Callable[..., Journey]
TENANT = NAMES[:5]
SHAREPOINT = "00000003-0000-0ff1-ce00-000000000000"  # SharePoint Online: another API of Microsoft's


@pytest.fixture
def done(journey: Begin) -> Journey:
    """A journey whose tenant side has been made once."""
    own = journey()
    assert set(verdicts(own.run(*TENANT)).values()) == {"passed"}
    return own


@pytest.fixture
def linked(done: Journey) -> Journey:
    """A journey with profile and account too."""
    assert set(verdicts(done.run(*NAMES[5:7])).values()) == {"passed"}
    return done


def verdicts(results: Any) -> dict[str, str]:
    return {name: f"{result.verdict} {result.error or ''}".strip() for name, result in results.items()}


def mended(own: Journey, *names: str) -> None:
    """The next run mends it, and the one after has nothing to do."""
    assert set(verdicts(own.run(*(names or TENANT))).values()) == {"passed"}
    assert own.plan(*(names or TENANT)) == {}


def test_a_removed_secret_is_made_anew_and_the_profile_switched(linked: Journey) -> None:
    with linked.context() as ctx:
        found = require_application(ctx)
        (secret,) = found["passwordCredentials"]
        ctx.graph.post(f"/applications/{found['id']}/removePassword", {"keyId": secret["keyId"]})
    plan = linked.plan(*NAMES[:7])
    assert plan.keys() == {"client_secret", "connector_profile"}
    assert plan["client_secret"][0].now == "absent"
    mended(linked, *NAMES[:7])


def test_an_account_that_somebody_deleted_is_named_and_linked_again(linked: Journey) -> None:
    with linked.context() as ctx:
        (account,) = ctx.stackone.accounts(owner_id=linked.params().account_owner_id)
        ctx.stackone.delete_account(account["id"])
    plan = linked.plan(*NAMES[:7])
    assert [change.now for change in plan.pop("link_account")] == ["absent"]
    assert plan == {}
    mended(linked, *NAMES[:7])


@pytest.mark.parametrize(
    ("name", "lacking"), [("connector_profile", ("profile", "profile-id")), ("link_account", ("account",))]
)
def test_what_a_late_replica_does_not_list_yet_is_not_taken_for_a_strangers(
    linked: Journey, name: str, lacking: tuple[str, ...]
) -> None:
    with linked.context() as other, linked.context() as ctx:
        found = require_application(other)
        path, gone = f"/applications/{found['id']}", tuple(f"{MARK}:{mark}:" for mark in lacking)
        late = [tag for tag in found["tags"] if not tag.startswith(gone)]
        assert len(late) == len(found["tags"]) - len(lacking)
        other.graph.set(path, {"tags": late})
        # It is told before each pause between two looks.
        ctx.graph.progress = lambda _news: other.graph.set(path, {"tags": found["tags"]})
        planned = plan_sections(ctx, [section(name)])[name]
    assert [change for change in planned if change.kind != "same"] == []


def test_a_profile_that_somebody_deleted_is_named_and_made_again(linked: Journey) -> None:
    with linked.context() as ctx:
        profile = connector_profile.read(ctx).profile
        assert profile is not None
        connector_profile.remove(ctx, profile)
    plan = linked.plan(*NAMES[:7])
    assert [change.now for change in plan["connector_profile"]] == ["absent"]
    assert set(plan) == {"connector_profile", "link_account"}
    mended(linked, *NAMES[:7])


def test_a_revoked_grant_is_named_and_granted_again(done: Journey) -> None:
    with done.context() as ctx:
        state = Permissions.read(ctx)
        assignment = state.assignments["User.Read.All"]
        ctx.graph.remove(f"/servicePrincipals/{state.resource_id}/appRoleAssignedTo/{assignment}")
    plan = done.plan(*TENANT)
    assert [(change.what, change.now) for change in plan["api_permissions"]] == [
        ("User.Read.All (application)", "requested, not granted")
    ]
    assert plan.keys() == {"api_permissions"}
    mended(done)


def test_a_revoked_delegated_grant_is_named_scope_by_scope(done: Journey) -> None:
    with done.context() as ctx:
        state = Permissions.read(ctx)
        assert state.grant is not None
        ctx.graph.remove(f"/oauth2PermissionGrants/{state.grant['id']}")
        expected = {f"{name} (delegated)" for name in state.requested["delegated"]}
    assert {change.what for change in done.plan(*TENANT)["api_permissions"]} == expected
    mended(done)


def test_a_changed_redirect_uri_is_put_back_and_the_strangers_kept(done: Journey) -> None:
    stranger = "https://contoso.com/callback"
    with done.context() as ctx:
        found = require_application(ctx)
        ctx.graph.set(f"/applications/{found['id']}", {"web": {"redirectUris": [stranger]}})
    assert [change.kind for change in done.plan(*TENANT)["redirect_uri"]] == ["added"]
    mended(done)
    with done.context() as ctx:
        uris = require_application(ctx)["web"]["redirectUris"]
    assert len(uris) == 2
    assert stranger in uris


def test_a_callback_that_an_earlier_run_registered_goes_when_another_is_wanted(journey: Begin) -> None:
    own = journey(redirect_uri="https://old.stackone.com/connect/oauth2/microsoftentraid/callback")
    own.run(*NAMES[:3])
    new = {"redirect_uri": "https://new.stackone.com/connect/oauth2/microsoftentraid/callback"}
    assert {change.kind for change in own.plan("redirect_uri", **new)["redirect_uri"]} == {"added", "removed"}
    own.run("redirect_uri", **new)
    with own.context() as ctx:
        assert require_application(ctx)["web"]["redirectUris"] == [new["redirect_uri"]]


def test_a_renamed_application_gets_its_name_audience_and_lock_back(done: Journey) -> None:
    change = {
        "displayName": "Renamed",
        "signInAudience": "AzureADMyOrg",
        "servicePrincipalLockConfiguration": {"isEnabled": False},
    }
    with done.context() as ctx:
        ctx.graph.set(f"/applications/{require_application(ctx)['id']}", change)
    changes = {item.what: item.wanted for item in done.plan(*TENANT)["register_application"]}
    assert changes.keys() == {"display name", "supported account types", "app instance property lock"}
    mended(done)


def test_permissions_and_secrets_of_others_on_the_application_stay(done: Journey) -> None:
    other = {
        "resourceAppId": SHAREPOINT,
        "resourceAccess": [{"id": "9bff6588-13f2-4c48-bbf2-ddab62256b36", "type": "Scope"}],
    }
    with done.context() as ctx:
        found = require_application(ctx)
        entries = [*found["requiredResourceAccess"], other]
        ctx.graph.set(
            f"/applications/{found['id']}", {"requiredResourceAccess": entries, "tags": [*found["tags"], "x"]}
        )
        theirs = {"passwordCredential": {"displayName": "somebody else's"}}
        ctx.graph.post(f"/applications/{found['id']}/addPassword", theirs)
    assert done.plan(*TENANT) == {}
    done.run(*TENANT, actions=["list_users", "list_domains"])
    with done.context() as ctx:
        found = require_application(ctx)
    assert other["resourceAppId"] in {entry["resourceAppId"] for entry in found["requiredResourceAccess"]}
    assert "somebody else's" in {secret["displayName"] for secret in found["passwordCredentials"]}
    assert "x" in found["tags"]


def test_a_permission_that_somebody_else_gave_stays_and_goes_only_when_taking_over_was_approved(done: Journey) -> None:
    with done.context() as ctx:
        state = Permissions.read(ctx)
        assert state.application is not None
        assert state.principal is not None
        extra = state.ids["application"]["Domain.ReadWrite.All"]
        entries = state.application["requiredResourceAccess"]
        entries[0]["resourceAccess"].append({"id": extra, "type": "Role"})
        ctx.graph.set(f"/applications/{state.application['id']}", {"requiredResourceAccess": entries})
        body = {"principalId": state.principal["id"], "resourceId": state.resource_id, "appRoleId": extra}
        ctx.graph.post(f"/servicePrincipals/{state.resource_id}/appRoleAssignedTo", body)
    assert done.plan(*TENANT) == {}
    result = done.run(*TENANT)["api_permissions"]
    assert "not ours, stays" in {change.note for change in result.changes}
    (row,) = [one for one in result.facts["permissions"]["application"] if one["name"] == "Domain.ReadWrite.All"]
    assert (row["wanted"], row["requested"], row["granted"]) == (False, True, True)

    over = {"take_over": True}
    changes = done.plan("api_permissions", **over)["api_permissions"]
    assert [(change.what, change.kind) for change in changes] == [("Domain.ReadWrite.All (application)", "removed")]
    refused = done.run("api_permissions", **over)["api_permissions"]
    assert isinstance(refused.error, PlanRefused)
    assert done.writes() == {}
    approved = re.findall(r"--approve (sha256:[0-9a-f]{64})", refused.next_step)[0]
    assert done.run("api_permissions", approve=approved, **over)["api_permissions"].verdict == "passed"
    assert done.plan(*TENANT) == {}
    with done.context() as ctx:
        assert "Domain.ReadWrite.All" not in Permissions.read(ctx).there("granted", "application")


def test_a_grant_of_ours_for_what_somebody_else_requested_goes_alone_and_unasked(journey: Begin) -> None:
    own = journey(actions=["list_users", "list_domains"])
    own.run("register_application")
    with own.context() as ctx:
        state, found = Permissions.read(ctx), require_application(ctx)
        by_hand = {"id": state.ids["application"]["Domain.Read.All"], "type": "Role"}
        entry = {"resourceAppId": "00000003-0000-0000-c000-000000000000", "resourceAccess": [by_hand]}
        ctx.graph.set(f"/applications/{found['id']}", {"requiredResourceAccess": [entry]})
    own.run(*NAMES[2:4])
    fewer = {"actions": ["list_users"]}
    changes = {change.what: change for change in own.plan("api_permissions", **fewer)["api_permissions"]}
    assert changes["Domain.Read.All (application)"].wanted == "requested, not granted"
    assert own.run("api_permissions", **fewer)["api_permissions"].verdict == "passed"
    with own.context() as ctx:
        state = Permissions.read(ctx)
        assert "Domain.Read.All" in state.requested["application"]
        assert "Domain.Read.All" not in state.there("granted", "application")
    assert own.plan("api_permissions", **fewer) == {}


def test_a_deleted_application_is_restored_with_its_client_id(done: Journey) -> None:
    with done.context() as ctx:
        before = require_application(ctx)
        ctx.graph.remove(f"/applications/{before['id']}")
    assert done.plan(*TENANT)["register_application"][0].now == "in deleted items"
    done.run(*TENANT)
    with done.context() as ctx:
        after = require_application(ctx)
        assert service_principal(ctx, after["appId"]) is not None
    assert after["appId"] == before["appId"]


def test_a_look_alike_is_named_and_left_alone(journey: Begin) -> None:
    own = journey()
    with own.context() as ctx:
        twin: Any = ctx.graph.post("/applications", {"displayName": ctx.params.application_name})
    results = own.run("register_application")
    labels = [change.note for change in results["register_application"].changes]
    assert "same display name, not ours" in labels
    assert results["register_application"].facts["application"]["object_id"] != twin["id"]


def test_an_application_made_elsewhere_is_adopted_by_its_object_id_only(journey: Begin) -> None:
    own = journey()
    with own.context() as ctx:
        made: Any = ctx.graph.post("/applications", {"displayName": "Made in the portal"})
    results = own.run("register_application", application_object_id=made["id"])
    assert results["register_application"].verdict == "passed"
    with own.context() as ctx:
        found = application(ctx)
    assert found is not None
    assert found["id"] == made["id"]
    assert MARK in found["tags"]


def test_an_object_id_that_contradicts_the_unique_name_is_refused(journey: Begin) -> None:
    own = journey()
    own.run("register_application")
    with own.context() as ctx:
        made: Any = ctx.graph.post("/applications", {"displayName": "Another"})
    with pytest.raises(PlanRefused, match="belongs to another application"):
        own.plan("register_application", application_object_id=made["id"])


def test_a_living_secret_whose_value_is_elsewhere_is_never_replaced_and_stays_in_the_profile_until_it_nears_its_end(
    linked: Journey,
) -> None:
    with linked.context() as ctx:
        found = require_application(ctx)
        (old,) = [secret["keyId"] for secret in found["passwordCredentials"]]
        ctx.store.delete(ctx.store.reference(f"{ctx.target.tenant_id}/{found['appId']}/{old}"))
    (change,) = linked.plan(*NAMES[:7])["client_secret"]
    assert (change.kind, change.now) == ("unknown", f"key {old}, value not kept here")
    refused = linked.run(*NAMES[:7])["client_secret"]
    assert refused.verdict == "failed"
    assert "--new-secret" in refused.next_step
    with linked.context() as ctx:
        assert [secret["keyId"] for secret in require_application(ctx)["passwordCredentials"]] == [old]

    asked = {"new_secret": True}
    assert [change.kind for change in linked.plan(*NAMES[:7], **asked)["client_secret"]] == ["added"]
    linked.run(*NAMES[:7], **asked)
    with linked.context() as ctx:
        found = require_application(ctx)
        assert marks(found, "profile-key") == [old], "StackOne goes on with the one that it has"
        assert len(marks(found, "key")) == 2
    assert linked.plan(*NAMES[:7]) == {}

    # The one made here is handed over once the other's days are few; then each side still keeps its own.
    ending = {"secret_lifetime_days": 200, "secret_renew_before_days": 190}
    linked.run(*NAMES[:7], **ending)
    with linked.context() as ctx:
        found = require_application(ctx)
        (used,) = marks(found, "profile-key")
        keys = [secret["keyId"] for secret in found["passwordCredentials"]]
    assert used != old
    assert old in keys


def test_a_store_that_refuses_leaves_no_secret_on_the_application(journey: Begin) -> None:
    class Full:
        """A store that keeps nothing, such as one on a full disk."""

        def __init__(self, store: Any) -> None:
            self._store = store

        def put(self, _name: str, _secret: object) -> str:
            raise RunbookError("the disk is full")

        def __getattr__(self, name: str) -> Any:
            return getattr(self._store, name)

    from runbook.sections import section
    from runbook.tenant.base import run_section

    own = journey()
    own.run(*NAMES[:4])
    with own.context() as ctx:
        ctx.store = Full(ctx.store)
        result = run_section(ctx, section("client_secret"), apply=True)
        assert result.verdict == "failed"
        assert require_application(ctx)["passwordCredentials"] == []


def test_other_tenants_profiles_in_the_project_are_not_gone_through_to_find_ours(
    linked: Journey, sandbox: dict[str, Any]
) -> None:
    def asked() -> list[str]:
        paths = [event["path"] for event in read(linked.journals[-1]) if event["event"] == "http.call"]
        return [path for path in paths if path.startswith("/connector_profiles")]

    with closing(Store(Path(sandbox["file"]).with_name("sandbox.db"))) as store:
        (profile,) = store.find("stackone.profile", None, name=linked.params().connector_profile_name)
        for number in range(220):
            store.put("stackone.profile", {**profile, "id": f"another-{number}", "name": f"Another {number}"})
    assert set(verdicts(linked.run(NAMES[5])).values()) == {"passed"}
    assert asked()
    assert all("&page=1&" in path for path in asked())
    (change,) = linked.plan(NAMES[5], connector_profile_name="", connector_profile_id="another-219")[NAMES[5]]
    assert change.what == "connector profile 'Another 219'", "of the third page"
