"""What ``docs/how-to-change.md`` promises, done in a copy of the tree: so many files, and everything else follows."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from runbook.sections import NAMES

ROOT = Path(__file__).resolve().parent.parent


class Copy:
    """A copy of the tree, in which files are changed, counted, and tried by an interpreter of their own."""

    def __init__(self, root: Path) -> None:
        self.root = root
        for name in ("runbook", "notebooks", "sandbox"):
            shutil.copytree(ROOT / name, root / name, ignore=shutil.ignore_patterns("__pycache__"))

    def write(self, name: str, text: str) -> None:
        (self.root / name).write_text(text, encoding="utf-8")

    def replace(self, name: str, old: str, new: str) -> None:
        text = (self.root / name).read_text(encoding="utf-8")
        assert text.count(old) == 1
        self.write(name, text.replace(old, new))

    def add(self, name: str, of: str, row: dict[str, Any]) -> None:
        """A row to a data file that has its rows in a list, or in a mapping by ``slug``."""
        document = json.loads((self.root / name).read_text(encoding="utf-8"))
        if isinstance(document[of], list):
            document[of] = sorted([*document[of], row], key=lambda each: each["name"])
        else:
            document[of][row["slug"]] = {key: value for key, value in row.items() if key != "slug"}
        self.write(name, json.dumps(document))

    def tries(self, code: str) -> str:
        paths = os.pathsep.join((str(self.root), str(self.root / "sandbox")))
        env = {**os.environ, "PYTHONPATH": paths, "RUNBOOK_SECRETS_DIR": str(self.root / "kept")}
        command = [sys.executable, "-c", code]
        done = subprocess.run(command, cwd=self.root, env=env, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
        return done.stdout


@pytest.fixture
def copy(tmp_path: Path) -> Copy:
    return Copy(tmp_path)


SHELF = """
from runbook.secrets.secret import Secret

_kept: dict[tuple[str, str], Secret] = {}


class Shelf:
    def __init__(self, place: str) -> None:
        self._place = place

    def place(self, name: str) -> str:
        return name if name.startswith(self._place + "/") else f"{self._place}/{name}"

    def put(self, name: str, secret: Secret) -> None:
        _kept[self._place, self.place(name)] = secret

    def get(self, name: str) -> Secret | None:
        return _kept.get((self._place, self.place(name)))

    def delete(self, name: str) -> bool:
        return _kept.pop((self._place, self.place(name)), None) is not None

    def describe(self) -> str:
        return "a shelf"
"""

USES_SHELF = """
from runbook import parameters
from runbook.errors import InputError
from runbook.records import redaction
from runbook.secrets import Secret
from runbook.secrets.stores import open_store

choice = parameters.parse({"secret_store": "shelf:oak", "signing_key_ref": "shelf:oak/signing"})
ref = open_store(choice.secret_store).put("api-key", Secret("a value that nobody sees"))
assert ref == "shelf:oak/api-key"
assert open_store("file").get(ref).reveal() == "a value that nobody sees"
assert redaction.scrub({"api_key": ref}) == {"api_key": ref}
assert redaction.scrub_text(f'client_secret = "{ref}"') == f'client_secret = "{ref}"'
assert not redaction.find(f'"client_secret": "{ref}"')
try:
    parameters.parse({"secret_store": "shelf"})
except InputError as error:
    print(error)
