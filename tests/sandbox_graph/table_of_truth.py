"""Makes ``sandbox/docs/graph.md`` from the declarations of the sandbox.

python -m tests.sandbox_graph.table_of_truth
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from importlib.resources import files
from pathlib import Path

from entra_sandbox.graph import access, audit, entities, schema
from entra_sandbox.graph.limits import limits
from entra_sandbox.graph.odata.rules import OPERATORS, rules
from entra_sandbox.graph.resource import Resource, Route
from entra_sandbox.graph.resources import RESOURCES
from entra_sandbox.graph.roles import templates

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "sandbox" / "docs" / "graph.md"
_PROSE = ROOT / "docs" / "sandbox" / "graph.md"
_SOURCE = re.compile(r"^\| `(/[^`]+)` \|[^|]*\| ([^|]+) \|$", re.MULTILINE)
_HEAD = """# Microsoft Graph in the sandbox: the table of truth

Made from the declarations by `python -m tests.sandbox_graph.table_of_truth`; a test holds it against them. One row an
operation:

- **Delegated**, **Application**: complete sets of permissions, any of which suffices (`+`: together, `,`: or); `-`:
  none. *as the user*: `Directory.AccessAsUser.All` too.
- **People**: who may do it with a delegated token, besides Global Administrator; *owners* of the object, *members* of
  the tenant, *role holders*.
- **Options** of a query: `f` `$filter`, `o` `$orderby`, `s` `$search`, `e` `$expand`, `t` `$top` (default/most), `c`
  `$count`; what takes which operator is below the table. `$select` is everywhere.
- **Errors** besides 401 `InvalidAuthenticationToken`, 403 for what the token or the person lacks, and 400 for
  ill-formed requests. **Audit**: the activity that it leaves in `directoryAudits`.
- **Sees**: `replica`: reads what has reached it (illnesses *lag*, *stale*, *ahead*); `newest`: what was written last.
- **State**: `as documented`: no deviation from the named pages is known; *simplified*: how; *not there* is listed at
  the end and answers 501. Operations of Microsoft Graph in no list here are unknown to the sandbox and answer 400.

