"""Every row of the table fires: provoked on the real sandbox over TLS, by the runbook's own clients and sections."""

from __future__ import annotations

import contextlib
import dataclasses
import gzip
import socket
import ssl
import threading
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import pytest
import trustme
from entra_sandbox.entra.errors import catalogue
from entra_sandbox.store import Store

from runbook.clients import bounded, retry
from runbook.clients.answers import Facts, Row, explain, look_up, table
from runbook.clients.auth import FixedToken
from runbook.clients.entra import Administrator, application_token
from runbook.clients.graph import GraphClient
from runbook.clients.http import Session
from runbook.clients.stackone import StackOneClient
from runbook.errors import RunbookError
from runbook.parameters import parse
from runbook.secrets import Secret
from runbook.sections import NAMES, section
from runbook.tenant.base import Context, SectionResult, open_context, run_section
from runbook.tenant.credentials import Credential, require_current, secret_name, token, when
from runbook.tenant.registration import graph_principal, require_application, service_principal
from tests.clients.service import Reply, serving

from .conftest import Stage
from .said import ADMINISTRATOR, GRAPH, SIGN_IN, STACKONE

Cell = Mapping[str, Any]
"""An explanation as ``summary.json`` has it, with ``seen``: the text beside the action that a person reads."""
Provoke = Callable[[Stage], "RunbookError | Cell"]
PROVOKED: dict[str, Provoke] = {}
ROWS = {row.name: row for row in table().rows}


def provokes(name: str) -> Callable[[Provoke], Provoke]:
    """Enter a function that brings about the failure which the row of this name explains."""

    def enter(provoke: Provoke) -> Provoke:
        assert PROVOKED.setdefault(name, provoke) is provoke
        return provoke

    return enter


def failing(work: Callable[[], object]) -> RunbookError:
    with pytest.raises(RunbookError) as caught:
        work()
    return caught.value


def as_aadsts(number: int) -> str:
    known = catalogue().get(str(number))
    return f"AADSTS{number}: {known.text if known else 'The text of this code.'}"


def signing_in(stage: Stage, number: int, work: Callable[[], object]) -> RunbookError:
    reply = {"kind": "answer", "status": 400, "code": "invalid_grant", "message": as_aadsts(number)}
    with stage.ill({**reply, "match": {"service": "entra", "method": "POST", "path": "*/token"}}):
        return failing(work)


def as_connector(stage: Stage) -> None:
    application_token(stage.ctx.target, "00000000-0000-4000-8000-00000000000c", Secret("some~value"))


def as_administrator(stage: Stage, secret: str = "") -> None:
    target = dataclasses.replace(stage.ctx.target, **({"client_secret": Secret(secret)} if secret else {}))
    with contextlib.closing(Administrator(target, stage.ctx.params)) as administrator:
        administrator.token()


def graph_saying(stage: Stage, call: str, status: int, code: str, message: str) -> RunbookError:
    method, path = call.split(" ")
    reply = {"kind": "answer", "status": status, "code": code, "message": message, "retry_after": 3000}
    graph = stage.ctx.graph
    calls: dict[str, Callable[[], object]] = {
        "GET": lambda: graph.get(path),
        "POST": lambda: graph.post(path, {}),
        "PATCH": lambda: graph.patch(path, {}),
        "DELETE": lambda: graph.delete(path, missing_ok=False),
    }
    with stage.ill({**reply, "match": {"service": "graph", "method": method, "path": f"/v1.0{path}"}}):
        return failing(calls[method])


def stackone_saying(stage: Stage, status: int, message: str) -> RunbookError:
    reply = {"kind": "answer", "status": status, "code": "", "message": message, "retry_after": 3000}
    with stage.ill({**reply, "match": {"service": "stackone"}}):
        return failing(lambda: stage.ctx.stackone.account("acc"))


@pytest.mark.parametrize("row", ROWS.values(), ids=ROWS)
def test_every_row_is_met_in_the_words_of_the_table(row: Row, stage: Stage) -> None:
    """A row without a provocation fails here."""
    met = provoked(stage, row.name)
    if isinstance(met, RunbookError):
        found = explain(met)
        assert (met.meaning, met.who, met.next_step) == (found.cause, found.who, found.remedy)
        assert (retry.transient(met) is not None) == (row.then is not None)
        said = {"answer": found.name, "cause": found.cause, "who": found.who, "remedy": found.remedy, "seen": str(met)}
    else:
        said = dict(met)
    assert said["answer"] == row.name
    assert said["who"] == table().people[row.who]
    assert all(part in said["seen"] for part in (said["cause"], said["who"], said["remedy"]))
    assert "{" not in said["cause"] + said["remedy"]


