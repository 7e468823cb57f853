"""A new object that not every replica knows yet: the seam for illnesses, and the misleading texts of reality."""

from __future__ import annotations

import json
import uuid
from collections.abc import Iterator, Mapping
from typing import Any

import pytest
from entra_sandbox.entra import credentials
from entra_sandbox.graph.app import Graph, Settings
from entra_sandbox.graph.call import RequestInfo
from entra_sandbox.seed import seed
from entra_sandbox.store import Store

GRAPH = "00000003-0000-0000-c000-000000000000"


class Service:
    """Microsoft Graph over a store whose clock this test moves."""

    def __init__(self, store: Store, seconds: list[float]) -> None:
        seeded = seed(store, users=20)
        principal = store.first("servicePrincipal", seeded.tenant_id, appId=seeded.client_id)
        graph = store.first("servicePrincipal", seeded.tenant_id, appId=GRAPH)
        assert principal is not None
        assert graph is not None
        self.graph_id = graph["id"]
        self.store = store
        self.roles = [role["value"] for role in graph["appRoles"] if not role["value"].endswith("OwnedBy")]
        self._claims = {"aud": "https://graph.microsoft.com", "tid": seeded.tenant_id, "idtyp": "app"}
        self._claims |= {"oid": principal["id"], "appid": seeded.client_id}
        self._graph = Graph(store, Settings(lambda token: {**self._claims, "roles": token.split("+")}))
        self._seconds = seconds

    def wait(self, seconds: float) -> None:
        self._seconds[0] += seconds

    def call(
        self, method: str, path: str, body: Any = None, *, lag: Mapping[str, float] | None = None, only: str = ""
    ) -> tuple[int, Any]:
        """(status, body). ``lag`` as of :meth:`Faults.delays`; ``only`` is the one permission of the token."""
        headers = {"authorization": f"Bearer {only or '+'.join(self.roles)}", "content-type": "application/json"}
        data = b"" if body is None else json.dumps(body).encode()
        request = RequestInfo(method, path, "", headers, data, None)
        answer = self._graph.answer(request, "https://localhost/v1.0", str(uuid.uuid4()), lag)
        return answer.status, answer.body


@pytest.fixture
def service(tmp_path: Any) -> Iterator[Service]:
    seconds = [1_800_000_000.0]
    store = Store(tmp_path / "state.sqlite3", clock=lambda: seconds[0])
    yield Service(store, seconds)
    store.close()


LAG = {"read": 8.0, "link": 8.0}


def test_a_new_application_is_not_found_at_first(service: Service) -> None:
    status, made = service.call("POST", "/applications", {"displayName": "x"}, lag=LAG)
    assert status == 201
    path = f"/applications/{made['id']}"
    for method, where, body in (
        ("GET", path, None),
        ("PATCH", path, {"notes": "x"}),
        ("POST", f"{path}/addPassword", {}),
    ):
        assert service.call(method, where, body)[0] == 404
    assert made["id"] not in [one["id"] for one in service.call("GET", "/applications")[1]["value"]]
    service.wait(9)
    assert service.call("GET", path)[0] == 200
    assert made["id"] in [one["id"] for one in service.call("GET", "/applications")[1]["value"]]


def test_its_service_principal_is_refused_in_misleading_words(service: Service) -> None:
    _, made = service.call("POST", "/applications", {"displayName": "x"}, lag=LAG)
    body = {"appId": made["appId"]}
    status, refused = service.call("POST", "/servicePrincipals", body)
    assert status == 400
    assert "does not reference a valid application object" in refused["error"]["message"]
    status, refused = service.call("POST", "/servicePrincipals", body, only="Application.ReadWrite.OwnedBy")
    assert status == 403
    assert refused["error"]["message"].startswith("When using this permission, the backing application")
    service.wait(9)
    assert service.call("POST", "/servicePrincipals", body)[0] == 201


def test_consents_for_a_new_service_principal_are_refused(service: Service) -> None:
    _, application = service.call("POST", "/applications", {"displayName": "x"})
    _, principal = service.call("POST", "/servicePrincipals", {"appId": application["appId"]}, lag=LAG)
    roles = service.call("GET", f"/servicePrincipals/{service.graph_id}")[1]["appRoles"]
    assignment = {"principalId": principal["id"], "resourceId": service.graph_id, "appRoleId": roles[0]["id"]}
    status, refused = service.call("POST", f"/servicePrincipals/{service.graph_id}/appRoleAssignedTo", assignment)
    assert (status, refused["error"]["message"]) == (400, "Not a valid reference update.")
    grant = {"clientId": principal["id"], "consentType": "AllPrincipals", "resourceId": service.graph_id, "scope": "a"}
    status, refused = service.call("POST", "/oauth2PermissionGrants", grant)
    assert (status, refused["error"]["code"]) == (404, "Directory_ObjectNotFound")


