"""What Microsoft Graph has and the sandbox lacks is not the caller's mistake, and what nobody has is."""

from __future__ import annotations

import pytest

from tests.sandbox_graph.conftest import GraphClient, World


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "/drives"),
        ("GET", "/$metadata"),
        ("GET", "/Teams"),
        ("GET", "/users/{}/messages"),
        ("GET", "/users/{}/authentication/phoneMethods"),
        ("GET", "/directoryRoles/delta"),
        ("GET", "/directoryRoles/microsoft.graph.delta()"),
        ("GET", "/groups/{}/drive/root/children"),
        ("POST", "/groups/{}/assignLicense"),
        ("GET", "/policies/tokenLifetimePolicies"),
        ("GET", "/applications/{}/extensionProperties"),
        ("GET", "/identity/b2xUserFlows"),
    ],
)
def test_what_microsoft_documents_and_the_sandbox_lacks_is_a_501_of_its_own(
    admin: GraphClient, method: str, path: str
) -> None:
    key = admin.get("/users?$top=1").json()["value"][0]["id"]
    answer = admin.request(method, path.replace("{}", key))
    assert (answer.status_code, answer.json()["error"]["code"]) == (501, "Sandbox_NotEmulated")


@pytest.mark.parametrize("path", ["/usrs", "/users/{}/mesages", "/policies/none", "/applications/{}/nothing"])
def test_what_nobody_has_is_a_mistake_of_the_caller(admin: GraphClient, path: str) -> None:
    key = admin.get("/users?$top=1").json()["value"][0]["id"]
    answer = admin.get(path.replace("{}", key))
    assert answer.status_code == 400
    assert answer.json()["error"]["message"].startswith("Resource not found for the segment")


def test_it_needs_a_token_as_everything_does(world: World) -> None:
    assert world.anonymous().get("/drives").status_code == 401
