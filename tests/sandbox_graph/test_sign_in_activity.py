"""``signInActivity``: learn.microsoft.com/graph/api/resources/signinactivity, and the page of user-list."""

from __future__ import annotations

import ssl
from pathlib import Path
from typing import Any

import httpx

from tests.sandbox_graph.conftest import GraphClient, World


def activity(client: GraphClient, user: str) -> Any:
    answer = client.get(f"/users/{user}?$select=id,signInActivity")
    assert answer.status_code == 200
    return answer.json().get("signInActivity", "absent")


def sign_in(world: World, **form: str) -> dict[str, Any]:
    """A token for a person of the ready line, at the token endpoint."""
    secret = Path(world.ready["client_secret_file"]).read_text(encoding="utf-8")
    ask = {"client_id": world.ready["client_id"], "client_secret": secret, **form}
    context = ssl.create_default_context(cafile=world.ready["ca_file"])
    with httpx.Client(base_url=world.ready["authority"], verify=context, trust_env=False) as http:
        answer = http.post(f"/{world.tenant}/oauth2/v2.0/token", data={"scope": "openid offline_access", **ask})
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json()
    return found


def consent(world: World, admin: GraphClient) -> None:
    """The organization lets people sign in to the client of the ready line; a second time it is there (409)."""
    granted = {"clientId": world.principal()["id"], "consentType": "AllPrincipals", "scope": "openid offline_access"}
    made = admin.post("/oauth2PermissionGrants", {**granted, "resourceId": world.microsoft_graph()["id"]})
    assert made.status_code in (201, 409)


def test_it_is_absent_until_somebody_signs_in_and_tells_how(world: World, admin: GraphClient) -> None:
    name = "ines.moreau@contoso.com"
    user = world.user(name)["id"]
    assert activity(admin, user) == "absent"
    consent(world, admin)
    first = sign_in(world, grant_type="password", username=name, password=world.ready["users"][name]["password"])
    seen = activity(admin, user)
    assert seen["lastSignInDateTime"] == seen["lastSuccessfulSignInDateTime"]
    assert seen["lastNonInteractiveSignInDateTime"] is None
    sign_in(world, grant_type="refresh_token", refresh_token=first["refresh_token"])
    assert activity(admin, user)["lastNonInteractiveSignInDateTime"] is not None
    assert activity(admin, user)["lastSignInRequestId"] == seen["lastSignInRequestId"]


def test_it_takes_a_permission_of_its_own(world: World) -> None:
    reader = world.application(["User.Read.All"])
    assert reader.get("/users?$top=1").status_code == 200
    refused = reader.get("/users?$top=1&$select=signInActivity")
    assert (refused.status_code, refused.json()["error"]["code"]) == (403, "Authentication_MSGraphPermissionMissing")
    assert (
        world.application(["User.Read.All", "AuditLog.Read.All"]).get("/users?$select=signInActivity").status_code
        == 200
    )


def test_a_page_with_it_holds_120_people_at_most(admin: GraphClient) -> None:
    page = admin.get("/users?$select=id,signInActivity&$top=999").json()
    assert len(page["value"]) == 120
    assert len(admin.get(page["@odata.nextLink"]).json()["value"]) == 120
    assert len(admin.get("/users?$select=id&$top=150").json()["value"]) == 150


def filtered(client: GraphClient, condition: str, **more: Any) -> Any:
    return client.get("/users", params={"$filter": condition, "$select": "id,signInActivity", **more})


def test_people_are_found_by_it_and_by_it_alone(world: World, admin: GraphClient) -> None:
    """learn.microsoft.com/graph/api/resources/user: $filter, but not with any other filterable property."""
    name = "ines.moreau@contoso.com"
    consent(world, admin)
    sign_in(world, grant_type="password", username=name, password=world.ready["users"][name]["password"])
    since = filtered(admin, "signInActivity/lastSignInDateTime ge 2020-01-01T00:00:00Z").json()["value"]
    assert world.user(name)["id"] in {one["id"] for one in since}
    assert all(one["signInActivity"]["lastSignInDateTime"] for one in since)
    assert not filtered(admin, "signInActivity/lastSignInDateTime le 2020-01-01T00:00:00Z").json()["value"]
    both = filtered(admin, "signInActivity/lastSignInDateTime ge 2020-01-01T00:00:00Z and accountEnabled eq true")
    assert (both.status_code, both.json()["error"]["code"]) == (400, "Request_UnsupportedQuery")


def test_a_filter_by_it_takes_its_permission_too(world: World) -> None:
    condition = {"$filter": "signInActivity/lastSignInDateTime ge 2020-01-01T00:00:00Z"}
    for granted, status in ((["User.Read.All"], 403), (["User.Read.All", "AuditLog.Read.All"], 200)):
        assert world.application(granted).get("/users", params=condition).status_code == status