def provoked(stage: Stage, name: str) -> RunbookError | Cell:
    if name in SIGN_IN:
        return signing_in(stage, SIGN_IN[name], lambda: as_connector(stage))
    if name in ADMINISTRATOR:
        return signing_in(stage, ADMINISTRATOR[name], lambda: as_administrator(stage))
    if name in GRAPH:
        return graph_saying(stage, *GRAPH[name])
    if name in STACKONE:
        return stackone_saying(stage, *STACKONE[name])
    assert name in PROVOKED, f"nothing provokes the row {name}"
    return PROVOKED[name](stage)


def test_nothing_is_provoked_that_is_no_row() -> None:
    entered = [*PROVOKED, *SIGN_IN, *ADMINISTRATOR, *GRAPH, *STACKONE]
    assert set(entered) == set(ROWS)
    assert len(entered) == len(set(entered))


CODES = [(row.name, code) for row in ROWS.values() if not row.when.facts for code in row.when.code if "AADSTS" in code]


@pytest.mark.parametrize(("name", "code"), CODES, ids=[f"{name} {code}" for name, code in CODES])
def test_every_code_of_a_sign_in_leads_to_its_row_and_to_no_other(name: str, code: str, stage: Stage) -> None:
    found = look_up(signing_in(stage, int(code.removeprefix("AADSTS")), lambda: as_connector(stage)))
    assert found is not None
    assert found.name == name


def test_the_codes_that_people_meet_most_are_in_the_table() -> None:
    met = {
        *(50011, 50020, 50034, 50053, 50055, 50057, 50058, 50059, 50076, 50079, 50105, 50126, 50158, 50194, 50199),
        *(53000, 53001, 53003, 54005, 65001, 65004, 70011, 70016, 70022, 90002, 90072, 90094, 90099, 500011, 500113),
        *(650052, 650053, 650057, 700016, 700025, 700027, 900144, 1002012, 7000112, 7000215, 7000218, 7000222),
        *(7000229, 9002313),
    }
    assert {f"AADSTS{number}" for number in met} <= {code for row in ROWS.values() for code in row.when.code}


# the way to a service


def brisk(stage: Stage) -> GraphClient:
    pace = stage.ctx.graph.pace.model_copy(update={"attempts": 1})
    return GraphClient(stage.ctx.target, FixedToken(stage.ctx.administrator.token()), pace=pace)


@provokes("way_untrusted")
def _untrusted(stage: Stage) -> RunbookError:
    with Session(stage.ready["graph"], "graph", pace=stage.ctx.graph.pace) as session:
        return failing(lambda: session.request("GET", "/v1.0/organization"))


@provokes("way_unsent")
def _unsent(stage: Stage) -> RunbookError:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))  # bound and not listening: nobody answers there
        once = stage.ctx.graph.pace.model_copy(update={"attempts": 1})
        with Session(f"https://127.0.0.1:{taken.getsockname()[1]}", "graph", pace=once) as session:
            return failing(lambda: session.request("GET", "/x"))


@provokes("way_proxy")
def _proxy(stage: Stage) -> RunbookError:
    with refusing_proxy(407) as address, pytest.MonkeyPatch.context() as patch:
        for name in ("NO_PROXY", "no_proxy", "https_proxy", "ALL_PROXY", "all_proxy"):
            patch.delenv(name, raising=False)
        patch.setenv("HTTPS_PROXY", address)
        with Session("https://graph.microsoft.com", "graph", pace=stage.ctx.graph.pace) as session:
            error = failing(lambda: session.request("POST", "/v1.0/groups", json={}))
    assert not retry.maybe_applied(error)
    return error


