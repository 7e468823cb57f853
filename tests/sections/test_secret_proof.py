"""A secret that cannot be proven now for a reason that is not its own: said, and no other is made."""

from __future__ import annotations

import pytest

from runbook.sections import NAMES, section
from runbook.tenant.base import plan_sections
from runbook.tenant.registration import require_application, require_principal
from tests.safety.stand import Stand
from tests.safety.test_campaign import stand  # noqa: F401 - fixture
from tests.sections.conftest import Journey

TENANT = NAMES[:5]
TOKENS = {"service": "entra", "path": "*/oauth2/v2.0/token"}


@pytest.fixture
def done(stand: Stand, request: pytest.FixtureRequest) -> Journey:  # noqa: F811
    """A journey whose tenant side has been made."""
    name = f"proof-{abs(hash(request.node.name))}"
    own = Journey(stand.folder / name, stand.values(name))
    assert {result.verdict for result in own.run(*TENANT).values()} == {"passed"}
    return own


def secrets_of(own: Journey) -> list[str]:
    with own.context() as ctx:
        return [item["keyId"] for item in require_application(ctx)["passwordCredentials"]]


@pytest.mark.parametrize("damage", ["removed", "disabled"])
def test_without_a_usable_service_principal_nothing_is_waited_for_and_no_other_secret_made(
    done: Journey, damage: str
) -> None:
    before = secrets_of(done)
    with done.context() as ctx:
        path = f"/servicePrincipals/{require_principal(ctx, require_application(ctx)['appId'])['id']}"
        ctx.graph.remove(path) if damage == "removed" else ctx.graph.set(path, {"accountEnabled": False})
    waits: list[object] = []
    with done.context() as ctx:
        ctx.graph.progress = waits.append
        (change,) = plan_sections(ctx, [section("client_secret")])["client_secret"]
    assert (change.kind, waits) == ("same", [])
    assert change.now.endswith("not proven now")
    assert {result.verdict for result in done.run(*TENANT).values()} == {"passed"}
    assert secrets_of(done) == before


@pytest.mark.parametrize("code", ["AADSTS53003", "AADSTS50105", "AADSTS90072"])
def test_a_refusal_that_is_not_of_the_secret_is_told_and_no_other_secret_made(
    stand: Stand,  # noqa: F811
    done: Journey,
    code: str,
) -> None:
    before = secrets_of(done)
    # The administrator's own sign-in is the first call.
    refused = {"kind": "answer", "status": 400, "code": "access_denied", "message": f"{code}: No.", "skip": 1}
    with stand.weather({"seed": 1, "illnesses": [{**refused, "match": TOKENS}]}):
        result = done.run("client_secret")["client_secret"]
    assert result.verdict == "failed"
    assert result.error is not None
    assert result.error.code == code
    assert [change.kind for change in result.changes] == ["same"]
    assert secrets_of(done) == before


def test_a_secret_that_is_refused_itself_is_replaced(stand: Stand, done: Journey) -> None:  # noqa: F811
    before = secrets_of(done)
    refused = {"kind": "answer", "status": 401, "code": "invalid_client", "message": "AADSTS7000222: Expired."}
    with stand.weather({"seed": 1, "illnesses": [{**refused, "times": 1, "skip": 1, "match": TOKENS}]}):
        assert done.run("client_secret")["client_secret"].verdict == "passed"
    assert len(secrets_of(done)) == len(before) + 1
