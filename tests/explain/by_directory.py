"""What Microsoft Graph and StackOne refuse by themselves: provoked."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import Any

from entra_sandbox.store import Store

from runbook.catalog.loader import GRAPH_APP_ID
from runbook.clients.stackone import StackOneClient
from runbook.errors import RunbookError
from runbook.secrets import Secret
from runbook.tenant.registration import published, require_application, service_principal

from .conftest import Stage
from .provoke import failing, patch, provokes

# Graph


@provokes("misplaced_role")
def _misplaced_role(stage: Stage) -> RunbookError:
    graph = published(stage.ctx)
    scope: Any = stage.ctx.graph.get(f"/servicePrincipals/{graph['id']}", select=("oauth2PermissionScopes",))
    own = service_principal(stage.ctx, require_application(stage.ctx)["appId"])
    assert own is not None
    role = {"principalId": own["id"], "resourceId": graph["id"], "appRoleId": scope["oauth2PermissionScopes"][0]["id"]}
    return failing(lambda: stage.ctx.graph.post(f"/servicePrincipals/{graph['id']}/appRoleAssignedTo", role))


@provokes("application_unknown_to_principal")
def _lagging_application(stage: Stage) -> RunbookError:
    with stage.ill({"kind": "lag", "read": [60, 60], "link": [60, 60]}):
        made: Any = stage.ctx.graph.post("/applications", {"displayName": "not there yet"})
        return failing(lambda: stage.ctx.graph.post("/servicePrincipals", {"appId": made["appId"]}))


@provokes("cae")
def _challenged(stage: Stage) -> RunbookError:
    """Continuous access evaluation challenges each token again: a new one does not help."""
    with stage.ill({"kind": "claims_challenge", "match": {"path": "/v1.0/groups*"}}):
        return failing(lambda: list(stage.ctx.graph.list("/groups")))


@provokes("principal_exists")
def _principal_exists(stage: Stage) -> RunbookError:
    made, _added = stage.registered("has a principal")
    return failing(lambda: stage.ctx.graph.post("/servicePrincipals", {"appId": made["appId"]}))


@provokes("assignment_exists")
def _assignment_exists(stage: Stage) -> RunbookError:
    own = service_principal(stage.ctx, require_application(stage.ctx)["appId"])
    assert own is not None
    there = next(iter(stage.ctx.graph.list(f"/servicePrincipals/{own['id']}/appRoleAssignments")))
    role = {name: there[name] for name in ("principalId", "resourceId", "appRoleId")}
    return failing(lambda: stage.ctx.graph.post(f"/servicePrincipals/{role['resourceId']}/appRoleAssignedTo", role))


@provokes("object_unknown")
def _object_unknown(stage: Stage) -> RunbookError:
    return failing(lambda: stage.ctx.graph.get("/groups/00000000-0000-4000-8000-00000000000e"))


@provokes("resource_id_form")
def _resource_in_capitals(stage: Stage) -> RunbookError:
    """Microsoft Graph twice among the APIs, once in capitals."""
    twice = [{"resourceAppId": one, "resourceAccess": []} for one in (GRAPH_APP_ID, GRAPH_APP_ID.upper())]
    body = {"displayName": "in capitals", "requiredResourceAccess": twice}
    return failing(lambda: stage.ctx.graph.post("/applications", body))


# groups and users that are kept elsewhere


def group(stage: Stage, **properties: Any) -> dict[str, Any]:
    """A new security group with an owner, who is a person."""
    person: Any = next(iter(stage.ctx.graph.list("/users")))
    body = {"displayName": "x", "mailNickname": "x", "mailEnabled": False, "securityEnabled": True, **properties}
    owner = f"{stage.ready['graph']}/v1.0/users/{person['id']}"
    made: Any = stage.ctx.graph.post("/groups", {**body, "owners@odata.bind": [owner]})
    return {**made, "person": person["id"], "link": {"@odata.id": owner}}


@provokes("last_owner")
def _last_owner(stage: Stage) -> RunbookError:
    made = group(stage)
    return failing(lambda: stage.ctx.graph.remove(f"/groups/{made['id']}/owners/{made['person']}/$ref"))


@provokes("link_exists")
def _link_exists(stage: Stage) -> RunbookError:
    made = group(stage)
    return failing(lambda: stage.ctx.graph.post(f"/groups/{made['id']}/owners/$ref", made["link"]))


@provokes("dynamic_group")
def _dynamic_group(stage: Stage) -> RunbookError:
    rule = {"membershipRule": "user.accountEnabled -eq true", "membershipRuleProcessingState": "On"}
    made = group(stage, groupTypes=["DynamicMembership"], **rule)
    return failing(lambda: stage.ctx.graph.post(f"/groups/{made['id']}/members/$ref", made["link"]))


@provokes("mail_enabled_group")
def _mail_enabled_group(stage: Stage) -> RunbookError:
    groups = stage.ctx.graph.list("/groups")
    kept = next(one for one in groups if one["mailEnabled"] and "Unified" not in one["groupTypes"])
    return failing(lambda: patch(stage.ctx.graph, f"/groups/{kept['id']}", {"description": "x"}))


@provokes("synced_object")
def _synced_object(stage: Stage) -> RunbookError:
    user: Any = next(iter(stage.ctx.graph.list("/users")))
    with stage.ill({"kind": "synced", "users": [user["userPrincipalName"]]}):
        return failing(lambda: patch(stage.ctx.graph, f"/users/{user['id']}", {"jobTitle": "x"}))


@provokes("federated_domain")
def _federated_domain(stage: Stage) -> RunbookError:
    domain = own_domain(stage)
    with stage.ill({"kind": "federated", "domains": [domain]}):
        return failing(lambda: stage.ctx.graph.post("/users", new_user(f"federated@{domain}")))


@provokes("no_licence")
def _no_licence(stage: Stage) -> RunbookError:
    with stage.ill({"kind": "unlicensed"}):
        return failing(lambda: list(stage.ctx.graph.list("/identity/conditionalAccess/policies")))


def under_policy(stage: Stage, kind: str, rule: Any, work: Callable[[], object]) -> RunbookError:
    """What ``work`` meets while the tenant's app management policy has this rule."""
    tenant, store = stage.ready["tenant_id"], Store(stage.state)
    policy = store.first("tenantAppManagementPolicy", tenant)
    assert policy is not None
    try:
        changed = {**policy, "isEnabled": True, "applicationRestrictions": {kind: rule}}
        store.put("tenantAppManagementPolicy", changed, tenant)
        return failing(work)
    finally:
        store.put("tenantAppManagementPolicy", policy, tenant)
        store.close()


