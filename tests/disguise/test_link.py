"""The link by which somebody links an account: how long it lives, that it stays the same, and where it goes."""

from __future__ import annotations

import stat
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from tests.disguise.conftest import Desk

Begin = Callable[..., Desk]


def asked(at: Desk) -> dict[str, Any]:
    """The hand-over of the link, once everything before it is done."""
    code, document = at.run()
    assert code == 3, document
    item = at.hand_over(document)
    if item["kind"] == "connector_profile":
        at.tenant.act(item)
        return asked(at)
    assert item["kind"] == "link_account"
    return item


def test_a_link_lives_for_days_and_is_handed_over_again_while_it_is_open(desk: Begin) -> None:
    at = desk()
    first = asked(at)
    ends = datetime.fromisoformat(first["expires_at"])
    assert timedelta(days=4, hours=23) < ends - datetime.now(UTC) <= timedelta(days=5, minutes=5)
    again = asked(at)
    assert (again["url"], again["expires_at"]) == (first["url"], first["expires_at"])
    at.tenant.act(first)
    code, document = at.run()
    assert code == 0, document
    assert document["account"]["status"] == "active"
    assert at.tenant.store.get(first["kept"].removeprefix("file:")) is None


def test_another_owner_gets_another_link(desk: Begin) -> None:
    at = desk(link_lifetime_days=1)
    first = asked(at)
    at.values["account_owner_id"] += "-other"
    assert asked(at)["url"] != first["url"]


@pytest.mark.parametrize("link_to", ["", "terminal", "link.txt"])
def test_the_link_goes_where_it_was_asked_to_go_and_into_no_log_by_itself(desk: Begin, link_to: str) -> None:
    at = desk(link_to=link_to)
    asked(at)
    done = at.call("run", "--json")
    link = at.tenant._value(first_kept(at))
    token = link.rsplit("/", 1)[-1]
    assert token not in done.stdout
    assert (token in done.stderr) is (link_to == "terminal")
    if link_to == "link.txt":
        file = at.folder / link_to
        assert file.read_text() == f"{link}\n"
        assert stat.S_IMODE(file.stat().st_mode) == 0o600
    if not link_to:
        assert f"runbook secrets get {first_kept(at)}" in done.stderr


def first_kept(at: Desk) -> str:
    record = max(Path(at.folder, "records").iterdir())
    return str(at.hand_over({"record": str(record)})["kept"])
