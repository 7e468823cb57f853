"""What changed since the last time: learn.microsoft.com/graph/delta-query-overview, user-delta, group-delta."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from entra_sandbox.graph.odata.paging import write_token

from tests.sandbox_graph.conftest import GraphClient, World


def round_of(client: GraphClient, link: str) -> tuple[list[dict[str, Any]], str]:
    """Every page of a round, and the link of the next one."""
    found: list[dict[str, Any]] = []
    while True:
        answer = client.get(link)
        assert answer.status_code == 200, answer.text
        body = answer.json()
        found += body["value"]
        assert ("@odata.nextLink" in body) != ("@odata.deltaLink" in body)
        if "@odata.deltaLink" in body:
            return found, body["@odata.deltaLink"]
        link = body["@odata.nextLink"]


def latest(client: GraphClient, path: str, query: str = "") -> str:
    found, link = round_of(client, f"{path}/delta?$deltatoken=latest{query}")
    assert found == []
    return link


def reference(user: dict[str, Any]) -> dict[str, str]:
    return {"@odata.id": f"https://graph.microsoft.com/v1.0/directoryObjects/{user['id']}"}


@pytest.mark.parametrize("path", ["/users/delta", "/users/delta()", "/users/microsoft.graph.delta()", "/groups/delta"])
def test_the_first_round_is_everything_and_the_second_nothing(admin: GraphClient, path: str) -> None:
    found, link = round_of(admin, path)
    kind = path.split("/")[1]
    every = int(admin.get(f"/{kind}/$count", headers={"ConsistencyLevel": "eventual"}).text)
    assert len({one["id"] for one in found}) == len(found) == every
    assert round_of(admin, link)[0] == []


def test_a_users_life_is_told_once_a_round(admin: GraphClient, user: dict[str, Any], name: str) -> None:
    link = latest(admin, "/users")
    place = f"/users/{user['id']}"
    for title in ("Engineer", "Architect"):
        admin.patch(place, {"jobTitle": title})
    (changed,), link = round_of(admin, link)
    assert (changed["id"], changed["jobTitle"]) == (user["id"], "Architect")
    admin.delete(place)
    (gone,), link = round_of(admin, link)
    assert gone == {"id": user["id"], "@removed": {"reason": "changed"}}
    admin.post(f"/directory/deletedItems/{user['id']}/restore")
    (back,), link = round_of(admin, link)
    assert back["displayName"] == name
    admin.delete(place)
    admin.delete(f"/directory/deletedItems/{user['id']}")
    assert round_of(admin, link)[0] == [{"id": user["id"], "@removed": {"reason": "deleted"}}]


def test_the_lives_of_other_kinds_are_told_too(admin: GraphClient, world: World, name: str) -> None:
    """learn.microsoft.com/graph/api/application-delta, serviceprincipal-delta, oauth2permissiongrant-delta"""
    kinds = ("/applications", "/servicePrincipals", "/oauth2PermissionGrants", "/directory/administrativeUnits")
    links = {kind: latest(admin, kind) for kind in kinds}
    application = admin.post("/applications", {"displayName": name}).json()
    principal = admin.post("/servicePrincipals", {"appId": application["appId"]}).json()
    grant = {"clientId": principal["id"], "consentType": "AllPrincipals", "resourceId": world.microsoft_graph()["id"]}
    granted = admin.post("/oauth2PermissionGrants", {**grant, "scope": "User.Read"}).json()
    admin.patch(f"/applications/{application['id']}", {"notes": "changed"})
    made = {}
    for kind in kinds:
        found, links[kind] = round_of(admin, links[kind])
        made[kind] = {one["id"]: one for one in found}
    assert made["/applications"][application["id"]]["notes"] == "changed"
    assert made["/servicePrincipals"].keys() == {principal["id"]}
    assert made["/oauth2PermissionGrants"][granted["id"]]["scope"] == "User.Read"
    assert made["/directory/administrativeUnits"] == {}
    admin.delete(f"/applications/{application['id']}")
    gone = {kind: round_of(admin, links[kind])[0] for kind in kinds[:3]}
    reasons = [one["@removed"]["reason"] for kind in kinds[:3] for one in gone[kind]]
    assert reasons == ["changed", "changed", "deleted"]


def test_members_that_came_and_went_are_told_to_who_asks_for_members(
    admin: GraphClient, group: dict[str, Any], user: dict[str, Any]
) -> None:
    with_members = latest(admin, "/groups", "&$select=displayName,members")
    without = latest(admin, "/groups")
    admin.post(f"/groups/{group['id']}/members/$ref", reference(user))
    (told,), with_members = round_of(admin, with_members)
    assert told["members@delta"] == [{"@odata.type": "#microsoft.graph.user", "id": user["id"]}]
    assert round_of(admin, without)[0] == []
    admin.delete(f"/groups/{group['id']}/members/{user['id']}/$ref")
    (told,), _ = round_of(admin, with_members)
    assert told["members@delta"][0]["@removed"] == {"reason": "deleted"}
    everything, _ = round_of(admin, "/groups/delta?$expand=members")
    assert sum(len(one.get("members@delta", [])) for one in everything) > 100


def test_a_round_may_be_about_named_objects_alone(
    admin: GraphClient, user: dict[str, Any], group: dict[str, Any]
) -> None:
    found, link = round_of(admin, f"/users/delta?$filter=id eq '{user['id']}'&$select=displayName")
    assert found == [{"id": user["id"], "displayName": user["displayName"]}]
    other = admin.get("/users?$top=1").json()["value"][0]
    for one in (user, other):
        admin.patch(f"/users/{one['id']}", {"city": "Delft"})
    assert [one["id"] for one in round_of(admin, link)[0]] == [user["id"]]
    assert admin.get("/users/delta?$filter=displayName eq 'a'").status_code == 400
    assert group["id"]


@pytest.mark.parametrize("query", ["$top=5", "$orderby=displayName", '$search="displayName:a"', "$deltatoken=abc"])
def test_what_delta_does_not_do_is_refused(admin: GraphClient, query: str) -> None:
    assert admin.get(f"/users/delta?{query}").status_code == 400


def test_a_sign_in_is_no_change(world: World, admin: GraphClient) -> None:
    link = latest(admin, "/users")
    row = world.store.row("user", world.user()["id"], world.tenant)
    assert row is not None
    activity = {"lastSignInDateTime": "2026-01-01T00:00:00Z"}
    world.store.put("user", {**row.doc, "signInActivity": activity}, row.tenant)
    assert round_of(admin, link)[0] == []
    world.store.put("user", row.doc, row.tenant)


@contextmanager
def days_later(world: World, days: float) -> Iterator[GraphClient]:
    """A client with a fresh token while the sandbox's clock is ahead."""
    token = world.services.folder.file("control-token").read_text(encoding="utf-8")

    def shift(seconds: float) -> None:
        headers = {"authorization": f"Bearer {token}"}
        assert world.http.post("/_sandbox/clock", json={"offset": seconds}, headers=headers).status_code == 200
        world.store.shift_clock(seconds)

    shift(days * 86400)
    try:
        yield world.everything()
    finally:
        shift(0)