@contextlib.contextmanager
def refusing_proxy(status: int) -> Iterator[str]:
    with socket.create_server(("127.0.0.1", 0)) as server:

        def serve() -> None:
            with contextlib.suppress(OSError):
                connection, _ = server.accept()
                with connection:
                    connection.recv(4096)
                    connection.sendall(f"HTTP/1.1 {status} Refused\r\nContent-Length: 0\r\n\r\n".encode())

        threading.Thread(target=serve, daemon=True).start()
        yield f"http://127.0.0.1:{server.getsockname()[1]}"


@provokes("way_sent")
def _sent(stage: Stage) -> RunbookError:
    with stage.ill({"kind": "reset", "when": "after", "match": {"method": "POST", "path": "/v1.0/groups"}}):
        return failing(lambda: stage.ctx.graph.post("/groups", {}))


@provokes("way_unanswered")
def _unanswered(stage: Stage) -> RunbookError:
    with brisk(stage) as graph, stage.ill({"kind": "reset", "match": {"path": "/v1.0/groups"}}):
        return failing(lambda: graph.get("/groups"))


@provokes("way_bounds")
def _bounds(stage: Stage) -> RunbookError:
    ca = trustme.CA()
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    ca.issue_cert("localhost").configure_cert(context)
    file = stage.state.with_name("other-ca.pem")
    ca.cert_pem.write_to_path(str(file))
    bomb = Reply(200, gzip.compress(b" " * (bounded.LARGEST + 10)), {"content-encoding": "gzip"})
    with (
        serving(context, file) as service,
        Session(service.base, "graph", pace=stage.ctx.graph.pace, ca_file=file) as s,
    ):
        service.on("GET", "/x", bomb)
        return failing(lambda: s.request("GET", "/x"))


# sign-in


@provokes("secret_id_of_administrator")
def _id_of_administrator(stage: Stage) -> RunbookError:
    error = failing(lambda: as_administrator(stage, "c7a1d2e3-0000-4f00-8000-5d6e7f8a9b0c"))
    assert "section 5" not in error.next_step.lower()
    return error


@provokes("secret_id_of_connector")
def _id_of_connector(stage: Stage) -> RunbookError:
    made, added = stage.registered("id for value")
    return failing(lambda: application_token(stage.ctx.target, made["appId"], Secret(added["keyId"])))


@provokes("principal_missing")
def _principal_missing(stage: Stage) -> RunbookError:
    made, added = stage.registered("no principal", principal=False)
    error = failing(lambda: application_token(stage.ctx.target, made["appId"], Secret(added["secretText"])))
    assert service_principal(stage.ctx, made["appId"]) is None
    return error


@provokes("application_unknown")
def _application_unknown(stage: Stage) -> RunbookError:
    return failing(lambda: as_connector(stage))


@provokes("tenant_without_discovery")
def _tenant_unknown(stage: Stage) -> RunbookError:
    elsewhere = dataclasses.replace(stage.ctx.target, tenant_id="00000000-0000-4000-8000-000000000001")
    return failing(lambda: application_token(elsewhere, "00000000-0000-4000-8000-00000000000c", Secret("some~value")))


@provokes("sign_in_unwell")
def _sign_in_unwell(stage: Stage) -> RunbookError:
    reply = {"kind": "answer", "status": 502, "code": "", "message": "", "retry_after": 3000}
    with stage.ill({**reply, "match": {"service": "entra", "method": "POST", "path": "*/token"}}):
        return failing(lambda: as_connector(stage))


@provokes("clock_token")
def _kept_token(stage: Stage) -> RunbookError:
    """A token of an hour that was issued two hours ago."""
    stage.control("POST", "clock", {"offset": -7200})
    try:
        with contextlib.closing(Administrator(stage.ctx.target, stage.ctx.params)) as administrator:
            kept = administrator.token()
    finally:
        stage.control("POST", "clock", {"offset": 0})
    with GraphClient(stage.ctx.target, FixedToken(kept)) as graph:
        return failing(lambda: graph.get("/organization"))


# Graph


@provokes("misplaced_role")
def _misplaced_role(stage: Stage) -> RunbookError:
    graph = graph_principal(stage.ctx)
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
    body = {"displayName": "x", "mailNickname": "x", "mailEnabled": False, "securityEnabled": False}
    return failing(lambda: stage.ctx.graph.post("/groups", {**body, "isAssignableToRole": True}))


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
    return failing(lambda: stage.ctx.graph.delete(f"/domains/{own_domain(stage)}"))


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


# consent


