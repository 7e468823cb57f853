"""What the caller may do of what a run writes, by its token, and who must do the rest: ``rights.json``.

It is words for a plan, no decision: a custom role may allow more, so a section tries and goes by the answer.
"""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

from runbook import data
from runbook.tenant.base import Context


def rights(ctx: Context, sections: Collection[str]) -> list[dict[str, Any]]:
    """What ``sections`` write that not everybody may: ``[{"section", "what", "may", "who"}]``.

    ``who`` must do it where the caller may not. Raises :class:`SignInError`.
    """
    table = data.table("tenant/rights.json")
    kinds = set(ctx.params.permission_types)
    found = []
    for each in table["rights"]:
        if each["section"] in sections and kinds & set(each.get("types", kinds)):
            caller = ctx.administrator.identity()
            held = {name for name in each["roles"] if table["roles"][name] in caller.role_ids}
            allowed = not set(each["permissions"]).isdisjoint(caller.permissions)
            may = allowed and (caller.kind == "app" or not each["roles"] or bool(held))
            found.append({"section": each["section"], "what": each["what"], "may": may, "who": each["who"]})
    return found
