"""Lists of what is not kept but made from other objects: filtered, counted and paged as the kept ones are."""

from __future__ import annotations

from collections.abc import Callable

from entra_sandbox.graph import errors, schema
from entra_sandbox.graph.call import Answer, Call
from entra_sandbox.graph.odata import filter as tree
from entra_sandbox.graph.odata.answer import context
from entra_sandbox.graph.odata.paging import read_token, write_token
from entra_sandbox.graph.resource import Document, Resource

__all__ = ["page"]

MOST = 999


def page(call: Call, resource: Resource, found: list[Document], shown: Callable[[Document], Document]) -> Answer:
    """One page of those that ``$filter`` (eq, joined by and) names; ``shown`` is an object as the answer has it."""
    wanted = _equals(resource.entity, call.options.filter)
    found = [one for one in found if all(_same(one.get(name), value) for name, value in wanted.items())]
    top, start = call.options.top, call.options.skip or 0
    if top is not None and not 1 <= top <= MOST:
        raise errors.bad_request(f"Invalid page size specified: '{top}'. Must be between 1 and {MOST} inclusive.")
    if call.options.skiptoken:
        (start,) = read_token(call.store, call.path, call.options.skiptoken)
    end = start + (top or MOST)
    body: Document = {"@odata.context": context(call.base, resource.path, call.options.select)}
    if call.options.count:
        body["@odata.count"] = len(found)
    if len(found) > end:
        following = call.options.link(write_token(call.store, call.path, end))
        body["@odata.nextLink"] = f"{call.base}{call.path}?{following}"
    return Answer(200, {**body, "value": [shown(one) for one in found[start:end]]})


def _same(value: object, wanted: object) -> bool:
    both = isinstance(value, str) and isinstance(wanted, str)
    return str(value).lower() == str(wanted).lower() if both else value == wanted


def _equals(entity: str, text: str) -> dict[str, object]:
    """``a eq 'x' and b eq 'y'`` as a dict, in the type's own spelling; anything else is refused."""
    if not text:
        return {}
    try:
        pending: list[tree.Node] = [tree.parse(text)]
    except tree.FilterError as error:
        raise errors.bad_request(f"Invalid filter clause: {error}") from None
    found: dict[str, object] = {}
    while pending:
        node = pending.pop()
        if isinstance(node, tree.And):
            pending += [node.left, node.right]
        elif isinstance(node, tree.Compare) and node.operator == "eq" and isinstance(node.left, tree.Path):
            if not isinstance(node.right, tree.Literal) or len(node.left.steps) != 1:
                raise errors.bad_request("Invalid filter clause")
            name = schema.entity(entity).find(node.left.steps[0])
            if name is None:
                raise errors.bad_request(
                    f"Could not find a property named '{node.left.steps[0]}' on type 'microsoft.graph.{entity}'."
                )
            found[name] = node.right.value
        else:
            raise errors.bad_request("The filter is not supported for this resource.")
    return found
