"""What is installed is what was looked at: pinned, hashed, free to use, and the same for all."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator
from importlib.metadata import Distribution, distribution, distributions
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
LOCKS = {name: (ROOT / name).read_text(encoding="utf-8") for name in ("requirements.lock", "tests/requirements.lock")}
HOUSE, SANDBOX = (
    tomllib.loads((ROOT / name).read_text(encoding="utf-8"))["project"]
    for name in ("pyproject.toml", "sandbox/pyproject.toml")
)
PIN = re.compile(r"^([\w.-]+)==(\S+?)(?: ;.*?)?((?: \\\n    --hash=sha256:[0-9a-f]{64})+)$", re.MULTILINE)
# Licences under which anybody may use and pass on a library, also in a product of their own; MPL's per file.
FREE = re.compile(
    r"\b(MIT|MIT-0|BSD|0BSD|Apache|ISC|ISCL|MPL|Mozilla Public|PSF|Python Software|Zlib|CC0)\b", re.IGNORECASE
)
BOUND = re.compile(r"\bA?GPL", re.IGNORECASE)
# Of several licences, looked at: what is installed of it is in the public domain or under BSD; its file under GPL, a
# mode of Emacs, is not in the wheel. Only the book's build uses it.
LOOKED_AT = {"docutils": "rst.el"}


def canonical(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def pins(lock: str) -> set[tuple[str, str]]:
    return {(canonical(name), version) for name, version, _ in PIN.findall(lock)}


@pytest.mark.parametrize("name", LOCKS)
def test_every_line_of_a_lock_is_a_version_with_hashes_and_names_no_address(name: str) -> None:
    lock = LOCKS[name]
    assert PIN.sub("", lock).strip() == ""
    assert "://" not in lock


def test_those_who_test_get_the_same_versions_as_those_who_run_it() -> None:
    run, test = (pins(lock) for lock in LOCKS.values())
    assert run < test


def test_the_locks_hold_every_package_that_is_asked_for() -> None:
    run, test = ({name for name, _ in pins(lock)} for lock in LOCKS.values())
    extras = [item for extra in HOUSE["optional-dependencies"].values() for item in extra]
    for asked, locked in (([*HOUSE["dependencies"], *SANDBOX["dependencies"]], run), (extras, test)):
        names = {canonical(re.split(r"[<>=~ ;\[]", item)[0]) for item in asked} - {"entra-sandbox"}
        assert names <= locked


def test_ci_and_the_readme_install_with_hashes_required() -> None:
    for name in ("README.md", "tests/run"):
        text = (ROOT / name).read_text(encoding="utf-8")
        assert "--require-hashes -r" in text
        assert not [
            line for line in text.splitlines() if "pip install" in line and "lock" in line and "hashes" not in line
        ]


def test_every_library_that_is_installed_by_the_locks_is_free_to_use() -> None:
    locked = {name for lock in LOCKS.values() for name, _ in pins(lock)}
    installed = [one for one in distributions() if canonical(one.name) in locked]
    assert len(installed) > 100
    assert not [
        f"{one.name}: {licence}"
        for one in installed
        if not free(licence := " | ".join(licences(one))) and canonical(one.name) not in LOOKED_AT
    ]
    for name, bound in LOOKED_AT.items():
        assert not [file for file in distribution(name).files or () if file.name == bound]


def licences(one: Distribution) -> Iterator[str]:
    if expression := one.metadata.get("License-Expression"):
        yield expression
    yield from (text for text in one.metadata.get_all("Classifier") or [] if text.startswith("License ::"))
    yield (one.metadata.get("License") or "")[:200]
    for name in one.metadata.get_all("License-File") or []:
        yield (one.read_text(f"licenses/{name}") or "").partition("\n")[0]


def free(licence: str) -> bool:
    return FREE.search(licence) is not None and BOUND.search(licence) is None
