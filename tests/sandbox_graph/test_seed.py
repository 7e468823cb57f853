"""The seeded tenant is the same in every state but for its secrets, and all of it fits Microsoft's types."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from entra_sandbox.seed import SeedResult, seed
from entra_sandbox.store import Store

from runbook.catalog import permissions
from tests.sandbox_graph.shapes import check_entity

KINDS = (
    "user",
    "group",
    "device",
    "application",
    "servicePrincipal",
    "directoryRole",
    "directoryRoleTemplate",
    "domain",
    "organization",
    "oAuth2PermissionGrant",
    "appRoleAssignment",
    "conditionalAccessPolicy",
    "namedLocation",
    "subscribedSku",
    "authorizationPolicy",
    "tenantAppManagementPolicy",
    "identitySecurityDefaultsEnforcementPolicy",
    "adminConsentRequestPolicy",
)


@pytest.fixture(scope="module")
def seeded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Store, SeedResult]]:
    store = Store(tmp_path_factory.mktemp("seed") / "state.sqlite3")
    yield store, seed(store)
    store.close()


@pytest.mark.parametrize("kind", KINDS)
def test_every_seeded_object_fits_its_type(seeded: tuple[Store, SeedResult], kind: str) -> None:
    rows = seeded[0].rows(kind)
    assert rows
    for row in rows:
        check_entity(kind, row.doc, f"{kind}/{row.id}")


def test_two_states_differ_in_their_secrets_alone(seeded: tuple[Store, SeedResult], tmp_path: Path) -> None:
    store, result = seeded
    other_store = Store(tmp_path / "state.sqlite3")
    other = seed(other_store)
    assert (other.tenant_id, other.client_id, other.ids) == (result.tenant_id, result.client_id, result.ids)
    assert other.client_secret != result.client_secret
    assert set(other.passwords) == set(result.passwords)
    assert all(other.passwords[name] != password for name, password in result.passwords.items())
    for kind in ("user", "group", "device", "oAuth2PermissionGrant", "appRoleAssignment"):
        assert [row.text for row in other_store.rows(kind)] == [row.text for row in store.rows(kind)]
    other_store.close()


def test_microsoft_graph_publishes_every_permission_of_the_catalogue(seeded: tuple[Store, SeedResult]) -> None:
    store, result = seeded
    graph = store.get("servicePrincipal", result.ids["microsoft_graph"])
    assert graph is not None
    scopes = {scope["value"]: scope["id"] for scope in graph["oauth2PermissionScopes"]}
    roles = {role["value"]: role["id"] for role in graph["appRoles"]}
    for permission in permissions().values():
        assert scopes.get(permission.name) == permission.delegated_id
        assert roles.get(permission.name) == permission.application_id


def test_microsoft_graph_publishes_permissions_beside_those_of_the_guide(seeded: tuple[Store, SeedResult]) -> None:
    """Ids and consent rules of learn.microsoft.com/graph/permissions-reference."""
    store, result = seeded
    graph = store.get("servicePrincipal", result.ids["microsoft_graph"])
    assert graph is not None
    scopes = {scope["value"]: scope for scope in graph["oauth2PermissionScopes"]}
    roles = {role["value"]: role for role in graph["appRoles"]}
    for name, id, kind in (
        ("Mail.Read", "570282fd-fa5c-430d-a7fd-fc8dc98a9dca", "User"),
        ("Files.ReadWrite.All", "863451e7-0667-486c-a5d6-d135439485f0", "User"),
        ("Calendars.ReadWrite", "1ec239c2-d7c9-4623-a91a-a9775856bb36", "User"),
        ("Chat.Read", "f501c180-9344-439a-bca0-6cbf209fd270", "User"),
        ("People.Read", "ba47897c-39ec-4d83-8086-ee8256fa737d", "User"),
        ("Sites.FullControl.All", "5a54b8b3-347c-476d-8f8e-42d5c7424d29", "Admin"),
        ("IdentityRiskyUser.Read.All", "d04bb851-cb7c-4146-97c7-ca3e71baf56c", "Admin"),
        ("LicenseAssignment.ReadWrite.All", "f55016cc-149c-447e-8f21-7cf3ec1d6350", "Admin"),
        ("email", "64a6cdd6-aab1-4aaf-94b8-3cc8405e90d0", "User"),
    ):
        assert (scopes[name]["id"], scopes[name]["type"]) == (id, kind)
    for name, id in (
        ("Mail.Read", "810c84a8-4a9e-49e6-bf7d-12d183f40d01"),
        ("Mail.Send", "b633e1c5-b582-4048-a93e-9f11b44c7e96"),
        ("Sites.Selected", "883ea226-0bf2-4a8f-9f9d-92c9162a727d"),
        ("IdentityRiskyUser.Read.All", "dc5007c0-2d7d-4c42-879c-2dab87571379"),
        ("Reports.Read.All", "230c1aed-a721-4c5d-9cb4-a90514e508ef"),
    ):
        assert roles[name]["id"] == id
    assert len(scopes) >= 360, "what Microsoft publishes, not what the guide needs"
    assert len(roles) >= 300
    for published in (scopes, roles):
        ids = [one["id"] for one in published.values()]
        assert len(set(ids)) == len(ids)


def test_each_permission_of_microsoft_graph_is_told_in_words_that_are_marked_as_the_sandboxs_own(
    seeded: tuple[Store, SeedResult],
) -> None:
    store, result = seeded
    graph = store.get("servicePrincipal", result.ids["microsoft_graph"])
    assert graph is not None
    for one in graph["oauth2PermissionScopes"]:
        for reader in ("admin", "user"):
            title, text = one[f"{reader}ConsentDisplayName"], one[f"{reader}ConsentDescription"]
            assert title != one["value"]
            assert text == f"{title}, as the signed-in user. (Words of the sandbox, not of Microsoft.)"
    for one in graph["appRoles"]:
        assert one["displayName"] != one["value"]
        assert one["description"].endswith(", without a signed-in user. (Words of the sandbox, not of Microsoft.)")


def test_the_tenant_is_like_one(seeded: tuple[Store, SeedResult]) -> None:
    store, result = seeded
    users = store.find("user", result.tenant_id)
    assert len(users) == 300
    assert {user["userType"] for user in users} == {"Member", "Guest"}
    assert any(not user["accountEnabled"] for user in users)
    assert len({user["userPrincipalName"].lower() for user in users}) == 300
    groups = store.find("group", result.tenant_id)
    assert 45 <= len(groups) <= 70
    assert {tuple(group["groupTypes"]) for group in groups} == {(), ("Unified",), ("DynamicMembership",)}
    assert any(group["isAssignableToRole"] for group in groups)
    assert len({device["operatingSystem"] for device in store.find("device", result.tenant_id)}) == 5
    assert {"Global Administrator", "Application Developer"} <= {
        role for held in result.user_roles.values() for role in held
    }
    assert [] in result.user_roles.values()


def test_no_plaintext_is_in_the_state(seeded: tuple[Store, SeedResult]) -> None:
    store, result = seeded
    store._connection().execute("PRAGMA wal_checkpoint(TRUNCATE)")
    content = store.path.read_bytes()
    for secret in (result.client_secret, *result.passwords.values()):
        assert secret.encode() not in content


def test_a_large_tenant_can_be_asked_for(tmp_path: Path) -> None:
    store = Store(tmp_path / "state.sqlite3")
    result = seed(store, users=2000)
    assert store.count("user", result.tenant_id) == 2000
    store.close()
