"""The table of a fleet is checked whole before anything is sent."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from runbook.errors import InputError
from runbook.fleet.tenants import read
from runbook.parameters import Parameters
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


SECRET = "Hunter2-in-the-wrong-column"
ONE, TWO = GUIDS[:2]
REAL = {
    "target": "entra",
    "client_id": ONE,
    "client_secret_ref": "env:RUNBOOK_SECRET",
    "stackone_api_key_ref": "env:RUNBOOK_KEY",
}
MANY = "".join(f"{number:08d}-0000-4000-8000-000000000000\n" for number in range(10_000))
BAD: dict[str, tuple[str | bytes, list[str]]] = {
    "nothing": ("", ["t.csv: names no tenant"]),
    "a header alone": ("tenant_id\n", ["t.csv: names no tenant"]),
    "blank lines before the header": ("\n\ntenant_id\n", ["line 1: is no header"]),
    "no header": (f"{ONE},{SECRET}\n{TWO},{SECRET}\n", ["line 1: is no header"]),
    "no column with the tenant": (f"canary,actions\nyes,{SECRET}\n", ["line 1, tenant_id: is no column"]),
    "columns that are none": (
        f"tenant_id,{SECRET},tenant,\n{ONE},1,2,3\n",
        [
            "line 1, column 2: is not",
            "line 1, column 3: is not a parameter. Did you mean tenant_id",
            "line 1, column 4",
        ],
    ),
    "a column twice": (f"tenant_id,tenant_id,canary,canary\n{ONE},{TWO},,\n", ["line 1, tenant_id", "line 1, canary"]),
    "columns of the fleet": (f"tenant_id,records,link_to\n{ONE},x,y\n", ["line 1, records", "line 1, link_to"]),
    "UTF-16": (f"tenant_id\n{ONE}\n".encode("utf-16"), ["t.csv: cannot be read: it is not UTF-8"]),
    "UTF-16 without its mark": (f"tenant_id\n{ONE}\n".encode("utf-16-le"), ["line 1: is no header"]),
    "Latin-1": (f"tenant_id,application_name\n{ONE},Caf\xe9\n".encode("latin-1"), ["it is not UTF-8"]),
    "a NUL": (f"tenant_id,application_name\n{ONE},{SECRET}\0\n", ["line 2, application_name: must not hold"]),
    "a quote that is not closed": (f'tenant_id\n{ONE}\n"{SECRET}\n{TWO}\n', ["line 3: is not CSV"]),
    "text after a quote": (f'tenant_id\n"{ONE}"{SECRET}\nnone\n', ["line 2: is not CSV", "line 3, tenant_id"]),
    "a cell without end": (f"tenant_id\n{SECRET * 9_999}\nnone\n", ["line 2: is not CSV", "line 3, tenant_id"]),
    "semicolons": (f"tenant_id;canary\n{SECRET};yes\n{ONE};\n", ["line 2, tenant_id: is neither"]),
    "tabs": (f"tenant_id\tcanary\n{ONE}\t{SECRET}\n", ["line 2, canary: must be yes or no"]),
    "semicolons below a header with commas": (f"tenant_id,canary\n{ONE};{SECRET}\n", ["line 2: has 1 cells where"]),
    "a row too long, one too short": (
        f"tenant_id,canary\n{ONE},,{SECRET}\n{TWO}\n",
        ["line 2: has 3", "line 3: has 1"],
    ),
    "a tenant twice": (f"tenant_id\n{ONE}\n{{{ONE.upper()}}}\n", ["line 3, tenant_id: is that of line 2"]),
    "a domain twice": ("tenant_id\nContoso.com\n\ncontoso.COM\n", ["line 4, tenant_id: is that of line 2"]),
    "a row over three lines": (f'tenant_id,canary\n{ONE},"\n\n"\nnone,\n', ["line 5, tenant_id"]),
    "a switch that is none": (f"tenant_id,canary\n{ONE},{SECRET}\n", ["line 2, canary: must be yes or no"]),
    "numbers that are none": (
        f"tenant_id,secret_lifetime_days,link_lifetime_days\n{ONE},0100,{SECRET}\n{TWO},731,1.5\n",
        [f"line {line}, {name}" for line in (2, 3) for name in ("secret_lifetime_days", "link_lifetime_days")],
    ),
    "cells that do not go together": (
        f"tenant_id,secret_lifetime_days,target\n{ONE},20,\n{TWO},,sandbox\n",
        ["line 2, secret_renew_before_days", "line 3, sandbox_file"],
    ),
    "a secret for its reference": (f"tenant_id,client_secret_ref\n{ONE},{SECRET}\n", ["line 2, client_secret_ref"]),
    "the last of many": (
        f"tenant_id\n{MANY}{SECRET}\n{MANY[:36]}\n",
        ["line 10002, tenant_id", "line 10003, tenant_id"],
    ),
}


def refusal(table: Path, values: dict[str, Any]) -> list[str]:
    """What is wrong with the table; nothing if it is read."""
    try:
        read(table, values)
    except InputError as refused:
        return [str(problem) for problem in refused.problems]
    return []


@pytest.mark.parametrize(("text", "said"), BAD.values(), ids=BAD.keys())
def test_every_mistake_of_a_table_is_named_with_its_line_and_no_cell_is_repeated(
    tmp_path: Path, text: str | bytes, said: list[str]
) -> None:
    (tmp_path / "t.csv").write_bytes(text if isinstance(text, bytes) else text.encode())
    told = refusal(tmp_path / "t.csv", REAL)
    assert all(any(words in one for one in told) for words in said), told
    assert SECRET.lower() not in str(told).lower()


@pytest.mark.parametrize("name", sorted({*Parameters.model_fields} - {"records", "link_to"}))
def test_what_stands_in_a_cell_is_not_repeated_whatever_its_column(tmp_path: Path, name: str) -> None:
    cells = {"tenant_id": ONE, name: f"~/{SECRET}"} | ({"actions": SECRET} if name == "actions" else {})
    for cell in (SECRET, f"https://{SECRET}:{SECRET}@[", f"~{SECRET}/x", f"List Users,{SECRET}"):
        cells[name] = cell
        (tmp_path / "t.csv").write_text(",".join(cells) + "\n" + ",".join(f'"{cell}"' for cell in cells.values()))
        assert SECRET.lower() not in str(refusal(tmp_path / "t.csv", {})).lower()


@pytest.mark.parametrize("cell", ["hunter2,b", "hunter2,be", "input"])
def test_only_what_stands_in_the_cell_is_left_out(tmp_path: Path, cell: str) -> None:
    (tmp_path / "t.csv").write_text(f'tenant_id,prune\n{ONE},"{cell}"')
    (said,) = refusal(tmp_path / "t.csv", REAL)
    assert "input should be 'permissions', 'grants'" in said
    assert "hunter2" not in said


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
