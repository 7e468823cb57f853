"""What ``docs/how-to-change.md`` promises, done in a copy of the tree: so many files, and everything else follows."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

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
    copy.replace("runbook/secrets/kinds.py", "KINDS = (\n", "KINDS = (\n" + row)
    assert "shelf:<name>" in copy.tries(USES_SHELF)
