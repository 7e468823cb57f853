"""What others make on our application: named, with who did it; left alone; and taken away kind by kind when asked."""

from __future__ import annotations

import base64
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from typer.testing import CliRunner

from runbook.cli.app import app as command_line
from runbook.parameters import save
from runbook.sections import NAMES
from runbook.tenant import others
from runbook.tenant.base import Context
from runbook.tenant.permissions import Permissions
from runbook.tenant.registration import require_application, require_principal
from tests.sections.conftest import Journey

TENANT = NAMES[:5]


def someone(ctx: Context, number: int = 0) -> str:
    return str(list(ctx.graph.list("/users", params={"$top": "5"}))[number]["id"])


def owner(ctx: Context) -> None:
    _refer(ctx, f"/applications/{require_application(ctx)['id']}/owners/$ref", someone(ctx))


def owner_of_principal(ctx: Context) -> None:
    _refer(ctx, f"/servicePrincipals/{principal(ctx)}/owners/$ref", someone(ctx, 1))


def _refer(ctx: Context, path: str, id_: str) -> None:
    ctx.graph.post(path, {"@odata.id": f"https://graph.microsoft.com/v1.0/directoryObjects/{id_}"})


def principal(ctx: Context) -> str:
    return str(require_principal(ctx, require_application(ctx)["appId"])["id"])


def secret(ctx: Context) -> None:
    path = f"/applications/{require_application(ctx)['id']}/addPassword"
    ctx.graph.post(path, {"passwordCredential": {"displayName": "by hand"}})


def secret_of_principal(ctx: Context) -> None:
    path = f"/servicePrincipals/{principal(ctx)}/addPassword"
    ctx.graph.post(path, {"passwordCredential": {"displayName": "on the copy"}})


def der(name: str) -> bytes:
    """A self-signed certificate."""
    key = ec.generate_private_key(ec.SECP256R1())
    subject, now = x509.Name([x509.NameAttribute(x509.oid.NameOID.COMMON_NAME, name)]), datetime.now(UTC)
    builder = x509.CertificateBuilder().subject_name(subject).issuer_name(subject).public_key(key.public_key())
    builder = builder.serial_number(1).not_valid_before(now).not_valid_after(now + timedelta(days=30))
    return builder.sign(key, hashes.SHA256()).public_bytes(serialization.Encoding.DER)


def a_certificate(ctx: Context) -> None:
    key = {"type": "AsymmetricX509Cert", "usage": "Verify", "displayName": "CN=strange"}
    key["key"] = base64.b64encode(der("strange")).decode()
    ctx.graph.set(f"/applications/{require_application(ctx)['id']}", {"keyCredentials": [key]})


def federated(ctx: Context) -> None:
    body = {
        "name": "ci",
        "issuer": "https://token.actions.githubusercontent.com",
        "subject": "repo:x/y:ref:refs/heads/m",
    }
    path = f"/applications/{require_application(ctx)['id']}/federatedIdentityCredentials"
    ctx.graph.post(path, {**body, "audiences": ["api://AzureADTokenExchange"]})


def web_uri(ctx: Context) -> None:
    found = require_application(ctx)
    uris = [*found["web"]["redirectUris"], "https://elsewhere.example/callback"]
    ctx.graph.set(f"/applications/{found['id']}", {"web": {"redirectUris": uris}})


def public_uri(ctx: Context) -> None:
    body = {"publicClient": {"redirectUris": ["http://localhost:8400"]}}
    ctx.graph.set(f"/applications/{require_application(ctx)['id']}", body)


def extra_role(ctx: Context) -> None:
    state = Permissions.read(ctx)
    role = {"principalId": principal(ctx), "resourceId": state.resource_id}
    role["appRoleId"] = state.ids["application"]["Group.ReadWrite.All"]
    ctx.graph.post(f"/servicePrincipals/{principal(ctx)}/appRoleAssignments", role)


def widened_grant(ctx: Context) -> None:
    grant = Permissions.read(ctx).grant
    assert grant is not None
    ctx.graph.set(f"/oauth2PermissionGrants/{grant['id']}", {"scope": f"{grant['scope']} Mail.Send".strip()})


def grant_of_one(ctx: Context) -> None:
    body = {"clientId": principal(ctx), "consentType": "Principal", "principalId": someone(ctx)}
    ctx.graph.post(
        "/oauth2PermissionGrants", {**body, "resourceId": Permissions.read(ctx).resource_id, "scope": "Mail.Read"}
    )


def assignment_required(ctx: Context) -> None:
    ctx.graph.set(f"/servicePrincipals/{principal(ctx)}", {"appRoleAssignmentRequired": True})


def disabled(ctx: Context) -> None:
    ctx.graph.set(f"/servicePrincipals/{principal(ctx)}", {"accountEnabled": False})


