"""Each failure that is recognised, provoked on the real sandbox over TLS with the runbook's own clients."""

from __future__ import annotations

import contextlib
import dataclasses
import json
import ssl
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest
from entra_sandbox import attendant
from entra_sandbox.server import running
from entra_sandbox.store import Store

from runbook.clients.auth import FixedToken
from runbook.clients.entra import application_token, delegated_token
from runbook.clients.explanation import Explanation, explain, looks_like_secret_id, table
from runbook.clients.graph import GraphClient
from runbook.errors import GraphError, HandOver, RunbookError, SignInError
from runbook.parameters import parse
from runbook.secrets import Secret
from runbook.sections import NAMES, section
from runbook.tenant.base import Context, SectionResult, open_context, run_section
from runbook.tenant.credentials import require_current, value
from runbook.tenant.registration import graph_principal, require_application, service_principal


@dataclass(frozen=True)
class Stage:
    """A sandbox, and a context whose application has gone through sections 1 to 5."""

    ready: Mapping[str, Any]
    state: Path
    ctx: Context

    def control(self, method: str, path: str, document: dict[str, Any] | None = None) -> None:
        token = (self.state.with_name(self.state.name + ".d") / "control-token").read_text()
        context = ssl.create_default_context(cafile=self.ready["ca_file"])
        with httpx.Client(base_url=self.ready["authority"], verify=context, trust_env=False) as client:
            headers = {"Authorization": f"Bearer {token}"}
            client.request(method, f"/_sandbox/{path}", json=document, headers=headers).raise_for_status()

    @contextlib.contextmanager
    def ill(self, *illnesses: dict[str, Any]) -> Iterator[None]:
        self.control("PUT", "faults", {"illnesses": list(illnesses)})
        try:
            yield
        finally:
            self.control("DELETE", "faults")

    def registered(self, name: str, *, principal: bool = True) -> tuple[dict[str, Any], dict[str, Any]]:
        """An application with a secret: the application, and Graph's answer with the secret."""
        made: Any = self.ctx.graph.post("/applications", {"displayName": name})
        if principal:
            self.ctx.graph.post("/servicePrincipals", {"appId": made["appId"]})
        added: Any = self.ctx.graph.post(f"/applications/{made['id']}/addPassword", {"passwordCredential": {}})
        return made, added


