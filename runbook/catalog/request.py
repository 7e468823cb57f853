"""From an action and its arguments to a Microsoft Graph request, with every mistake named before anything is sent."""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, TypeAlias
from urllib.parse import quote

from runbook.catalog import names
from runbook.catalog.body import body_problems, close
from runbook.catalog.model import Action, Shape
from runbook.errors import InputError, Problem

_GUID = r"[0-9a-fA-F]{8}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{12}"
_SHAPES: dict[Shape, tuple[re.Pattern[str], str]] = {
    "guid": (re.compile(_GUID), "a GUID such as 11111111-2222-4333-8444-555555555555"),
    "guid-or-upn": (
        re.compile(rf"{_GUID}|[^@\s/?\\]+@[^@\s/?\\]+\.[^@\s/?\\]+"),
        "a GUID, or a user principal name such as ada@contoso.com",
    ),
    "domain-name": (
        re.compile(
            r"(?=.{4,253}$)([A-Za-z0-9]([A-Za-z0-9-]{0,61}[A-Za-z0-9])?\.)+[A-Za-z]([A-Za-z0-9-]{0,61}[A-Za-z0-9])"
        ),
        "a domain name such as contoso.com",
    ),
    "opaque": (re.compile(r"[A-Za-z0-9_\-]{8,}=*"), "an id as Graph gave it: letters, digits, - and _"),
    "text": (re.compile(r"\S(.*\S)?"), "a text that is not empty"),
}
_ALTERNATE_SHAPES: dict[str, Shape] = {"appId": "guid", "deviceId": "guid", "roleTemplateId": "guid"}
_ALTERNATE_SHAPES["uniqueName"] = "text"
_EVENTUAL_FILTER = re.compile(
    r"\bne\b|\bnot\b|\bnull\b|\bendswith\s*\(|/\$count\b|\b(companyName|employee(HireDate|Type)|mobilePhone|officeLocation"
    r"|passwordPolicies|postalCode|preferredLanguage|streetAddress|onPremises(ImmutableId|LastSyncDateTime|SamAccountName))\b",
    re.IGNORECASE,
)
_PLAIN_ORDER = re.compile(r"(displayName|userPrincipalName)(\s+(asc|desc))?", re.IGNORECASE)
_MOST = 999_999_999
LARGEST_PAGE = 999
"""Objects of a page at most (learn.microsoft.com/graph/query-parameters, "top")."""
_QUOTED = re.compile(r"'(?:[^']|'')*'")


@dataclass(frozen=True)
class Request:
    """A checked request: ``path`` is relative to ``/v1.0`` and percent-encoded, ``query`` and ``headers`` are text.

    ``path_values``: what fills the path, under the catalogue's names for the parameters.
    """

    action: Action
    method: str
    path: str
    query: Mapping[str, str] = field(default_factory=dict)
    headers: Mapping[str, str] = field(default_factory=dict)
    body: Mapping[str, Any] | None = None
    path_values: Mapping[str, str] = field(default_factory=dict)


def shape_words(shape: Shape) -> str:
    """What a path parameter of this shape looks like, in words with an example."""
    return _SHAPES[shape][1]


Given: TypeAlias = Mapping[str, Any] | None
"""What is given for the parameters of a request, by name."""


def prepare(action: Action | str, path: Given = None, query: Given = None, body: Any = None) -> Request:
    """The request for these arguments. Raises InputError that names every mistake; nothing is sent.

    ``path``: parameter -> value, or the key of an alternate path (``appId``). ``query``: OData options with or without
    their ``$``. ``body``: JSON data.

    Advanced queries get ``$count=true`` and ``ConsistencyLevel: eventual``
    (learn.microsoft.com/graph/aad-advanced-queries). The header must be sent again with every next page.
    """
    item = names.action(action) if isinstance(action, str) else action
    problems: list[Problem] = []
    filled, values = _path(item, dict(path or {}), problems)
    options = _query(item, dict(query or {}), problems)
    problems.extend(body_problems(item, body))
    if problems:
        raise InputError(problems)
    headers: dict[str, str] = {}
    if item.advanced_queries and is_advanced(item.path, options):
        headers["ConsistencyLevel"] = "eventual"
        options["$count"] = "true"
    return Request(item, item.method, filled, options, headers, body or None, values)


def paged(request: Request, rows: int = LARGEST_PAGE) -> Request:
    """The same list in pages as large as Graph gives, or as ``rows`` need, where the action takes ``$top``."""
    if "$top" not in request.action.query or "$top" in request.query:
        return request
    return replace(request, query={**request.query, "$top": str(min(rows, LARGEST_PAGE))})


