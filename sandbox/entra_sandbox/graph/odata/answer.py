"""Documents as Graph shows them: $select, defaults of unset properties, $expand, context addresses."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import lru_cache
from typing import Any

from entra_sandbox.graph import errors, schema

__all__ = ["Shape", "context", "shape"]

Document = dict[str, Any]


class Shape:
    """Which properties an answer shows, in which order, and what stands for one that was never set."""

    def __init__(self, names: Sequence[str], entity: str) -> None:
        described = schema.entity(entity)
        self._empty: list[tuple[str, Any]] = []
        for name in names:
            kind = described.properties[name]
            if name in _LEFT_OUT:
                self._empty.append((name, _ABSENT))
            elif kind.collection:
                self._empty.append((name, []))
            elif kind.nullable:
                self._empty.append((name, None))
            elif kind.name == "Boolean":
                self._empty.append((name, False))
            else:
                self._empty.append((name, _ABSENT))

    def __call__(self, doc: Document) -> Document:
        """The document cut to the shape; annotations of the document stay."""
        shown = {key: value for key, value in doc.items() if "@" in key}
        for name, empty in self._empty:
            value = doc.get(name, empty)
            if value is not _ABSENT:
                shown[name] = value
        return shown


_ABSENT: Any = object()
# Not null but not there for who has none: learn.microsoft.com/graph/api/resources/signinactivity
_LEFT_OUT = frozenset({"signInActivity"})


@lru_cache(maxsize=512)
def shape(entity: str, select: tuple[str, ...], default: tuple[str, ...], lenient: bool = False) -> Shape:
    """The shape of a ``$select``, or of the kind's default; :class:`GraphFault` 400 for an unknown property.

    ``lenient`` leaves unknown ones out, as in collections of several kinds.
    """
    described = schema.entity(entity)
    if not select or "*" in select:
        return Shape(default or tuple(described.properties), entity)
    names: list[str] = []
    for wanted in select:
        found = described.find(wanted.split("/")[0])
        if found is None and described.find_link(wanted) is None and not lenient:
            raise errors.bad_gateway_request(
                "Parsing OData Select and Expand failed: Could not find a property named "
                f"'{wanted}' on type 'microsoft.graph.{entity}'."
            )
        if found is not None and "/" in wanted and not described.properties[found].complex and not lenient:
            raise errors.bad_gateway_request(
                f"Parsing OData Select and Expand failed: '{wanted}' selects below a single value."
            )
        if found is not None and found not in names:
            names.append(found)
    return Shape(names, entity)


def context(base: str, collection: str, select: tuple[str, ...], *, single: bool = False) -> str:
    """``@odata.context`` of an answer."""
    chosen = f"({','.join(select)})" if select else ""
    return f"{base}/$metadata#{collection}{chosen}{'/$entity' if single else ''}"


Expander = Callable[[str, str, tuple[str, ...]], Any]
