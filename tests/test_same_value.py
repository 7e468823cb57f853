"""A value means the same in every way of giving it, or is refused; it never means something else."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest
from entra_sandbox.server import running
from papermill import cli as papermill

from runbook.cli.choosing import told
from runbook.cli.options import Choice
from runbook.errors import InputError
from runbook.fleet import tenants
from runbook.notebook import inputs
from runbook.parameters import Parameters, load, parse
from tests.conftest import runner

REFUSED = object()
NUMBER, SWITCH, TEXT = "secret_lifetime_days", "purge", "application_name"
ROWS: list[tuple[str, str, Any]] = [
    *((NUMBER, text, 90) for text in ("90", "+90", " 90 ", "90 ")),
    *((NUMBER, text, REFUSED) for text in ("0x10", "1e3", "1_000", "0o10", "0b1", "12:30:45", "1.0")),
    *((NUMBER, text, REFUSED) for text in ("yes", "2024-01-02", "[90]", "{a: 90}", "-0", ".inf")),
    *((SWITCH, text, True) for text in ("yes", "on", "true", "True")),
    *((SWITCH, text, False) for text in ("no", "off", "false", "False")),
    *((SWITCH, text, REFUSED) for text in ("1", "0", "y", "ja", "12:30:45", "2024-01-02", "[yes]")),
    *((TEXT, text, text) for text in ("0100", "0x10", "1_000", "12:30:45", "2024-01-02", "2024-13-45", "0o10", "x ٠")),
    *((TEXT, text, text) for text in ("yes", "90", "1e3", "+1")),
    ("actions", "List Users,Get Group", ("get_group", "list_users")),
    ("permission_types", "delegated, application", ("delegated", "application")),
    ("actions", "List Usrs", REFUSED),
]

PAPERMILLS = ("0100", "1:30", "0x5A", "0b1011010", "9_0", "9٠", "９0")
"""Numbers that papermill makes something else of before a notebook sees them (docs/falls-short.md)."""
TAGGED = {
    NUMBER: ("!!int 0100", "!!int 0x40", "!!int 1:30", "!!int 9_0", "!!float 90"),
    SWITCH: ("!!bool maybe", "!!null yes", "!!int 1"),
}
"""What YAML makes by a tag of a value that means something else without it, or fails to make."""


def by_yaml(name: str, text: str, folder: Path) -> Any:
    (folder / "p.yaml").write_bytes(f"\ufeff{name}: {text}\r\n".encode())
    return getattr(load(folder / "p.yaml"), name)


def by_json(name: str, text: str, folder: Path) -> Any:
    """JSON has types of its own: a number, a switch, else text."""
    value = json.loads(text.lower()) if text.strip() in ("90", "True", "False", "true", "false") else text
    (folder / "p.json").write_text(json.dumps({name: str(value) if name == TEXT else value}))
    return getattr(load(folder / "p.json"), name)


def by_set(name: str, text: str, _folder: Path) -> Any:
    values, problems = told(Choice(set_=[f"{name}={text}"]))
    assert not problems
    return getattr(parse(values), name)


def by_table(name: str, text: str, folder: Path) -> Any:
    ready = json.loads((folder / "ready.json").read_text())
    (folder / "t.csv").write_bytes(f'\ufefftenant_id,{name}\r\n{ready["tenant_id"]},"{text}"\r\n'.encode())
    (found,) = tenants.read(folder / "t.csv", {"sandbox_file": str(folder / "ready.json")})
    return getattr(found.params, name)


def by_papermill(*flags: str) -> Callable[[str, str, Path], Any]:
    """Papermill's own command reads what it is given; the notebook gets what it makes of that."""

    def read(name: str, text: str, folder: Path) -> Any:
        line = f"{name}: {text}\n"
        (folder / "f.yaml").write_text(line)
        whole = {"-f": str(folder / "f.yaml"), "-y": line, "-b": base64.b64encode(line.encode()).decode()}
        arguments = [flags[0], whole[flags[0]]] if flags[0] in whole else [flags[0], name, text]
        handed: dict[str, Any] = {}
        keep = pytest.MonkeyPatch()
        with keep.context() as patch:
            patch.setattr(papermill, "execute_notebook", lambda **given: handed.update(given["parameters"]))
            patch.chdir(folder)
            papermill.papermill.main(args=["in.ipynb", "out.ipynb", *arguments], standalone_mode=False)
            return getattr(inputs.read({**handed}).params, name)

    return read


