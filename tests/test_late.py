"""What libraries would do at their import waits until it is needed, and is then done."""

from __future__ import annotations

import subprocess
import sys


def said(code: str) -> str:
    return subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout


def test_the_grammar_of_iris_is_built_with_the_first_iri_and_judges_as_ever() -> None:
    code = (
        "import sys; from runbook import late; late.grammar(); from jsonschema import Draft202012Validator as V;"
        "print('lark' in sys.modules);"
        "judge = V({'format': 'iri'}, format_checker=V.FORMAT_CHECKER).is_valid;"
        "print(judge('http://a.example/b'), judge('no iri'))"
    )
    assert said(code) == "False\nTrue False\n"


def test_opening_the_keyring_starts_no_compiler() -> None:
    code = (
        "import sys; started = [];"
        "sys.addaudithook(lambda event, about: event == 'subprocess.Popen' and started.append(about[0]));"
        "from runbook.secrets.keyring_backend import keyring_problem; keyring_problem(); print(started)"
    )
    assert said(code) == "[]\n"
