"""The order for one action: which one, with which arguments, with whose token; checked before anything is sent.

An order holds no secret. Where a body needs one (a user's first password), the order says ``generate`` or names the
reference under which a secret store keeps it; the value comes into the request when it is sent.
"""

import json
import secrets
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, get_args

from runbook import catalog
from runbook.catalog import Action
from runbook.catalog.request import Request, paged, prepare
from runbook.errors import InputError, Problem, SecretStoreError
from runbook.secrets import Secret
from runbook.secrets.reference import Reference

Caller = Literal["application", "administrator", "stackone"]
_CALLERS: tuple[Caller, ...] = get_args(Caller)
ARGUMENTS = ("action", "path", "query", "body", "as_", "max_rows", "csv")
"""The names by which a notebook gives an order."""
CALLER: Caller = "stackone"
"""Who sends where nothing else is said: delegated permissions are what a choice has by default."""
GENERATE = "generate"
MAX_ROWS = 100
MOST_ROWS = 1_000_000
_SECRET_NAMES = ("password", "secrettext")


@dataclass(frozen=True)
class Order:
    """One action with checked arguments. ``caller``: whose token; ``max_rows``: of a list, fetched; ``csv``: a file for
    all of them."""

    request: Request
    caller: Caller
    max_rows: int
    csv: str = ""

    @property
    def action(self) -> Action:
        return self.request.action

    def body(self, value_of: Callable[[str, str], str]) -> dict[str, Any] | None:
        """The body to send: ``value_of(place, text)`` gives the secret for ``generate`` or for a reference."""
        if self.request.body is None:
            return None
        body: dict[str, Any] = json.loads(json.dumps(self.request.body))
        for place, holder, name in _secrets_in(body):
            holder[name] = value_of(place, holder[name])
        return body


def read(values: Mapping[str, Any]) -> Order:
    """The order that these arguments (:data:`ARGUMENTS`; None: not given) make.

    ``path``, ``query`` and ``body`` are mappings, or JSON text of one. Raises :class:`InputError` with every mistake.
    """
    problems: list[Problem] = []
    path, query, body = (_mapping(name, values.get(name), problems) for name in ("path", "query", "body"))
    caller = _caller(values.get("as_"), problems)
    rows = _rows(values.get("max_rows"), problems)
    file = values.get("csv") or ""
    if not isinstance(file, str) or (file and not Path(file).absolute().parent.is_dir()):
        problems.append(Problem("csv", "names no file in a folder that is there."))
    problems += [_exposed(place) for place, holder, name in _secrets_in(body or {}) if not _is_kept(holder[name])]
    request = _request(values.get("action"), path, query, body, problems)
    if problems or request is None:
        raise InputError(problems)
    return Order(paged(request, rows + 1), caller, rows, file)  # one more tells whether there are more


def secret_places(body: Mapping[str, Any] | None) -> list[str]:
    """Where in a body a secret stands, such as ``body.passwordProfile.password``."""
    return [place for place, _holder, _name in _secrets_in(dict(body or {}))]


def with_generated(body: dict[str, Any]) -> dict[str, Any]:
    """A copy of ``body`` in which every secret is to be made."""
    copied: dict[str, Any] = json.loads(json.dumps(body))
    for _place, holder, name in _secrets_in(copied):
        holder[name] = GENERATE
    return copied


def new_password() -> Secret:
    """A password that Entra ID takes: 24 random characters, with one of each kind that it asks for."""

    return Secret(secrets.token_urlsafe(18) + "aA1!")


def _request(name: Any, path: Any, query: Any, body: Any, problems: list[Problem]) -> Request | None:
    if not isinstance(name, str) or not name.strip():
        problems.append(Problem("action", "is missing.", "Name one, such as List Users; `runbook actions` lists all."))
        return None
    try:
        return prepare(catalog.action(name), path, query, body)
    except InputError as error:
        problems += [Problem(p.where, p.what, _without_passwords(p)) for p in error.problems]
        return None


def _without_passwords(problem: Problem) -> str:
    """The example of a missing body as one may write it here: no password, however made up."""
    if problem.where != "body" or "password'" not in problem.hint:
        return problem.hint
    return "Begin with the example that `runbook actions --json` has, its password as 'generate'."


def _mapping(name: str, value: Any, problems: list[Problem]) -> dict[str, Any] | None:
    if isinstance(value, str) and value.strip():
        try:
            value = json.loads(value)
        except ValueError:
            problems.append(Problem(name, "is not JSON.", 'Write it like {"name": "value"}.'))
            return None
    if value is None or value == "":
        return None
    if not isinstance(value, Mapping) or not all(isinstance(key, str) for key in value):
        problems.append(Problem(name, "must be names with values.", 'Write it like {"name": "value"}.'))
        return None
    try:
        json.dumps(value)
    except (TypeError, ValueError):
        problems.append(Problem(name, "holds something that JSON has no form for."))
        return None
    return dict(value)


def _caller(value: Any, problems: list[Problem]) -> Caller:
    for caller in _CALLERS:
        if value == caller:
            return caller
    if value is not None:
        problems.append(Problem("as_", "names no token.", f"Use {', '.join(_CALLERS)}."))
    return CALLER


def _rows(value: Any, problems: list[Problem]) -> int:
    if value is None:
        return MAX_ROWS
    if isinstance(value, bool) or not isinstance(value, int) or not 1 <= value <= MOST_ROWS:
        problems.append(Problem("max_rows", "is wrong.", f"It is a whole number from 1 to {MOST_ROWS}."))
        return MAX_ROWS
    return value


def _exposed(place: str) -> Problem:
    hint = f'Write "{GENERATE}", or the reference under which a secret store keeps it, such as file:people/ada.'
    return Problem(place, "holds a secret itself (its text is not shown).", hint)


def _is_kept(value: Any) -> bool:
    if value is None or value == GENERATE:
        return True
    try:
        return isinstance(value, str) and bool(Reference.parse(value))
    except SecretStoreError:
        return False


def _secrets_in(node: Any, place: str = "body") -> Iterator[tuple[str, dict[str, Any], str]]:
    """Place, holder and name of every member whose name says that it holds a secret, and which is not null."""
    if isinstance(node, list):
        for number, item in enumerate(node):
            yield from _secrets_in(item, f"{place}[{number}]")
    elif isinstance(node, dict):
        for name, value in node.items():
            if value is not None and not isinstance(value, dict | list) and name.lower().endswith(_SECRET_NAMES):
                yield f"{place}.{name}", node, name
            else:
                yield from _secrets_in(value, f"{place}.{name}")
