"""The promises of the project's own files: light imports, arrows that go down, documents that cannot lie."""

from __future__ import annotations

import json
import re
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from tests.arrows import Package
from tests.conftest import Runner

ROOT = Path(__file__).resolve().parent.parent
README = (ROOT / "README.md").read_text(encoding="utf-8")
SANDBOX = tomllib.loads((ROOT / "sandbox" / "pyproject.toml").read_text(encoding="utf-8"))["project"]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
HEAVY = (
    *("pandas", "papermill", "msal", "ipywidgets", "httpx", "jupyter_client", "nbformat", "starlette"),
    *("dask", "distributed", "fsspec"),
)


@pytest.mark.parametrize(
    "module", ["runbook", "runbook.cli.app", "runbook.cli.screen", "runbook.parameters", "runbook.catalog"]
)
def test_importing_it_brings_no_heavy_library(module: str) -> None:
    code = f"import sys, json, {module}; print(json.dumps(sorted(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert not {name for name in json.loads(done.stdout) if name.split(".")[0] in HEAVY}


# From the ground floor to the roof: a room uses what stands before it, and nothing after it.
ROOMS = (
    *(
        "version",
        "late",
        "words",
        "data",
        "errors",
        "whole",
        "redirect_rules",
        "mapping_file",
        "rehearsal",
        "run_socket",
    ),
    *("catalog", "secrets", "parameters", "records", "clients", "frames", "actions", "tenant", "proof", "sections"),
    *("operations", "runs", "fleet", "widgets", "notebook", "cli"),
    *("face", "__main__"),
)


@pytest.fixture(scope="module")
def house() -> Package:
    return Package(ROOT / "runbook")


def test_every_room_has_its_place_and_every_arrow_goes_down(house: Package) -> None:
    assert house.rooms() == set(ROOMS)
    assert not house.against(ROOMS)


def test_the_architecture_page_lists_the_rooms_in_their_order() -> None:
    page = (ROOT / "docs" / "architecture.md").read_text(encoding="utf-8")
    assert tuple(re.findall(r"^\d+\. `(\w+)`: .", page, re.MULTILINE)) == ROOMS


def test_every_file_that_the_page_on_changes_names_is_there() -> None:
    page = (ROOT / "docs" / "how-to-change.md").read_text(encoding="utf-8")
    named = re.findall(r"`((?:runbook|sandbox|tests)/[\w/.]*)`", page)
    assert len(named) > 10
    assert not [name for name in named if not (ROOT / name).exists()]


def test_no_files_of_the_house_go_round_in_a_circle(house: Package) -> None:
    assert not house.circle()


def test_one_module_knows_the_emulator_and_the_emulator_nothing_of_the_house(house: Package) -> None:
    assert house.foreign("entra_sandbox") == {"runbook.rehearsal"}


def test_the_readme_begins_with_exactly_two_commands() -> None:
    first = re.search(r"```\w*\n(.*?)```", README, re.DOTALL)
    assert first
    lines = first[1].strip().splitlines()
    assert len(lines) == 2
    assert lines[0].endswith("runbook run")
    assert lines[1].removeprefix("bash ") in (ROOT / ".ci" / "run").read_text(encoding="utf-8")


def commands(runner: Runner, *path: str) -> Iterator[tuple[str, ...]]:
    shown = runner(*path, "--help").stdout
    names = re.findall(r"^│ ([a-z][a-z-]*[a-z])\s{2,}", shown, re.MULTILINE) if "COMMAND [ARGS]" in shown else []
    if not names:
        yield path
    for name in names:
        yield from commands(runner, *path, name)


def test_every_command_has_its_line_in_the_book(command: Runner) -> None:
    found = list(commands(command))
    assert len(found) >= 10
    page = (ROOT / "docs" / "reference" / "commands.md").read_text(encoding="utf-8")
    assert not [" ".join(path) for path in found if f"`runbook {' '.join(path)}" not in page]


def test_the_readme_is_one_screen() -> None:
    assert len(README.splitlines()) <= 80


def test_every_notebook_and_every_document_that_the_readme_names_is_there() -> None:
    for name in re.findall(r"`(0\d_\w+)`", README):
        assert (ROOT / "notebooks" / f"{name}.ipynb").is_file()
    for target in re.findall(r"\]\((?!https?:)([^)#]+)", README):
        assert (ROOT / target).is_file(), target


def test_the_conda_environment_asks_for_the_same_packages() -> None:
    listed = yaml.safe_load((ROOT / "environment.yml").read_text(encoding="utf-8"))["dependencies"]
    conda = {item for item in listed if isinstance(item, str)} - {"pip"}
    from_pypi = {*PROJECT["dependencies"], *SANDBOX["dependencies"]} - {f"entra-sandbox=={SANDBOX['version']}"}
    assert conda == {*from_pypi, f"python{PROJECT['requires-python']}"}


def test_the_changelog_names_the_version() -> None:
    assert "## Unreleased" in (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")


def test_switching_off_tls_verification_occurs_nowhere() -> None:
    forbidden = ("verify" + "=False", "CERT" + "_NONE", "_create_unverified" + "_context")
    for path in [*ROOT.glob("runbook/**/*.py"), *ROOT.glob("tests/**/*.py"), *ROOT.glob("notebooks/**/*.ipynb")]:
        assert not [word for word in forbidden if word in path.read_text(encoding="utf-8")], path
