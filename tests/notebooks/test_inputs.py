"""The names of a fresh kernel are the parameters; a mistake in any of them stops before the first request."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import pytest

from runbook.errors import InputError
from runbook.notebook import inputs

IPYTHON = {"In": [""], "Out": {}, "_": "", "_i1": "x", "_dh": [Path()], "exit": object(), "get_ipython": print}


@pytest.fixture(autouse=True)
def empty_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def kernel(**names: Any) -> dict[str, Any]:
    """The globals of a fresh kernel in which the parameters cell has run."""
    return {**IPYTHON, "notebook": math, "helper": len, **names}


def read(**names: Any) -> inputs.Inputs:
    return inputs.read(kernel(**names))


def test_what_nobody_sets_is_the_default() -> None:
    given = read(actions=None, target=None)
    assert given.params.target == "sandbox"
    assert not given.chosen
    assert given.record is None


def test_the_file_is_taken_when_it_is_there_and_the_notebook_wins_over_it() -> None:
    Path("parameters.yaml").write_text("actions: [List Users]\naccount_owner_id: file\n")
    given = read(account_owner_id="cell", actions=None)
    assert given.params.actions == ("list_users",)
    assert given.params.account_owner_id == "cell"
    assert given.chosen
    assert given.explicit == {"account_owner_id"}


def test_a_named_file_may_be_json_and_must_exist() -> None:
    Path("choice.json").write_text(json.dumps({"actions": ["Get User"]}))
    assert read(parameters_file="choice.json").params.actions == ("get_user",)
    with pytest.raises(InputError, match=r"absent\.yaml"):
        inputs.read({"parameters_file": "absent.yaml"})


def test_every_mistake_is_named_at_once() -> None:
    with pytest.raises(InputError) as caught:
        read(redirct_uri="https://x", target="nowhere", secret_lifetime_days="long", record=7)
    named = {problem.where for problem in caught.value.problems}
    assert named == {"redirct_uri", "target", "secret_lifetime_days", "record"}
    assert any("redirect_uri" in problem.hint for problem in caught.value.problems)


def test_variables_that_came_later_in_the_same_kernel_are_no_parameters() -> None:
    namespace = kernel(actions=["List Users"])
    inputs.read(namespace)
    namespace |= {"actions": ["Get User"], "my_own_table": [1, 2, 3]}
    again = inputs.read(namespace)
    assert again.params.actions == ("get_user",)


def test_a_mistyped_name_is_refused_in_every_run_of_its_cell_and_forgotten_once_it_is_corrected() -> None:
    namespace = kernel(actions=["List Users"])
    inputs.read(namespace)
    exec("redirct_uri: str = 'https://mistyped.example/callback'", namespace)
    with pytest.raises(InputError, match="redirct_uri"):
        inputs.read(namespace)
    namespace["redirect_uri"] = "https://right.example/callback"
    assert inputs.read(namespace).params.redirect_uri == "https://right.example/callback"


def test_nobody_is_there_outside_a_frontend() -> None:
    assert not read().attended