def public_flows(ctx: Context) -> None:
    ctx.graph.set(f"/applications/{require_application(ctx)['id']}", {"isFallbackPublicClient": True})


def directory_role(ctx: Context) -> None:
    roles = list(ctx.graph.list("/directoryRoles"))
    reader = next(one for one in roles if one["displayName"] != "Global Administrator")
    _refer(ctx, f"/directoryRoles/{reader['id']}/members/$ref", principal(ctx))


def blocked(ctx: Context) -> None:
    body: dict[str, Any] = {"displayName": "Nobody", "state": "enabled"}
    body["conditions"] = {"users": {"includeUsers": ["All"]}, "clientAppTypes": ["all"]}
    body["conditions"]["applications"] = {"includeApplications": [require_application(ctx)["appId"]]}
    body["grantControls"] = {"operator": "OR", "builtInControls": ["block"]}
    ctx.graph.post("/identity/conditionalAccess/policies", body)


PLANTED: dict[str, tuple[Callable[[Context], None], str]] = {
    # what is planted: how, and what it is called
    "owner": (owner, "owners"),
    "owner of the service principal": (owner_of_principal, "owners"),
    "secret": (secret, "secrets"),
    "secret of the service principal": (secret_of_principal, "secrets"),
    "certificate": (a_certificate, "certificates"),
    "federated credential": (federated, "federated-credentials"),
    "web redirect URI": (web_uri, "redirect-uris"),
    "redirect URI of a public client": (public_uri, "redirect-uris"),
    "app role": (extra_role, "permissions"),
    "widened grant": (widened_grant, "permissions"),
    "grant of one person": (grant_of_one, "grants"),
    "assignment required": (assignment_required, "setting"),
    "disabled": (disabled, "setting"),
    "public client flows": (public_flows, "setting"),
    "directory role": (directory_role, "setting"),
    "conditional access": (blocked, "setting"),
}
PRUNED = {name: row for name, row in PLANTED.items() if row[1] != "setting"}


@pytest.fixture
def done(journey: Callable[..., Journey]) -> Journey:
    own = journey()
    assert {result.verdict for result in own.run(*TENANT).values()} == {"passed"}
    return own


def told(own: Journey) -> list[others.Other]:
    with own.context() as ctx:
        return others.found(ctx)


def test_nothing_is_told_of_what_the_runbook_made_itself(done: Journey) -> None:
    assert told(done) == []


@pytest.mark.parametrize("what", PLANTED)
def test_what_somebody_made_is_named_with_who_did_it_and_left_alone(done: Journey, what: str) -> None:
    plant, kind = PLANTED[what]
    with done.context() as ctx:
        plant(ctx)
    with done.context() as ctx:
        found = others.found(ctx)
        if what == "conditional access":  # of all who share this sandbox
            ctx.graph.remove(f"/identity/conditionalAccess/policies/{found[-1].names[0]}")
    assert kind in [each.kind for each in found]
    assert [each for each in found if "Contoso Identity Automation, 20" not in each.by] == []
    if what != "disabled":  # which section 2 mends
        assert done.plan(*TENANT) == {}


@pytest.mark.parametrize("kind", sorted({row[1] for row in PRUNED.values()}))
def test_pruning_a_kind_takes_that_away_and_nothing_else(done: Journey, kind: str) -> None:
    with done.context() as ctx:
        for plant, _ in PRUNED.values():
            plant(ctx)
    before = told(done)
    assert {each.kind for each in before} == {row[1] for row in PRUNED.values()}
    results = done.run(*TENANT, prune=[kind])
    assert {
        name: f"{result.verdict} {result.error or ''}".strip() for name, result in results.items()
    } == dict.fromkeys(TENANT, "passed")
    assert [each.what for each in told(done)] == [each.what for each in before if each.kind != kind]
    assert done.plan(*TENANT, prune=[kind]) == {}


def test_what_may_not_be_read_is_unknown_and_not_absent(done: Journey, sandbox: dict[str, Any], tmp_path: Any) -> None:
    from tests.sections.conftest import of_administrator

    file = of_administrator(sandbox, done, tmp_path, "Application.ReadWrite.All")
    with done.context(sandbox_file=str(file)) as ctx:
        unknown = {each.what: each.state for each in others.found(ctx) if each.kind == "unknown"}
    assert unknown.keys() >= {"policies", "audits"}
    assert "AuditLog.Read.All" in unknown["audits"]


def test_the_plan_on_the_terminal_names_it(done: Journey, tmp_path: Any) -> None:
    with done.context() as ctx:
        secret(ctx)
    file = tmp_path / "parameters.yaml"
    save(done.params(), file)
    said = CliRunner().invoke(command_line, ["plan", "--parameters", str(file)])
    assert "Made or changed by others" in said.stdout
    assert "client secret 'by hand'" in said.stdout
