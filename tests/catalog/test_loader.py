"""The data files hold together: what the rest of the program relies on is true of every row."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

from runbook import catalog
from runbook.catalog import loader
from runbook.catalog.model import EFFECTS

DATA = Path(loader.__file__).parent
ROWS: list[dict[str, Any]] = json.loads((DATA / "actions.json").read_text(encoding="utf-8"))["actions"]
PERMISSIONS: list[dict[str, Any]] = json.loads((DATA / "permissions.json").read_text(encoding="utf-8"))["permissions"]


def test_no_action_and_no_permission_is_there_twice() -> None:
    assert len(catalog.actions()) == len({row["slug"] for row in ROWS}) == len(ROWS)
    assert len(catalog.permissions()) == len(PERMISSIONS)
    assert {permission.power for permission in catalog.permissions().values()} <= set(catalog.power_words())


def test_effects_resources_and_permissions_are_known_ones() -> None:
    for action in catalog.actions():
        assert action.effect in EFFECTS
        assert action.resource in loader.resources()
        assert set(action.guide_scopes or ()) <= set(catalog.permissions())
        for _kind, access in action.accesses():
            assert not access.supported or access.least in access.alternatives, action.slug
            assert {name for names in access.alternatives for name in names} <= set(catalog.permissions())


def test_presets_name_actions_of_the_catalogue() -> None:
    for preset in catalog.presets().values():
        assert preset.actions
        assert set(preset.actions) <= {action.slug for action in catalog.actions()}


def test_a_type_that_is_not_supported_says_so_and_has_no_sets() -> None:
    access = loader._action({**ROWS[0], "application": {"supported": False, "note": "People only."}}).application
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
