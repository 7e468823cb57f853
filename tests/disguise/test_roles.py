"""Who may do what: the plan says it before the first write, and the rest is handed to whoever may."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable

import pytest

from runbook import catalog
from runbook.secrets import Secret
from tests.disguise.conftest import GRAPH_APP, NEEDED, Desk, Tenant

Begin = Callable[..., Desk]


@pytest.fixture(scope="module")
def client_id(tenant: Tenant) -> str:
    return tenant.application(*NEEDED)


@pytest.fixture
def developer(desk: Begin, client_id: str) -> Begin:
    def begin(**values: object) -> Desk:
        return desk("Application Developer", sign_in="device-code", client_id=client_id, **values)

    return begin


def test_a_plan_says_what_the_caller_may_do_and_who_must_do_the_rest(developer: Begin) -> None:
    both = {"permission_types": ["delegated", "application"]}
    done = developer(**both).call("plan", "--json")
    plan = json.loads(done.stdout)
    assert "Application Developer" in plan["signed_in"]
    assert "Contoso" in plan["tenant"]
    may = {right["what"]: right["may"] for right in plan["rights"]}
    assert may == {
        "register and change the application, add its secrets": True,
        "make its service principal": False,
        "consent to delegated permissions": False,
        "consent to application permissions": False,
        "see what was consented to": True,
        "know what a policy says about client secrets": True,
    }
    shown = developer(**both).call("plan").stdout
    assert "Application Developer" in shown
    assert "consent to application permissions: a Privileged Role Administrator or Global Administrator" in shown


def test_the_front_page_names_what_a_sign_in_may_not_and_who_may(desk: Begin, tenant: Tenant) -> None:
    role = catalog.permissions()["Application.ReadWrite.OwnedBy"].id("application")
    with tenant.graph() as graph:
        app = graph.post("/applications", json={"displayName": "Narrow"}).raise_for_status().json()
        principal = graph.post("/servicePrincipals", json={"appId": app["appId"]}).raise_for_status().json()["id"]
        resource = graph.get(f"/servicePrincipals(appId='{GRAPH_APP}')").raise_for_status().json()["id"]
        held = {"principalId": principal, "resourceId": resource, "appRoleId": role}
        graph.post(f"/servicePrincipals/{principal}/appRoleAssignments", json=held).raise_for_status()
        made = graph.post(f"/applications/{app['id']}/addPassword", json={}).raise_for_status().json()
    tenant.store.put("narrow/secret", Secret(made["secretText"]))
    at = desk(client_id=app["appId"], client_secret_ref="file:narrow/secret")
    opened = f"front = notebook.start({{'parameters_file': {at.parameters.name!r}}}); front.header()"
    done = at.spoken([sys.executable, "-c", f"from runbook import notebook; {opened}; print(front.guide().text())"])
    said = " ".join(done.stdout.split())
    assert "This sign-in may not consent to delegated permissions. Who may: a Cloud Application Administrator" in said
    assert "may not register and change the application" not in said


def test_a_developer_and_a_global_administrator_share_the_guide_with_one_consent_link(developer: Begin) -> None:
    at = developer()
    code, first = at.run("--sections", "1..6")
    assert code == 3, first
    assert [each["verdict"] for each in first["sections"]][:4] == ["passed", "passed", "passed", "parked"]
    link = at.hand_over(first)
    assert link["kind"] == "admin_consent"
    at.tenant.act(link)

    code, second = at.run("--sections", "1..6")
    assert code == 3, second
    form = at.hand_over(second)
    assert form["kind"] == "connector_profile"
    at.tenant.act(form)

    code, third = at.run("--sections", "1..6")
    assert code == 0, third
    granted = [row["granted"] for rows in third["permissions"].values() for row in rows]
    assert granted
    assert all(granted)


def test_a_privileged_role_administrator_who_may_not_make_the_service_principal_parks_with_the_link(
    desk: Begin, client_id: str
) -> None:
    at = desk("Privileged Role Administrator", sign_in="device-code", client_id=client_id)
    code, document = at.run("--sections", "1..4")
    assert code == 3, document
    at.tenant.act(at.hand_over(document))
    assert at.run("--sections", "1..4")[0] == 0


def test_who_may_not_see_grants_is_told_what_to_allow_and_goes_on_by_tokens(desk: Begin, tenant: Tenant) -> None:
    unseeing = tenant.application("Application.ReadWrite.All")
    how = {"sign_in": "device-code", "client_id": unseeing, "permission_types": ["application"]}
    at = desk("Application Developer", **how)
    plan = json.loads(at.call("plan", "--json").stdout)
    assert not next(right["may"] for right in plan["rights"] if right["what"] == "see what was consented to")
    code, document = at.run("--sections", "1..4")
    assert code == 3, document
    at.tenant.act(at.hand_over(document))
    code, document = at.run("--sections", "4..4")
    assert code == 3, document
    told = at.hand_over(document)["steps"][-1]
    assert "Directory.Read.All" in told
    assert "--sections 5..8" in told
    for section in ("5", "8"):
        code, document = at.run("--sections", section)
        assert code == 0, document
    assert document["actions"][0]["verdict"] == "passed"


def test_the_doctor_names_the_role_that_is_missing_and_who_must_act(developer: Begin) -> None:
    done = developer().call("doctor", "--json", "--sections", "1..4")
    assert done.returncode == 3, done.stdout + done.stderr
    document = json.loads(done.stdout)
    parked = {each["about"]: each["remedy"] for each in document["findings"] if each["state"] == "parked"}
    assert set(parked) == {
        "section register_application: make its service principal",
        "section api_permissions: consent to delegated permissions",
    }
    assert "Cloud Application Administrator" in parked["section api_permissions: consent to delegated permissions"]
    assert "Application.ReadWrite.All" in document["least"]