@provokes("consent_page_lied")
def _consent_page_lied(stage: Stage) -> RunbookError:
    values = {**stage.ctx.params.model_dump(mode="json"), "unique_name": "lied-to", "application_name": "Lied to"}
    result: SectionResult | None = None
    with stage.ill({"kind": "consent_lies"}), open_context(parse({**values, "consent": "link"})) as ctx:
        for name in NAMES[:4]:
            result = run_section(ctx, section(name), apply=True)
    assert result is not None
    assert result.error is not None
    return result.error


# the matrix: what section 8 finds, and says beside the action


def cell(stage: Stage, slug: str, road: str, *ill: dict[str, Any]) -> Cell:
    """The explanation of one road of one action after a run of section 8 with these illnesses."""
    weather = stage.ill(*ill) if ill else contextlib.nullcontext()
    with weather, of_type(stage, road) as ctx:
        result = run_section(ctx, section("verify_actions"), apply=True)
    action = next(one for one in result.facts["actions"] if one["slug"] == slug)
    assert road in action["explanations"], action["explanation"]
    return {**action["explanations"][road], "seen": action["explanation"]}


def of_type(stage: Stage, road: str) -> contextlib.AbstractContextManager[Context]:
    """A context for the permission type of the road alone, so that the other is not waited for."""
    types = ["application" if road == "application" else "delegated"]
    return open_context(parse({**stage.ctx.params.model_dump(mode="json"), "permission_types": types}))


def refused(method: str, path: str) -> dict[str, Any]:
    reply = {"kind": "answer", "status": 403, "code": "Authorization_RequestDenied", "message": "Insufficient."}
    return {**reply, "match": {"service": "graph", "method": method, "path": path}}


@provokes("protected_group")
def _protected_group(stage: Stage) -> Cell:
    return cell(stage, "update_group", "application", refused("PATCH", "/v1.0/groups/*"))


@provokes("protected_user")
def _protected_user(stage: Stage) -> Cell:
    return cell(stage, "update_user", "application", refused("PATCH", "/v1.0/users/*"))


@provokes("role_missing")
def _role_missing(stage: Stage) -> Cell:
    return cell(stage, "list_users", "delegated", refused("GET", "/v1.0/users"))


@provokes("beyond_permission")
def _beyond_permission(stage: Stage) -> Cell:
    return cell(stage, "list_users", "application", refused("GET", "/v1.0/users"))


@provokes("account_older_than_grant")
def _account_older_than_grant(stage: Stage) -> Cell:
    return cell(stage, "list_users", "stackone", refused("GET", "/v1.0/users"))


@contextlib.contextmanager
def taken_away(stage: Stage, *, requested: list[dict[str, Any]] | None = None) -> Iterator[list[dict[str, Any]]]:
    """Without the grants of our application, and with ``requested`` in place of what it asks for; then as before."""
    roles: list[dict[str, Any]] = []
    graph, found = stage.ctx.graph, require_application(stage.ctx)
    own = service_principal(stage.ctx, found["appId"])
    assert own is not None
    try:
        for grant in list(graph.list("/oauth2PermissionGrants", filter=f"clientId eq '{own['id']}'")):
            graph.delete(f"/oauth2PermissionGrants/{grant['id']}")
        for one in list(graph.list(f"/servicePrincipals/{own['id']}/appRoleAssignments")):
            graph.delete(f"/servicePrincipals/{one['resourceId']}/appRoleAssignedTo/{one['id']}")
            roles.append({name: one[name] for name in ("principalId", "resourceId", "appRoleId")})
        if requested is not None:
            graph.patch(f"/applications/{found['id']}", {"requiredResourceAccess": requested})
        yield roles
    finally:
        assert run_section(stage.ctx, section("api_permissions"), apply=True).verdict == "passed"


@provokes("not_granted")
def _not_granted(stage: Stage) -> Cell:
    with taken_away(stage):
        return cell(stage, "list_users", "application")


@provokes("not_requested")
def _not_requested(stage: Stage) -> Cell:
    with taken_away(stage, requested=[]):
        return cell(stage, "list_users", "application")