"""


def test_a_secret_store_is_one_module_and_one_row(copy: Copy) -> None:
    copy.write("runbook/secrets/shelf.py", SHELF)
    row = '    Kind("shelf", "shelf:Shelf", place="[a-z]+", shown="<name>"),\n'
    copy.replace("runbook/secrets/reference.py", "KINDS = (\n", "KINDS = (\n" + row)
    assert "shelf:<name>" in copy.tries(USES_SHELF)


SLUG = "list_subscribed_skus"
SETS = [["LicenseAssignment.Read.All"], ["Organization.Read.All"], ["Directory.Read.All"]]
ROW: dict[str, Any] = {
    **{"slug": SLUG, "name": "List Subscribed SKUs", "stackone_id": f"microsoftentraid_{SLUG}"},
    **{"resource": "Organization", "summary": "Lists the subscriptions of the tenant.", "effect": "read"},
    **{"method": "GET", "path": "/subscribedSkus", "query": ["$select"], "success": [200], "guide_scopes": None},
    "paging": {"next_link": False, "default_top": None, "max_top": None},
    **{kind: {"least": SETS[0], "alternatives": SETS} for kind in ("delegated", "application")},
    "docs_page": "https://learn.microsoft.com/graph/api/subscribedsku-list?view=graph-rest-1.0",
}
FACT = {
    **{"slug": SLUG, "name": ROW["name"], "method": "GET", "path": "/subscribedSkus", "query": "$select"},
    **{kind: " | ".join(names[0] for names in SETS) for kind in ("delegated", "application")},
    "who": "members",
}

USES_ACTION = f'''
from pathlib import Path

from entra_sandbox import facts
from entra_sandbox.server import running
from entra_sandbox.stackone.actions import id_of

from runbook import catalog, parameters
from runbook.actions import call
from runbook.proof.recipes import recipes
from runbook.sections import NAMES, section
from runbook.tenant.base import open_context, run_section

new = catalog.action("List Subscribed SKUs")
assert id_of(facts.actions()["{SLUG}"]) == new.stackone_id
assert facts.actions().keys() == {{action.slug for action in catalog.actions()}} == recipes().probes.keys()
assert new.slug in catalog.presets()["everything"].actions
assert catalog.compute(["{SLUG}"], ("application",)).application.names == ("LicenseAssignment.Read.All",)
with running(Path("state.db")) as ready:
    Path("ready.json").write_text(__import__("json").dumps(ready))
    choice = parameters.parse({{"sandbox_file": "ready.json", "secret_store": "file", "actions": ["{SLUG}"],
                               "permission_types": ["delegated", "application"]}})
    with open_context(choice) as ctx:
        results = [run_section(ctx, section(name), apply=True) for name in NAMES]
        assert len(call(ctx.graph, "{SLUG}").frame())
(action,) = results[-1].facts["actions"]
roads = ("delegated", "application", "stackone")
print([result.verdict for result in results], {{road: action[road]["used"] for road in roads}})
'''


def test_a_further_action_is_three_rows_of_data_and_is_proven_on_every_road(copy: Copy) -> None:
    copy.add("runbook/catalog/actions.json", "actions", ROW)
    copy.add("sandbox/entra_sandbox/facts/actions.json", "actions", FACT)
    copy.add("runbook/proof/probes.json", "probes", {"slug": SLUG})
    said = copy.tries(USES_ACTION)
    assert said.count("passed") == len(NAMES)
    assert "{'delegated': True, 'application': True, 'stackone': True}" in said


WORTH = '''"""Section 9."""

from collections.abc import Sequence

from runbook.sections import about
from runbook.tenant.changes import Change, Evidence
from runbook.tenant.base import Context

NAME, NUMBER, TITLE, SUMMARY, PORTAL = about("hand_in")


def read(ctx: Context) -> None:
    return None


def plan(ctx: Context, observed: None) -> list[Change]:
    return []


def apply(ctx: Context, changes: Sequence[Change]) -> None:
    """Nothing to do."""


def verify(ctx: Context) -> Evidence:
    return Evidence(True)
'''


def test_a_further_section_is_one_module_one_notebook_and_its_texts(copy: Copy) -> None:
    copy.write("runbook/sections/hand_in.py", WORTH)
    texts = '{"title": "Hand it in", "summary": "Says that it is over.", "portal": "There is no such page."}'
    copy.replace("runbook/sections/texts.json", 'works."\n  }\n}', f'works."\n  }},\n  "hand_in": {texts}\n}}')
    book = (copy.root / "notebooks" / "08_verify_actions.ipynb").read_text(encoding="utf-8")
    copy.write("notebooks/09_hand_in.ipynb", book.replace("verify_actions", "hand_in"))
    code = """