Prose, and where each behaviour comes from: [docs/sandbox/graph.md](../../docs/sandbox/graph.md).
"""


def page() -> str:
    """The whole page."""
    sources = {path.lower(): text for path, text in _SOURCE.findall(_PROSE.read_text(encoding="utf-8"))}
    simplified = _data("simplified.json")
    parts = [_HEAD]
    by_path: dict[str, list[Resource]] = {}
    for resource in RESOURCES:
        by_path.setdefault(resource.path, []).append(resource)
    for path, resources in sorted(by_path.items(), key=lambda item: item[0].lower()):
        routes = [(resource, route) for resource in resources for route in entities.every_route(resource)]
        if not routes:
            continue
        main = next((one for one in resources if one.operations), resources[0])
        parts.append(f"\n## /{path}\n\nSource: {sources.get(f'/{path}'.lower(), 'unknown')}.\n")
        parts.append("| Operation | Delegated | Application | People | Options | Errors | Audit | Sees | State |")
        parts.append("|---|---|---|---|---|---|---|---|---|")
        parts += [_row(resource, route, simplified) for resource, route in sorted(routes, key=_order)]
        parts += _below(main)
    parts.append(
        "\n## Not there\n\nDocumented by Microsoft below these addresses; answers 501 `Sandbox_NotEmulated`.\n"
    )
    parts += [f"- `/{path}`: {', '.join(sorted(names))}" for path, names in sorted(_data("documented.json").items())]
    return "\n".join(parts) + "\n"


def operations() -> Iterator[str]:
    """Every operation as ``METHOD /path/{}``."""
    for resource in RESOURCES:
        for route in entities.every_route(resource):
            yield _name(resource, route)


def _row(resource: Resource, route: Route, simplified: Mapping[str, str]) -> str:
    name = _name(resource, route)
    operation = access.operations().get(route.access or name) if route.access is not None else None
    activity = audit.activities().get(name)
    state = f"simplified: {simplified[name]}" if name in simplified else "as documented"
    cells = [
        f"`{name}`",
        _sets(operation.delegated, operation.as_user) if operation else "by the object's kind",
        _sets(operation.application, False) if operation else "by the object's kind",
        _people(operation) if operation else "by the object's kind",
        _options(resource, route),
        ", ".join(_errors(resource, route)) or "-",
        activity.name.strip() if activity else "-",
        "newest" if route.method != "GET" or "delta" in name or "auditLogs" in name else "replica",
        state,
    ]
    return f"| {' | '.join(cells)} |"


def _sets(sets: access.Sets, as_user: bool) -> str:
    texts = list(dict.fromkeys(" + ".join(f"`{name}`" for name in sorted(one)) for one in sets))
    return ", ".join([*texts, *(["*as the user*"] if as_user else [])]) or "-"


def _people(operation: access.Operation) -> str:
    if not operation.delegated:
        return "-"
    names = {one["id"]: one["displayName"] for one in templates()}
    found = [*sorted(operation.also), *sorted(names[one] for one in operation.roles)]
    licence = ["(Entra ID P1)"] if operation.premium else []
    return " ".join([", ".join(found) or "Global Administrator alone", *licence])


def _options(resource: Resource, route: Route) -> str:
    if route.method != "GET":
        return "-"
    if route.handler is entities.list_:
        known = rules(resource.entity)
        links = [link.name for link in resource.links] + [row[0] for row in resource.rows]
        size = f"t ({resource.page}/{resource.page_max})" if resource.page else "everything at once"
        marks = ["f", "o", *(["s"] if known.search else []), *(["e"] if links else []), size, "c"]
        return " ".join(marks) + (" advanced" if resource.advanced else "")
    if route.handler is entities.get:
        return "e" if resource.links or resource.rows else "-"
    if route.path == "delta":
        return "f (id alone)"
    return "f t c" if not route.single and not route.path.endswith(("{}", "$count", "$value")) else "-"


def _errors(resource: Resource, route: Route) -> Iterator[str]:
    conditional = "identity/conditionalAccess" in resource.path
    if "{}" in route.path:
        yield "404 `NotFound`" if conditional else "404 `Request_ResourceNotFound`"
    if route.method in ("POST", "PATCH", "PUT"):
        yield "400 `BadRequest`" if conditional else "400 `Request_BadRequest`"
    if route.method == "POST" and resource.quota and route.handler is entities.create:
        yield "403 `Directory_QuotaExceeded`"
    if route.method == "GET" and route.handler is entities.list_ and not conditional:
        yield "400 `Request_UnsupportedQuery`"


def _below(resource: Resource) -> Iterator[str]:
    known = rules(resource.entity)
    if not known.open:
        groups: dict[frozenset[str], list[str]] = {}
        for name, operators in known.filter.items():
            groups.setdefault(operators, []).append(name)
        yield "\nFilters: " + "; ".join(
            f"{' '.join(sorted(operators, key=sorted(OPERATORS).index))}: {', '.join(sorted(names))}"
            for operators, names in groups.items()
        )
        advanced = sorted(
            f"{name} ({' '.join(sorted(ops)) if ops != OPERATORS else 'all'})" for name, ops in known.advanced.items()
        )
        if advanced:
            yield f"\nWith `ConsistencyLevel: eventual` and `$count=true` alone: {', '.join(advanced)}"
        yield f"\nSorted by: {', '.join(known.orderby) or '-'}" + (
            f"; advanced: {', '.join(known.orderby_advanced)}" if known.orderby_advanced else ""
        )
    inside = dict.fromkeys(one.name for one in schema.entity(resource.entity).properties.values())
    for entity in (resource.entity, *inside):
        if (found := limits().get(entity)) is None:
            continue
        texts = [f"{name} {most}" for name, most in sorted(found.longest.items())]
        texts += [f"{name} {most} items" for name, most in sorted(found.most.items())]
        texts += [f"{name} one of {', '.join(values)}" for name, values in sorted(found.one_of.items())]
        texts += [f"{name} like `{form.pattern}`" for name, form in sorted(found.like.items())]
        manners = (("apart", found.apart), ("not at creation", found.later), ("by signed-in people", found.by_people))
        texts += [f"{manner}: {', '.join(sorted(names))}" for manner, names in manners if names]
        yield f"\nLimits ({found.page}): {'; '.join(texts)}"
    if most := [f"{link.name} {link.most}" for link in resource.links if link.most]:
        yield f"\nRelated objects at most: {', '.join(most)}"
    if resource.single:
        yield f"\nIn no list (501 `NotImplemented`): {', '.join(sorted(resource.single))}"
    if resource.costly:
        yield "\nPages: " + ", ".join(f"{most} with {name}" for name, most in resource.costly.items())


def _order(item: tuple[Resource, Route]) -> tuple[str, str]:
    return item[1].path.lower(), item[1].method


def _name(resource: Resource, route: Route) -> str:
    return f"{route.method} /{resource.path}/{route.path}".rstrip("/")


def _data(name: str) -> dict[str, str]:
    found: dict[str, str] = json.loads(files("entra_sandbox.graph").joinpath(name).read_text(encoding="utf-8"))
    return found


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
