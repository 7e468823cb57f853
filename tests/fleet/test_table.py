"""The table of a fleet is checked whole before anything is sent."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from runbook.errors import InputError
from runbook.fleet.tenants import read
from tests.conftest import Listener, Runner
from tests.fleet.conftest import Provider

GUIDS = [f"{digit * 8}-{digit * 4}-4{digit * 3}-8{digit * 3}-{digit * 12}" for digit in "123456789"]


def test_every_bad_row_is_named_with_its_line_and_nothing_is_sent(command: Runner, listener: Listener) -> None:
    rows = [
        "tenant_id,actions,secret_lifetime_days,canary,client_secret_ref",
        f"{listener.tenant_id},List Users,90,yes,",
        "not a tenant!,List Users,,,",
        f"{listener.tenant_id},Lst Users,many,perhaps,hunter2-is-a-secret",
        "",
        f"{listener.tenant_id},,,,",
        ",List Users,,,",
        f"{GUIDS[2]},List Users,,,",
        f"{GUIDS[3]},List Users,,,,more",
    ]
    table = listener.ready_file.with_name("tenants.csv")
    table.write_text("\n".join(rows) + "\n")
    done = command("fleet", "run", str(table), "--json", "--sandbox", str(listener.ready_file), "--sections", "9..1")
    assert done.returncode == 2
    told = {(each["where"], each["what"].split(" ")[0]) for each in json.loads(done.stdout)["problems"]}
    assert {where for where, _ in told} == {
        "--sections",
        *(f"tenants.csv line {line}" for line in (9,)),
        *(f"tenants.csv line {line}, tenant_id" for line in (3, 6, 7, 8, 9)),
        *(f"tenants.csv line 4, {name}" for name in ("actions", "secret_lifetime_days", "canary", "client_secret_ref")),
    }
    assert "hunter2" not in done.stdout + done.stderr
    assert listener.connections == []


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (b"", "tenant_id: is no column"),
        (b"tenant_id\n", "names no tenant"),
        (b"tenant\nx\n", "line 1, tenant: is not a parameter. Did you mean tenant_id"),
        (b"tenant_id,tenant_id\nx,y\n", "line 1, tenant_id: is there more than once"),
        (b"tenant_id,records\nx,y\n", "line 1, records: is the fleet's"),
        (b"tenant_id\n\xff\n", "is not UTF-8"),
        (b'tenant_id\n"x\n', "is not CSV"),
    ],
)
def test_a_table_that_is_none_is_refused_in_words(tmp_path: Path, text: bytes, said: str) -> None:
    (tmp_path / "t.csv").write_bytes(text)
    with pytest.raises(InputError, match=said.replace("(", r"\(")):
        read(tmp_path / "t.csv", {})


def test_what_holds_for_every_row_is_said_once(tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_text("tenant_id\n" + "\n".join(GUIDS))
    with pytest.raises(InputError) as refused:
        read(tmp_path / "t.csv", {"target": "entra", "client_id": "x"})
    assert [each.where for each in refused.value.problems] == ["client_id", "client_secret_ref", "stackone_api_key_ref"]


def test_cells_override_the_parameters_and_an_empty_one_does_not(tmp_path: Path, provider: Provider) -> None:
    one, other = provider.tenants[:2]
    table = tmp_path / "t.csv"
    table.write_text(f"\ufefftenant_id;secret_lifetime_days;canary\r\n{one};90;x\r\n{other};;\r\n", encoding="utf-8")
    values = {"secret_lifetime_days": 120, "sandbox_file": str(provider.folder / "ready.json")}
    first, second = read(table, values)
    assert (first.params.tenant_id, first.params.secret_lifetime_days, first.canary) == (one, 90, True)
    assert (second.params.tenant_id, second.params.secret_lifetime_days, second.canary) == (other, 120, False)