@provokes("misplaced_id")
def _misplaced_id(stage: Stage) -> Cell:
    """Every id under the type of the other, as somebody does who takes ids from a list by hand."""
    found = require_application(stage.ctx)
    other = {"Role": "Scope", "Scope": "Role"}
    turned = [
        {**api, "resourceAccess": [{**one, "type": other[one["type"]]} for one in api["resourceAccess"]]}
        for api in found["requiredResourceAccess"]
    ]
    with taken_away(stage, requested=turned):
        plan = section("api_permissions").plan(stage.ctx, section("api_permissions").read(stage.ctx))
        assert any("under the wrong type" in change.note for change in plan)
        return cell(stage, "list_users", "application")


@provokes("token_older_than_grant")
def _token_older_than_grant(stage: Stage) -> Cell:
    """The roles are granted again, and for a while no token has them."""
    with taken_away(stage) as roles, stage.ill({"kind": "late_grants", "seconds": 3000}):
        for role in roles:
            stage.ctx.graph.post(f"/servicePrincipals/{role['resourceId']}/appRoleAssignedTo", role)
        return cell(stage, "list_users", "application")


@provokes("account_inactive")
def _account_inactive(stage: Stage) -> Cell:
    """Somebody switches the account's connector profile off in StackOne's dashboard."""
    store = Store(stage.state)
    account = store.first("stackone.account")
    assert account is not None
    try:
        store.update("stackone.account", account["id"], {"status": "inactive"})
        with of_type(stage, "stackone") as ctx:
            result = run_section(ctx, section("verify_actions"), apply=True)
    finally:
        store.update("stackone.account", account["id"], {"status": "active"})
        store.close()
    assert result.evidence is not None
    return {**explain(Facts(account_active=False)).as_dict(), "seen": " ".join(result.evidence.notes)}


# what was just made, and what the run knows of its age


@provokes("secret_young")
def _secret_young(stage: Stage) -> RunbookError:
    ctx = stage.ctx
    with stage.ill({"kind": "secret_delay", "seconds": [300, 300]}):
        made, added = stage.registered("young secret")
        ref = ctx.store.put(secret_name(ctx, made["appId"], added["keyId"]), Secret(added["secretText"]))
        credential = Credential(added["keyId"], "", "", when(added["startDateTime"]), None, ours=True, ref=ref)
        return failing(lambda: token(ctx, made, credential))


@provokes("young_at_sign_in")
def _principal_not_yet(stage: Stage) -> RunbookError:
    ctx = stage.ctx
    made, added = stage.registered("young application", principal=False)
    ref = ctx.store.put(secret_name(ctx, made["appId"], added["keyId"]), Secret(added["secretText"]))
    credential = Credential(added["keyId"], "", "", when(added["startDateTime"]), None, ours=True, ref=ref)
    return failing(lambda: token(ctx, made, credential))


@provokes("object_young")
def _object_young(stage: Stage) -> RunbookError:
    body = {"displayName": "young", "mailNickname": "young", "mailEnabled": False, "securityEnabled": True}
    with stage.ill({"kind": "lag", "read": [60, 60]}):
        made: Any = stage.ctx.graph.post("/groups", body)
        return failing(lambda: stage.ctx.graph.get(f"/groups/{made['id']}"))


@provokes("clock_skew")
def _clock_skew(stage: Stage) -> RunbookError:
    """The service that looks at a token says, by its Date, that it lives two hours ago."""
    kept = stage.ctx.administrator.token()
    stage.control("POST", "clock", {"offset": -7200})
    try:
        with GraphClient(stage.ctx.target, FixedToken(kept)) as graph:
            return failing(lambda: graph.get("/organization"))
    finally:
        stage.control("POST", "clock", {"offset": 0})


@provokes("secret_of_profile")
def _secret_of_profile(stage: Stage) -> RunbookError:
    """Somebody removes the secret that StackOne's connector profile holds; then a person links an account."""
    found = require_application(stage.ctx)
    key_id = require_current(stage.ctx, found).key_id
    stage.ctx.graph.post(f"/applications/{found['id']}/removePassword", {"keyId": key_id})
    try:
        other = {**stage.ctx.params.model_dump(mode="json"), "account_owner_id": "another-owner"}
        with open_context(parse(other)) as ctx:
            result = run_section(ctx, section("link_account"), apply=True)
    finally:
        for name in NAMES[4:6]:
            assert run_section(stage.ctx, section(name), apply=True).verdict == "passed"
    assert result.error is not None
    return result.error
