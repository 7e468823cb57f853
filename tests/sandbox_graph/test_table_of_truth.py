"""The table of truth is what the sandbox declares, and what it does."""

from __future__ import annotations

import json
import re
from importlib.resources import files

import pytest
from entra_sandbox.graph import audit

from tests.sandbox_graph.conftest import GraphClient
from tests.sandbox_graph.table_of_truth import PAGE, operations, page

ROW = re.compile(r"^\| `([A-Z]+ /[^`]*)` \|(.*)\|$", re.MULTILINE)


def test_the_page_is_what_is_declared() -> None:
    assert PAGE.read_text(encoding="utf-8") == page(), "python -m tests.sandbox_graph.table_of_truth writes it anew"


def test_each_operation_has_one_row_with_permissions_and_source() -> None:
    text = PAGE.read_text(encoding="utf-8")
    rows = dict(ROW.findall(text))
    assert set(rows) == set(operations())
    assert len(ROW.findall(text)) == len(rows)
    assert "Source: unknown" not in text
    for name, cells in rows.items():
        delegated, application = (cell.strip() for cell in cells.split("|")[:2])
        assert "`" in delegated + application or delegated == "by the object's kind", name


@pytest.mark.parametrize("name", ["simplified.json", "audits.json"])
def test_what_is_said_of_operations_is_said_of_those_that_there_are(name: str) -> None:
    data = json.loads(files("entra_sandbox.graph").joinpath(name).read_text(encoding="utf-8"))
    assert set(data.get("activities", data)) <= set(operations())


def test_every_write_of_the_directory_has_its_activity_or_is_known_to_have_none() -> None:
    silent = {name for name in operations() if not name.startswith("GET ")} - audit.activities().keys()
    known = re.compile(
        r"/(get|check)Member|getByIds|/appManagementPolicies/|PATCH /domains|POST /directoryRoles$|"
        r"deletedItems/(policies|namedLocations)|members/\{\}$|manager/\$ref$"
    )
    assert [name for name in sorted(silent) if not known.search(name)] == []


def test_the_error_of_a_key_that_is_not_there_is_the_tables(admin: GraphClient) -> None:
    rows = dict(ROW.findall(PAGE.read_text(encoding="utf-8")))
    nobody = "00000000-0000-4000-8000-00000000dead"
    for name, cells in rows.items():
        method, path = name.split(" ", 1)
        if method != "GET" or path.count("{}") != 1 or not path.endswith("{}") or path.startswith("/me"):
            continue
        answer = admin.get(path.replace("{}", nobody))
        assert f"{answer.status_code} `{answer.json()['error']['code']}`" in cells, name