@pytest.fixture(scope="module")
def stage(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    home = tmp_path_factory.mktemp("home")
    state = home / "sandbox.db"
    with pytest.MonkeyPatch.context() as patch, running(state) as ready:
        for name in ("HOME", "XDG_DATA_HOME", "XDG_CONFIG_HOME", "XDG_STATE_HOME", "XDG_CACHE_HOME"):
            patch.setenv(name, str(home))
        file = home / "ready.json"
        file.write_text(json.dumps(ready))
        values = {"sandbox_file": str(file), "secret_store": "file", "actions": ["list_users", "update_user"]}
        with open_context(parse(values)) as ctx:
            for name in NAMES[:5]:
                assert run_section(ctx, section(name), apply=True).verdict == "passed"
            yield Stage(ready, state, ctx)


def recognised(found: Explanation, name: str, who: str) -> None:
    """The row of this name, with the person who can mend it, and what of this run shows it."""
    row = next(row for row in table().rows if row.name == name and row.who == who)
    assert (found.name, found.who) == (name, table().people[who])
    assert found.remedy
    assert row.source
    assert found.source


def test_the_id_of_a_secret_pasted_for_its_value(stage: Stage) -> None:
    made, added = stage.registered("id for value")
    pasted = Secret(added["keyId"])
    with pytest.raises(SignInError, match="AADSTS7000215") as caught:
        application_token(stage.ctx.target, made["appId"], pasted)
    found = explain(caught.value, secret_looks_like_id=looks_like_secret_id(pasted))
    recognised(found, "secret_id_for_value", "runner")
    assert found.evidence["code"] == "AADSTS7000215"


def test_the_id_of_a_scope_assigned_as_an_app_role(stage: Stage) -> None:
    graph = graph_principal(stage.ctx)
    scope: Any = stage.ctx.graph.get(f"/servicePrincipals/{graph['id']}", select=("oauth2PermissionScopes",))
    own = service_principal(stage.ctx, require_application(stage.ctx)["appId"])
    assert own is not None
    role = {"principalId": own["id"], "resourceId": graph["id"], "appRoleId": scope["oauth2PermissionScopes"][0]["id"]}
    with pytest.raises(GraphError) as caught:
        stage.ctx.graph.post(f"/servicePrincipals/{graph['id']}/appRoleAssignedTo", role)
    recognised(explain(caught.value), "app_role_id_as_scope", "application")


def test_a_consent_page_that_lied(stage: Stage) -> None:
    values = {**stage.ctx.params.model_dump(mode="json"), "unique_name": "lied-to", "application_name": "Lied to"}
    result: SectionResult | None = None
    with stage.ill({"kind": "consent_lies"}), open_context(parse({**values, "consent": "link"})) as ctx:
        for name in NAMES[:4]:
            result = run_section(ctx, section(name), apply=True)
    assert result is not None
    expected = explain({}, consent_redirected=True, granted=False)
    recognised(expected, "consent_page_lied", "consent")
    assert result.verdict in ("failed", "parked")
    assert expected.cause in str(result.error)


@pytest.mark.parametrize("measured", [None, False], ids=["by its code", "by looking"])
def test_a_missing_service_principal(stage: Stage, measured: bool | None) -> None:
    made, added = stage.registered("no principal", principal=False)
    with pytest.raises(SignInError) as caught:
        application_token(stage.ctx.target, made["appId"], Secret(added["secretText"]))
    assert service_principal(stage.ctx, made["appId"]) is None
    recognised(explain(caught.value, service_principal=measured), "missing_service_principal", "application")


@pytest.mark.parametrize("tenant", ["00000000-0000-4000-8000-000000000001", "nobody.onmicrosoft.com"])
def test_the_wrong_tenant(stage: Stage, tenant: str) -> None:
    elsewhere = dataclasses.replace(stage.ctx.target, tenant_id=tenant)
    own = require_application(stage.ctx)
    with pytest.raises(SignInError) as caught:
        application_token(elsewhere, own["appId"], value(stage.ctx, require_current(stage.ctx, own)))
    recognised(explain(caught.value), "wrong_tenant", "runner")


def test_an_application_of_another_tenant(stage: Stage) -> None:
    with pytest.raises(SignInError, match="AADSTS700016") as caught:
        application_token(stage.ctx.target, "00000000-0000-4000-8000-000000000002", Secret("nobodys~secret"))
    recognised(explain(caught.value), "wrong_tenant", "runner")


def test_a_missing_directory_role(stage: Stage) -> None:
    """A person without a role uses a permission that the application does have."""
    person = next(name for name, one in stage.ready["users"].items() if not one["roles"])
    # To the attendant this person is the one to sign in; to Entra ID they are who they are.
    only = {person: {**stage.ready["users"][person], "roles": ["Global Administrator"]}}

    def sign_in(asked: HandOver) -> None:
        assert attendant.attend({**stage.ready, "users": only}, asked, str)

    own = require_application(stage.ctx)
    token = delegated_token(stage.ctx.target, own["appId"], value(stage.ctx, require_current(stage.ctx, own)), sign_in)
    assert "User.ReadWrite.All" in token.scopes
    others = stage.ctx.graph.list("/users", select=("id", "userPrincipalName"))
    other = next(user["id"] for user in others if user["userPrincipalName"] not in stage.ready["users"])
    with GraphClient(stage.ctx.target, FixedToken(token.token)) as graph, pytest.raises(GraphError) as caught:
        graph.patch(f"/users/{other}", {"jobTitle": "Somebody"})
    needed = ("User.ReadWrite.All",)
    found = explain(
        caught.value, permission_type="delegated", permissions=needed, requested=True, granted=True, in_token=True
    )
    recognised(found, "admin_role_missing", "roles")
    assert found.evidence["request_id"]


def test_conditional_access_ends_a_token(stage: Stage) -> None:
    """Continuous access evaluation challenges each token again: a new one does not help."""
    ill = {"kind": "claims_challenge", "match": {"path": "/v1.0/groups*"}}
    with stage.ill(ill), pytest.raises(GraphError) as caught:
        list(stage.ctx.graph.list("/groups"))
    recognised(explain(caught.value), "conditional_access", "signer")


def test_being_throttled(stage: Stage) -> None:
    ill = {"kind": "throttle", "retry_after": 3000, "match": {"path": "/v1.0/groups*"}}
    with stage.ill(ill), pytest.raises(GraphError) as caught:
        list(stage.ctx.graph.list("/groups"))
    found = explain(caught.value)
    recognised(found, "throttled", "nobody")
    assert found.evidence["status"] == "429"


def test_replication(stage: Stage) -> None:
    begun = time.monotonic()
    with stage.ill({"kind": "lag", "read": [60, 60], "link": [60, 60]}):
        made: Any = stage.ctx.graph.post("/applications", {"displayName": "not there yet"})
        with pytest.raises(GraphError) as read:
            stage.ctx.graph.get(f"/applications/{made['id']}")
        found = explain(read.value, age_seconds=time.monotonic() - begun)
        with pytest.raises(GraphError) as linked:
            stage.ctx.graph.post("/servicePrincipals", {"appId": made["appId"]})
    recognised(found, "replication", "nobody")
    recognised(explain(linked.value), "replication", "nobody")


def test_a_clock_that_is_wrong(stage: Stage) -> None:
    """The token was issued by a clock two hours before that of the service which now looks at it."""
    token = stage.ctx.administrator.token()
    stage.control("POST", "clock", {"offset": -7200})
    try:
        with GraphClient(stage.ctx.target, FixedToken(token)) as graph, pytest.raises(GraphError) as caught:
            graph.get("/organization")
    finally:
        stage.control("POST", "clock", {"offset": 0})
    recognised(explain(caught.value), "clock_skew", "runner")


@pytest.mark.parametrize(
    ("rule", "name", "who"),
    [
        ({"restrictionType": "passwordAddition", "maxLifetime": None}, "secret_policy_forbids", "policy"),
        ({"restrictionType": "passwordLifetime", "maxLifetime": "P1D"}, "secret_policy_lifetime", "runner"),
    ],
)
def test_a_policy_on_secrets(stage: Stage, rule: dict[str, Any], name: str, who: str) -> None:
    made: Any = stage.ctx.graph.post("/applications", {"displayName": "under a policy"})
    tenant = stage.ready["tenant_id"]
    store = Store(stage.state)
    policy = store.first("tenantAppManagementPolicy", tenant)
    assert policy is not None
    rules = {"passwordCredentials": [{**rule, "state": "enabled"}]}
    try:
        store.put("tenantAppManagementPolicy", {**policy, "isEnabled": True, "applicationRestrictions": rules}, tenant)
        with pytest.raises(RunbookError) as caught:
            stage.ctx.graph.post(
                f"/applications/{made['id']}/addPassword",
                {"passwordCredential": {"displayName": "x", "endDateTime": "2035-01-01T00:00:00Z"}},
            )
    finally:
        store.put("tenantAppManagementPolicy", policy, tenant)
        store.close()
    recognised(explain(caught.value), name, who)


def test_every_failure_that_the_issue_names_is_provoked_here() -> None:
    """Issue 6 names eleven; each is a row of the table and a test above."""
    named = {
        *("secret_id_for_value", "app_role_id_as_scope", "consent_page_lied", "missing_service_principal"),
        *("wrong_tenant", "admin_role_missing", "conditional_access", "throttled", "replication", "clock_skew"),
        *("secret_policy_forbids", "secret_policy_lifetime"),
    }
    source = Path(__file__).read_text()
    assert named <= {row.name for row in table().rows}
    assert not [name for name in named if source.count(f'"{name}"') < 2]