def test_a_link_to_a_new_object_is_refused(service: Service) -> None:
    names = {"displayName": "g", "mailNickname": "g", "mailEnabled": False, "securityEnabled": True}
    _, group = service.call("POST", "/groups", names)
    _, other = service.call("POST", "/groups", names, lag=LAG)
    body = {"@odata.id": f"https://localhost/v1.0/directoryObjects/{other['id']}"}
    status, refused = service.call("POST", f"/groups/{group['id']}/members/$ref", body)
    assert (status, refused["error"]["code"]) == (400, "Request_BadRequest")
    assert "one of the objects being referenced don't exist" in refused["error"]["message"]
    service.wait(9)
    assert service.call("POST", f"/groups/{group['id']}/members/$ref", body)[0] == 204


def test_a_fresher_replica_knows_it_before_the_others(service: Service) -> None:
    _, made = service.call("POST", "/applications", {"displayName": "x"}, lag=LAG)
    path = f"/applications/{made['id']}"
    service.wait(4)
    seen = [service.call("GET", path, lag={"ahead": ahead})[0] for ahead in (5.0, 0.0, 5.0, 1.0)]
    assert seen == [200, 404, 200, 404], "found, and then not found again"


def test_a_secret_is_usable_only_after_its_delay(service: Service) -> None:
    _, made = service.call("POST", "/applications", {"displayName": "x"})
    _, secret = service.call("POST", f"/applications/{made['id']}/addPassword", {}, lag={"secret": 10.0})
    store = service.store
    assert not credentials.is_secret(store, secret["keyId"], secret["secretText"])
    service.wait(11)
    assert credentials.is_secret(store, secret["keyId"], secret["secretText"])


STALE = {"stale": 8.0}


def test_a_changed_object_is_read_as_it_was_until_the_replicas_have_the_change(service: Service) -> None:
    _, made = service.call("POST", "/applications", {"displayName": "x", "notes": "first"})
    path = f"/applications/{made['id']}"
    assert service.call("PATCH", path, {"notes": "second"}, lag=STALE)[0] == 204
    by_app_id = f"/applications(appId='{made['appId']}')"
    assert [service.call("GET", one)[1]["notes"] for one in (path, by_app_id)] == ["first", "first"]
    listed = {one["id"]: one["notes"] for one in service.call("GET", "/applications")[1]["value"]}
    assert listed[made["id"]] == "first"
    assert service.call("GET", path, lag={"ahead": 9.0})[1]["notes"] == "second", "a replica that has it already"
    service.wait(9)
    assert service.call("GET", path)[1]["notes"] == "second"


def test_replicas_get_changes_in_their_order_and_writes_build_on_the_newest(service: Service) -> None:
    _, made = service.call("POST", "/applications", {"displayName": "x"})
    path = f"/applications/{made['id']}"
    _, first = service.call("POST", f"{path}/addPassword", {}, lag={"stale": 20.0})
    service.wait(5)
    _, second = service.call("POST", f"{path}/addPassword", {}, lag={"stale": 1.0})
    service.wait(5)
    assert service.call("GET", path)[1]["passwordCredentials"] == [], "the second change waits for the first"
    service.wait(11)
    kept = service.call("GET", path)[1]["passwordCredentials"]
    assert [one["keyId"] for one in kept] == [first["keyId"], second["keyId"]]


def test_a_deleted_object_and_a_removed_grant_are_seen_again(service: Service) -> None:
    _, application = service.call("POST", "/applications", {"displayName": "x"})
    _, principal = service.call("POST", "/servicePrincipals", {"appId": application["appId"]})
    grant = {"clientId": principal["id"], "consentType": "AllPrincipals", "resourceId": service.graph_id, "scope": "a"}
    _, grant = service.call("POST", "/oauth2PermissionGrants", grant)
    paths = (f"/oauth2PermissionGrants/{grant['id']}", f"/applications/{application['id']}")
    for path in paths:
        assert service.call("DELETE", path, lag=STALE)[0] == 204
        assert service.call("GET", path)[0] == 200
        assert service.call("GET", path, lag={"ahead": 9.0})[0] == 404
        assert service.call("DELETE", path)[0] == 404, "writes know that it is gone"
    service.wait(9)
    assert [service.call("GET", path)[0] for path in paths] == [404, 404]


def test_a_removed_member_is_listed_for_a_while(service: Service) -> None:
    names = {"displayName": "g", "mailNickname": "g", "mailEnabled": False, "securityEnabled": True}
    _, group = service.call("POST", "/groups", names)
    _, other = service.call("POST", "/groups", names)
    members = f"/groups/{group['id']}/members"
    body = {"@odata.id": f"https://localhost/v1.0/directoryObjects/{other['id']}"}
    assert service.call("POST", f"{members}/$ref", body)[0] == 204
    assert service.call("DELETE", f"{members}/{other['id']}/$ref", lag=STALE)[0] == 204
    assert [one["id"] for one in service.call("GET", members)[1]["value"]] == [other["id"]]
    service.wait(9)
    assert service.call("GET", members)[1]["value"] == []
