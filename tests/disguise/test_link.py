"""The link by which somebody links an account: how long it lives, that it stays the same, and where it goes."""

from __future__ import annotations

import json
import stat
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

from tests.disguise.conftest import Desk

Begin = Callable[..., Desk]


def handed_over(at: Desk, *arguments: str) -> tuple[dict[str, Any], str]:
    """The link that section 7 hands over, and what the terminal said."""
    done = at.call("run", "--json", "--sections", "7", *arguments)
    document = json.loads(done.stdout)
    assert done.returncode == 3, document
    item = at.hand_over(document)
    assert item["kind"] == "link_account"
    return item, done.stdout + done.stderr


def test_a_link_lives_for_days_is_handed_over_again_and_goes_where_it_was_asked_to_go(desk: Begin) -> None:
    at = desk()
    code, document = at.run("--sections", "1..6")
    assert code == 3, document
    at.tenant.act(at.hand_over(document))
    assert at.run("--sections", "6")[0] == 0

    first, said = handed_over(at)
    token = first["url"].rsplit("/", 1)[-1]
    ends = datetime.fromisoformat(first["expires_at"])
    assert timedelta(days=4, hours=23) < ends - datetime.now(UTC) <= timedelta(days=5, minutes=5)
    assert token not in said
    assert f"runbook secrets get {first['kept']}" in said

    again, said = handed_over(at, "--set", "link_to=terminal")
    assert (again["url"], again["expires_at"]) == (first["url"], first["expires_at"])
    assert token in said

    _, said = handed_over(at, "--set", "link_to=link.txt")
    file = at.folder / "link.txt"
    assert token not in said
    assert file.read_text() == f"{first['url']}\n"
    assert stat.S_IMODE(file.stat().st_mode) == 0o600

    file.write_text("something of mine")
    _, said = handed_over(at, "--set", "link_to=link.txt")
    assert file.read_text() == "something of mine"
    assert "holds something else" in said

    at.tenant.act(first)
    code, document = at.run("--sections", "7")
    assert code == 0, document
    assert document["account"]["status"] == "active"
    assert at.tenant.store.get(first["kept"].removeprefix("file:")) is None
