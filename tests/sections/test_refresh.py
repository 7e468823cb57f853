"""Whether the linked account's tokens are renewed, told without a call that StackOne does not document."""

from __future__ import annotations

import ssl
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx

from runbook.proof.probing import renewed
from runbook.sections import NAMES
from runbook.tenant.credentials import TOKEN_LIFE
from tests.sections.conftest import Journey

LINKED = datetime(2026, 11, 23, 12, tzinfo=UTC)
ACCOUNT = {"updated_at": "2026-11-23T12:00:00.000Z"}


def set_clock(sandbox: dict[str, Any], seconds: int) -> None:
    token = (Path(sandbox["file"]).parent / "sandbox.db.d" / "control-token").read_text()
    context = ssl.create_default_context(cafile=sandbox["ca_file"])
    with httpx.Client(base_url=sandbox["authority"], verify=context, trust_env=False) as client:
        headers = {"Authorization": f"Bearer {token}"}
        client.post("/_sandbox/clock", json={"offset": seconds}, headers=headers).raise_for_status()


def test_it_is_proven_once_the_first_token_has_ended_and_not_before(
    sandbox: dict[str, Any], journey: Callable[..., Journey]
) -> None:
    own = journey(actions=["list_users"])
    set_clock(sandbox, -7200)
    try:
        own.run(*NAMES[:7])
    finally:
        set_clock(sandbox, 0)
    result = own.run("verify_actions")["verify_actions"]
    assert result.verdict == "passed"
    assert result.facts["account"]["refresh"] == "proven"

    fresh = journey(actions=["list_users"]).run(*NAMES)["verify_actions"]
    assert fresh.verdict == "passed"
    assert fresh.facts["account"]["refresh"] == "not yet"
    assert fresh.facts["account"]["refresh_provable_at"]


def test_the_last_minute_of_a_token_is_no_proof() -> None:
    early = renewed(ACCOUNT, works=True, now=LINKED + TOKEN_LIFE - timedelta(seconds=1))
    assert early["refresh"] == "not yet"
    assert early["refresh_provable_at"] == "2026-11-23T13:30:00Z"
    assert renewed(ACCOUNT, works=True, now=LINKED + TOKEN_LIFE)["refresh"] == "proven"


def test_without_a_call_or_a_time_it_is_unknown() -> None:
    assert renewed(ACCOUNT, works=False, now=LINKED + 2 * TOKEN_LIFE)["refresh"] == "unknown"
    assert renewed({}, works=True, now=LINKED)["refresh"] == "unknown"
