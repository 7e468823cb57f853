"""The data files are checked when they are read, and a mistake is named with file and row."""

from __future__ import annotations

import copy
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from runbook import catalog
from runbook.catalog import loader
from runbook.errors import InputError

DATA = Path(loader.__file__).parent
ROWS: list[dict[str, Any]] = json.loads((DATA / "actions.json").read_text(encoding="utf-8"))["actions"]
PERMISSIONS: list[dict[str, Any]] = json.loads((DATA / "permissions.json").read_text(encoding="utf-8"))["permissions"]


def broken(index: int, **fields: Any) -> list[dict[str, Any]]:
    rows = copy.deepcopy(ROWS[:3])
    rows[index].update(fields)
    return rows


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        (broken(0, effect="burn"), "effect is 'burn'"),
        (broken(1, resource="Cats"), "resource is 'Cats'"),
        (broken(0, path="/users"), "the path has no parameter"),
        (broken(0, path="/users/{a}/{b}/{c}"), "parameters that are not described"),
        (broken(2, guide_scopes=["Cat.Read"]), "guide_scopes: unknown permission Cat.Read"),
        (broken(2, delegated={"least": ["User.Read"], "alternatives": [["Cat.Read"]]}), "not among the alternatives"),
        (broken(2, delegated={"least": ["Cat.Read"], "alternatives": [["Cat.Read"]]}), "unknown permissions Cat.Read"),
        (broken(2, delegated={"alternatives": []}), "incomplete or ill-typed: KeyError('least')"),
        (broken(1, slug=ROWS[0]["slug"]), "is there twice"),
        (broken(1, path_parameters=[{"nam": "x"}]), "incomplete or ill-typed"),
    ],
)
def test_a_mistake_in_an_action_is_named(rows: list[dict[str, Any]], message: str) -> None:
    with pytest.raises(InputError) as caught:
        loader._parse_actions(rows, catalog.permissions())
    assert message in str(caught.value)
    assert "actions.json: " in str(caught.value)


@pytest.mark.parametrize(
    ("fields", "message"),
    [({"power": 11}, "power is 11"), ({"colour": "red"}, "wrong fields"), ({"name": "User.Read"}, "is there twice")],
)
def test_a_mistake_in_a_permission_is_named(fields: dict[str, Any], message: str) -> None:
    rows = copy.deepcopy(PERMISSIONS)
    rows[0].update(fields)
    with pytest.raises(InputError, match=message):
        loader._parse_permissions(rows)


def test_a_type_that_is_not_supported_says_so_and_has_no_sets() -> None:
    row = {**ROWS[0], "application": {"supported": False, "note": "People only."}}
    access = loader._parse_actions([row], catalog.permissions())[0].application
    assert not access.supported
    assert access.alternatives == ()
    assert access.note == "People only."


def test_the_files_hold_no_field_that_nobody_reads() -> None:
    fields = {key for row in ROWS for key in row}
    assert fields <= set(catalog.Action.__slots__)


def test_importing_the_catalogue_loads_none_of_the_heavy_libraries() -> None:
    program = (
        "import sys; from runbook import catalog; catalog.compute(a.slug for a in catalog.actions()); "
        "print(' '.join(sorted({m.split('.')[0] for m in sys.modules})))"
    )
    loaded = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True).stdout.split()
    assert not set(loaded) & {"pydantic", "jsonschema", "httpx", "pandas", "rapidfuzz", "msal"}
