"""The whole guide on a real target for every way to sign in: one sign-in a command, a proven connection at the end."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from typing import Any

import pytest

from runbook.records.journal import read as read_journal
from tests.disguise.conftest import NEEDED, Desk, Tenant
from tests.disguise.test_ambient import HEADER, Platform, ambient, az, platform
from tests.disguise.test_sign_in import BROWSER, certified, federated

__all__ = ["platform"]

Begin = Callable[..., Desk]


def with_credential(
    desk: Begin, tenant: Tenant, _platform: Platform, sign_in: str, made: Callable[[Tenant], str]
) -> Desk:
    at = desk(sign_in=sign_in, client_secret_ref=f"file:admin/{sign_in}")
    line = [sys.executable, "-m", "runbook", "secrets", "set", f"file:admin/{sign_in}"]
    assert at.spoken(line, made(tenant)).returncode == 0
    return at


def certificate(desk: Begin, tenant: Tenant, platform: Platform) -> Desk:
    return with_credential(desk, tenant, platform, "certificate", certified)


def token_of_an_issuer(desk: Begin, tenant: Tenant, platform: Platform) -> Desk:
    return with_credential(desk, tenant, platform, "federated", federated)


def managed_identity(desk: Begin, _tenant: Tenant, platform: Platform) -> Desk:
    at = ambient(desk, "managed-identity")
    at.variables.update(platform.environment)
    return at


def azure_identity(desk: Begin, tenant: Tenant, _platform: Platform) -> Desk:
    at = ambient(desk, "azure-identity")
    at.variables.update(az(at, tenant))
    return at


def browser(desk: Begin, tenant: Tenant, _platform: Platform) -> Desk:
    at = desk(sign_in="browser", client_id=tenant.application(*NEEDED))
    (at.folder / "ready.json").write_text(json.dumps(tenant.ready))
    (at.folder / "person.py").write_text(BROWSER)
    at.variables["BROWSER"] = f"{sys.executable} {at.folder / 'person.py'} %s &"
    return at


def device_code(desk: Begin, tenant: Tenant, _platform: Platform) -> Desk:
    return desk(sign_in="device-code", client_id=tenant.application(*NEEDED))


SIGN_INS = [certificate, token_of_an_issuer, managed_identity, azure_identity, browser, device_code]


@pytest.mark.parametrize("sign_in", SIGN_INS, ids=lambda each: each.__name__)
def test_the_whole_guide_passes(
    desk: Begin, tenant: Tenant, platform: Platform, sign_in: Callable[[Begin, Tenant, Platform], Desk]
) -> None:
    at = sign_in(desk, tenant, platform)
    code, document = at.run()
    assert (code, waits_for(document)) == (3, "connector_profile"), document
    tenant.act(at.hand_over(document))
    code, document = at.run("--sections", "6..8")
    assert (code, waits_for(document)) == (3, "link_account"), document
    tenant.act(at.hand_over(document))
    code, document = at.run("--sections", "7..8")
    assert code == 0, document
    assert [(action["slug"], action["verdict"]) for action in document["actions"]] == [("list_users", "passed")]
    kind = "user" if sign_in in (browser, device_code) else "app"
    for record in (at.folder / "records").iterdir():
        actor = read_journal(record)[0]["actor"]
        assert actor["kind"] == kind
        if kind == "app":
            assert actor["client_id"] == tenant.ready["client_id"]
        else:
            assert actor["name"] == tenant.person("Global Administrator")
        for file in record.iterdir():
            text = file.read_text(encoding="utf-8")
            assert HEADER not in text
            assert platform.token not in text
    if sign_in is device_code:
        assert len(at.codes) == 3, "one code a command"
    if sign_in is browser:
        assert (at.folder / "opened").read_text() == "once\n" * 3
    if sign_in is managed_identity:
        assert {query["resource"][0] for query in platform.asked} == {"https://graph.microsoft.com"}


def waits_for(document: dict[str, Any]) -> str:
    return next((each["name"] for each in document["sections"] if each["verdict"] == "parked"), "nobody")