from pathlib import Path
from runbook import parameters
from runbook.cli.options import ALL_SECTIONS
from runbook.runs.run import plan
from runbook.runs.provenance import notebook
from runbook.sections import section
from runbook.tenant.base import open_context, run_section
choice = parameters.parse({"secret_store": "file"})
with open_context(choice) as ctx:
    result = run_section(ctx, section("hand_in"), apply=True)
print(ALL_SECTIONS, result.verdict, notebook("hand_in").name, plan(choice).titles["hand_in"])
"""
    assert copy.tries(code) == "1..9 passed 09_hand_in.ipynb Hand it in\n"


CONTRACTS = """
from entra_sandbox.graph.registry import register
from entra_sandbox.graph.resource import Resource

told = {"displayName": "String?"}
register(Resource(path="contracts", entity="contract", properties=told, operations=("list",), page=0, advanced=False))
"""

USES_CONTRACTS = """
import json
from pathlib import Path

import httpx
from entra_sandbox.server import running

with running(Path("state.db")) as ready, httpx.Client(verify=ready["ca_file"]) as client:
    secret = Path(ready["client_secret_file"]).read_text().strip()
    form = {"client_id": ready["client_id"], "client_secret": secret, "grant_type": "client_credentials"}
    form["scope"] = "https://graph.microsoft.com/.default"
    token = client.post(f"{ready['authority']}/{ready['tenant_id']}/oauth2/v2.0/token", data=form).json()
    bearer = {"Authorization": "Bearer " + token["access_token"]}
    found = client.get(ready["graph"] + "/v1.0/contracts", headers=bearer)
    wrong = client.get(ready["graph"] + "/v1.0/contracts?$filter=price%20eq%201", headers=bearer)
print(found.status_code, found.json()["value"], wrong.status_code)
"""


def test_a_resource_of_the_emulators_graph_is_one_module_and_its_row(copy: Copy) -> None:
    copy.write("sandbox/entra_sandbox/graph/resources/contracts.py", CONTRACTS)
    sets = '[["Directory.Read.All"]]'
    access = f'{{"who": "members", "delegated": {sets}, "application": {sets}}}'
    row = f'"operations": {{"GET /contracts": {access},'
    copy.replace("sandbox/entra_sandbox/graph/operations.json", '"operations": {', row)
    assert copy.tries(USES_CONTRACTS) == "200 [] 400\n"


def test_a_column_of_the_plan_is_one_row(copy: Copy) -> None:
    copy.replace(
        "runbook/words.py", '_Column("Note", "note"),', '_Column("Note", "note"),\n    _Column("Data", "hashed"),'
    )
    code = """
from runbook import parameters, words
from runbook.runs.run import plan
changes = plan(parameters.parse({"secret_store": "file"})).changes["select_actions"]
titles, rows = words.plan_table(change.shown() for change in changes)
print(titles[-1], rows[0][-1] == changes[0].hashed)
"""
    assert copy.tries(code) == "Data True\n"


def test_what_an_answer_means_is_one_row(copy: Copy) -> None:
    row = {
        **{"name": "tired", "when": {"service": ["graph"], "status": [418]}, "cause": "Graph is a teapot."},
        **{"who": "nobody", "remedy": "Make tea.", "source": "RFC 2324"},
    }
    copy.replace("runbook/clients/answers.json", '"rows": [', f'"rows": [{json.dumps(row)},')
    code = """
from runbook.clients.graph import graph_error
from runbook.clients.answers import told
from runbook.clients.http import Answer
print(told(graph_error(Answer(418, {}, "", {"error": {"code": "x", "message": "y"}}), "GET", "/me")))
"""
    assert "Make tea." in copy.tries(code)