def adding_a_secret(stage: Stage) -> Callable[[], object]:
    made: Any = stage.ctx.graph.post("/applications", {"displayName": "under a policy"})
    body = {"passwordCredential": {"displayName": "x", "endDateTime": "2035-01-01T00:00:00Z"}}
    return lambda: stage.ctx.graph.post(f"/applications/{made['id']}/addPassword", body)


@provokes("secret_forbidden")
def _secret_forbidden(stage: Stage) -> RunbookError:
    rule = [{"restrictionType": "passwordAddition", "maxLifetime": None, "state": "enabled"}]
    return under_policy(stage, "passwordCredentials", rule, adding_a_secret(stage))


@provokes("secret_lifetime")
def _secret_lifetime(stage: Stage) -> RunbookError:
    rule = [{"restrictionType": "passwordLifetime", "maxLifetime": "P1D", "state": "enabled"}]
    return under_policy(stage, "passwordCredentials", rule, adding_a_secret(stage))


@provokes("audience_policy")
def _audience(stage: Stage) -> RunbookError:
    rule = {"azureADMultipleOrgs": {"state": "enabled"}}
    body = {"displayName": "for many tenants", "signInAudience": "AzureADMultipleOrgs"}
    return under_policy(stage, "audiences", rule, lambda: stage.ctx.graph.post("/applications", body))


@provokes("permission_limit")
def _permission_limit(stage: Stage) -> RunbookError:
    apis = [{"resourceAppId": f"00000000-0000-4000-8000-{n:012d}", "resourceAccess": []} for n in range(51)]
    body = {"displayName": "too many", "requiredResourceAccess": apis}
    return failing(lambda: stage.ctx.graph.post("/applications", body))


@provokes("redirect_refused")
def _redirect_refused(stage: Stage) -> RunbookError:
    body = {"displayName": "plain", "web": {"redirectUris": ["http://contoso.com/callback"]}}
    return failing(lambda: stage.ctx.graph.post("/applications", body))


@provokes("role_group_shape")
def _role_group_shape(stage: Stage) -> RunbookError:
    body = {"displayName": "x", "mailNickname": "x", "mailEnabled": False, "securityEnabled": True}
    public = {"isAssignableToRole": True, "visibility": "Public"}
    return failing(lambda: stage.ctx.graph.post("/groups", {**body, **public}))


def new_user(name: str, password: str = "Long-enough~1234") -> dict[str, Any]:
    profile = {"passwordProfile": {"password": password}, "accountEnabled": True}
    return {"displayName": "x", "mailNickname": "x", "userPrincipalName": name, **profile}


def own_domain(stage: Stage) -> str:
    return next(str(one["id"]) for one in stage.ctx.graph.list("/domains") if one["isInitial"])


@provokes("user_domain")
def _user_domain(stage: Stage) -> RunbookError:
    return failing(lambda: stage.ctx.graph.post("/users", new_user("x@nowhere.example.org")))


@provokes("password_weak")
def _password_weak(stage: Stage) -> RunbookError:
    return failing(lambda: stage.ctx.graph.post("/users", new_user(f"weak@{own_domain(stage)}", "1234")))


@provokes("name_taken")
def _name_taken(stage: Stage) -> RunbookError:
    taken = next(iter(stage.ctx.graph.list("/users")))["userPrincipalName"]
    return failing(lambda: stage.ctx.graph.post("/users", new_user(taken)))


@provokes("domain_in_use")
def _domain_in_use(stage: Stage) -> RunbookError:
    return failing(lambda: stage.ctx.graph.remove(f"/domains/{own_domain(stage)}"))


# StackOne


@provokes("key_refused")
def _key_refused(stage: Stage) -> RunbookError:
    target = dataclasses.replace(stage.ctx.target, stackone_api_key=Secret("v1.eu1.nobodys-key"))
    with StackOneClient(target) as stackone:
        return failing(lambda: list(stackone.accounts()))


@provokes("thing_unknown")
def _thing_unknown(stage: Stage) -> RunbookError:
    return failing(lambda: stage.ctx.stackone.account("nobody"))


@provokes("account_unknown")
def _account_unknown(stage: Stage) -> RunbookError:
    return failing(lambda: stage.ctx.stackone.call_action("microsoftentraid_list_users", "nobody", effect="read"))