WAYS: Mapping[str, Callable[[str, str, Path], Any]] = {
    "a file of YAML": by_yaml,
    "a file of JSON": by_json,
    "--set": by_set,
    "a cell of a fleet's table": by_table,
    **{f"papermill {flag}": by_papermill(flag) for flag in ("-p", "-r", "-y", "-f", "-b")},
}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Any:
    found = tmp_path_factory.mktemp("values")
    with running(found / "state.sqlite3") as ready:
        (found / "ready.json").write_text(json.dumps(ready))
        yield found


@pytest.mark.parametrize("way", WAYS.values(), ids=WAYS.keys())
def test_a_value_means_the_same_or_is_refused(way: Callable[[str, str, Path], Any], folder: Path) -> None:
    taken = 0
    for name, text, means in ROWS:
        try:
            found = way(name, text, folder)
        except InputError:
            continue
        assert means is not REFUSED, (name, text, found)
        assert found == means, (name, text)
        taken += 1
    assert taken > 10


@pytest.mark.parametrize("way", [by_yaml, by_json, by_set, by_table], ids=lambda way: way.__name__)
def test_no_notation_of_programmers_is_a_number(way: Callable[[str, str, Path], Any], folder: Path) -> None:
    for name, text in (
        (name, text) for name, texts in {**TAGGED, NUMBER: (*PAPERMILLS, *TAGGED[NUMBER])}.items() for text in texts
    ):
        with pytest.raises(InputError):
            way(name, text, folder)


def test_a_number_and_a_switch_are_taken_in_every_way(folder: Path) -> None:
    for way in WAYS.values():
        assert (way(NUMBER, "90", folder), way(SWITCH, "True", folder)) == (90, True)
    for name in ("-r", "-p"):
        assert WAYS[f"papermill {name}"](SWITCH, "yes", folder) is True


@pytest.mark.parametrize(
    ("name", "text"),
    [("p.yaml", "\npurge: 1\nhunter2: 1\nhunter2: 2"), ("p.json", '{"hunter2": 1,\n\n\n"hunter2": 2}')],
)
def test_a_name_that_is_there_twice_is_refused_by_its_line(name: str, text: str, tmp_path: Path) -> None:
    """It is not repeated: a secret may have been pasted there."""
    (tmp_path / name).write_text(text)
    with pytest.raises(InputError, match="line 4: has a name that is there twice") as refused:
        load(tmp_path / name)
    assert "hunter2" not in str(refused.value)


SECRET = "abc8Q~Wrong.secret_value-00000000000000"
WRONG = {
    "p.yaml": f"actions: [List Users]\nclient_id: '{SECRET}\n",
    "q.yaml": f"{SECRET}: 1\n{SECRET}: 2\n",
    "r.yaml": f"{SECRET}\n",
    "s.yaml": f"client_id: *{SECRET}\n",
    "t.yaml": f"{SECRET}: 1\n",
    "p.json": f'{{"client_id": "{SECRET}',
    "q.json": f'{{"{SECRET}": 1, "{SECRET}": 2}}',
    "r.json": f'"{SECRET}"',
}


@pytest.mark.parametrize("name", WRONG)
def test_a_file_that_is_wrong_where_its_secret_stands_does_not_repeat_it(name: str, tmp_path: Path) -> None:
    (tmp_path / name).write_text(WRONG[name])
    done = runner(tmp_path, tmp_path)("plan", "--parameters", name, "--traceback")
    assert (done.returncode, SECRET in done.stdout + done.stderr) == (2, False)


def test_what_papermill_says_of_its_paths_is_no_parameter(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    paths = {"PAPERMILL_INPUT_PATH": "in.ipynb", "PAPERMILL_OUTPUT_PATH": "out.ipynb"}
    assert inputs.read({**paths}).params == Parameters()


def test_a_secret_in_the_environment_is_not_repeated(tmp_path: Path) -> None:
    command = runner(tmp_path, tmp_path)
    for variable in ("RUNBOOK_SECRETS_DIR", "XDG_DATA_HOME"):
        done = command("secrets", "set", "file:x/y", given="v", **{variable: f"/proc/{SECRET}"})
        assert (done.returncode, SECRET in done.stdout + done.stderr) == (1, False)
    done = command("plan", "--json", RUNBOOK_SANDBOX=SECRET)
    assert (done.returncode, SECRET in done.stdout + done.stderr) == (2, False)