def filled(action: Action, path: Mapping[str, str], query: Mapping[str, str], body: Any) -> Request:
    """A request of values that need no check, such as those of a probe."""
    address = action.path
    for name, value in path.items():
        address = address.replace("{" + name + "}", quote(value, safe="@"))
    return Request(action, action.method, address, query, {}, body, path)


def _path(action: Action, values: dict[str, Any], problems: list[Problem]) -> tuple[str, dict[str, Any]]:
    """The path, and the values by the names of its parameters."""
    template, shapes = action.path, {parameter.name: parameter.shape for parameter in action.path_parameters}
    for alternate in action.alternate_paths:
        keys = re.findall(r"\{([^}]+)\}", alternate)
        if {_plain(key) for key in keys} <= {_plain(name) for name in values}:
            template, shapes = alternate, {key: _ALTERNATE_SHAPES.get(key, shapes.get(key, "text")) for key in keys}
            break
    given = {_parameter(name, shapes): value for name, value in values.items()}
    for name in sorted(set(given) - set(shapes)):
        problems.append(Problem(f"path.{name}", "is not a parameter of this action.", _choices(name, shapes)))
    for name, shape in shapes.items():
        if name not in given:
            problems.append(Problem(f"path.{name}", "is missing.", f"It is {_SHAPES[shape][1]}."))
            continue
        value = given[name]
        if not isinstance(value, str) or not _SHAPES[shape][0].fullmatch(value):
            problems.append(Problem(f"path.{name}", f"{value!r} has the wrong shape.", f"It is {_SHAPES[shape][1]}."))
            continue
        quoted = value.replace("'", "''") if f"'{{{name}}}'" in template else value
        template = template.replace(f"{{{name}}}", quote(quoted, safe="@"))
    return template, given


def _parameter(name: str, known: Iterable[str]) -> str:
    """``user_id`` and ``id`` (where there is only one) are taken for ``user-id``."""
    known = list(known)
    same = [item for item in known if _plain(item) == _plain(name)]
    return same[0] if same else known[0] if name == "id" and len(known) == 1 else name


def _plain(name: str) -> str:
    return name.replace("-", "_").lower()


def _query(action: Action, values: dict[str, Any], problems: list[Problem]) -> dict[str, str]:
    options: dict[str, str] = {}
    for name, value in values.items():
        option = "$" + name.removeprefix("$").lower()
        if option not in action.query:
            problems.append(Problem(f"query.{name}", "is not an option of this action.", _choices(name, action.query)))
            continue
        text = _option(action, option, value)
        if text.startswith("!"):
            problems.append(Problem(f"query.{option}", f"{value!r} is wrong.", text[1:]))
        else:
            options[option] = text
    if "$expand" in options and "$search" in options:
        problems.append(Problem("query.$expand", "cannot be combined with $search.", "Graph has no such query."))
    return options


def _option(action: Action, option: str, value: Any) -> str:
    """The option's value as text, or "!" and what would be right."""
    if option == "$count":
        text = str(value).lower()
        return text if text in ("true", "false") else "!It is true or false."
    if option in ("$top", "$skip"):
        low = 1 if option == "$top" else 0
        most = (action.paging.max_top if action.paging and option == "$top" else None) or _MOST
        text = "" if isinstance(value, bool) else str(value)
        good = re.fullmatch(r"[0-9]{1,9}", text) and low <= int(text) <= most
        return text if good else f"!It is a whole number from {low} to {most}."
    if isinstance(value, list | tuple) and option in ("$select", "$expand", "$orderby") and value:
        value = ",".join(str(part) for part in value)
    if not isinstance(value, str) or not value.strip():
        return "!It is a text that is not empty."
    if option == "$search" and not re.search(r'"[^"]+"', value):
        return '!Graph wants it quoted: "displayName:ada".'
    return value.strip()


def is_advanced(path: str, options: Mapping[str, str]) -> bool:
    """Whether directory objects need both ``ConsistencyLevel: eventual`` and ``$count=true`` for this query."""
    sorted_plainly = path in ("/users", "/groups") and _PLAIN_ORDER.fullmatch(options.get("$orderby", "").strip())
    outside_texts = _QUOTED.sub("''", options.get("$filter", ""))
    return (
        "$search" in options
        or options.get("$count", "").lower() == "true"
        or ("$orderby" in options and not (sorted_plainly and "$filter" not in options))
        or bool(_EVENTUAL_FILTER.search(outside_texts))
    )


def _choices(name: str, known: Iterable[str]) -> str:
    return close(name, known) or (f"There are {', '.join(known)}." if known else "It takes none.")
