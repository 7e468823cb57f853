"""What the caller may do of what a run writes, by its token, and who must do the rest: ``rights.json``.

It is words for a plan, no decision: a custom role may allow more, so a section tries and goes by the answer.
"""

from collections.abc import Collection
from typing import Any

from runbook import catalog, data
from runbook.catalog import PermissionType
from runbook.tenant.base import Context


def rights(ctx: Context, sections: Collection[str]) -> list[dict[str, Any]]:
    """What ``sections`` need that not everybody may: ``[{"section", "what", "may", "who", "any", "without"}]``.

    ``who`` must do it where the caller may not; ``without``: what becomes of the section then. ``any``: the sets of
    permissions of which a caller of this kind needs one, the least first. Raises :class:`SignInError`.
    """
    table = data.table("tenant/rights.json")
    kinds = set(ctx.params.permission_types)
    found = []
    for each in table["rights"]:
        if each["section"] in sections and kinds & set(each.get("types", kinds)):
            caller = ctx.administrator.identity()
            held = {name for name in each["roles"] if table["roles"][name] in caller.role_ids}
            sets = [frozenset(text.split(" + ")) for text in each["permissions"]]
            allowed = any(one <= set(caller.permissions) for one in sets)
            may = allowed and (caller.kind == "app" or not each["roles"] or bool(held))
            kind: PermissionType = "application" if caller.kind == "app" else "delegated"
            enough = [one for one in sets if all(catalog.permissions()[name].id(kind) for name in one)]
            about = {name: each[name] for name in ("section", "what", "who")}
            found.append(
                {**about, "may": may, "any": [sorted(one) for one in enough], "without": each.get("without", "parked")}
            )
    return found