def test_a_token_is_good_for_seven_days(world: World, admin: GraphClient) -> None:
    """learn.microsoft.com/graph/delta-query-overview, token duration"""
    link = latest(admin, "/groups")
    with days_later(world, 6.9) as client:
        assert round_of(client, link)[0] == []
    with days_later(world, 7.1) as client:
        refused = client.get(link)
        assert (refused.status_code, refused.json()["error"]["code"]) == (400, "syncStateNotFound")
        assert round_of(client, "/groups/delta")[0]
    assert round_of(admin, link)[0] == [], "the clock is right again"


def test_after_a_reset_everything_is_read_anew(world: World, admin: GraphClient) -> None:
    """learn.microsoft.com/graph/delta-query-overview, synchronization reset: here the state was put back."""
    later = write_token(world.store, "/groups/delta", world.store.last_change() + 1000, int(world.store.now()))
    reset = admin.get(f"/groups/delta?$select=displayName&$deltatoken={later}")
    assert (reset.status_code, reset.json()["error"]["code"]) == (410, "resyncRequired")
    assert reset.headers["location"].endswith("/groups/delta?$select=displayName&$deltatoken=")
    found, _ = round_of(admin, reset.headers["location"])
    assert found
    assert set(found[0]) == {"id", "displayName"}


def test_it_takes_the_permissions_of_the_list(world: World) -> None:
    for path, granted in (("/users/delta", "User.Read.All"), ("/groups/delta", "Group.Read.All")):
        assert world.application([granted]).get(path).status_code == 200
        assert world.application(["Device.Read.All"]).get(path).status_code == 403
