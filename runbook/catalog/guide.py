"""The dynamic guide: what to show of the catalogue, and the address of StackOne's own guide for a choice."""

from collections.abc import Iterable
from urllib.parse import urlencode

from runbook.catalog import loader, names
from runbook.catalog.model import Action
from runbook.errors import InputError, Problem

CONNECTOR_KEY = "microsoftentraid"
"""StackOne's key of the connector; the ids of its actions begin with it."""

CALLBACK_PATH = f"/connect/oauth2/{CONNECTOR_KEY}/callback"
"""Path of the redirect URI on StackOne's API host."""

_GUIDE_URL = f"https://docs.stackone.com/connectors/{CONNECTOR_KEY}/guides/connector-profile/oauth-2-0-common"
"""StackOne's page for the connector profile type "OAuth 2.0 (Common)"."""

_SELECTION_PARAMETER = "actions"
LINK_CAVEAT = (
    f"The choice travels in the query parameter “{_SELECTION_PARAMETER}”, which is of the runbook's own choosing: "
    "how StackOne's page takes a choice is not publicly documented and was not checked against the live page. "
    "If the page opens without the choice, tick the actions there."
)

SEPARATORS: dict[str, str] = {"space": " ", "comma": ",", "newline": "\n"}


def link(slugs: Iterable[str]) -> str:
    """The address of StackOne's guide for this choice; show :data:`LINK_CAVEAT` beside it. Raises InputError."""
    chosen = [action.slug for action in names.resolve(slugs)]
    if not chosen:
        return _GUIDE_URL
    if len(chosen) == len(loader.actions()):
        return f"{_GUIDE_URL}?{urlencode({_SELECTION_PARAMETER: 'all'})}"
    return f"{_GUIDE_URL}?{urlencode({_SELECTION_PARAMETER: ','.join(chosen)}, safe=',')}"


def joined(permissions: Iterable[str], separator: str = "space") -> str:
    """Permissions as text to paste: with blanks (as OAuth has scopes, RFC 6749 section 3.3), commas or line breaks."""
    if separator not in SEPARATORS:
        raise InputError(Problem("--separator", f"{separator!r} is not one.", f"Use {', '.join(SEPARATORS)}."))
    return SEPARATORS[separator].join(permissions)


def select(search: str | None = None, resource: str | None = None, effect: str | None = None) -> tuple[Action, ...]:
    """Actions that match all that is given, sorted by name.

    ``search``: every word of it must occur in name, slug, method, path, resource, summary or a permission.
    ``resource`` and ``effect``: one or several, with commas between, in any case. Raises InputError for unknown ones.
    """
    actions = loader.actions()
    resources = _wanted("resource", resource, {a.resource.lower(): a.resource for a in actions})
    effects = _wanted("effect", effect, {a.effect: a.effect for a in actions})
    words = (search or "").lower().split()
    return tuple(
        action
        for action in actions
        if (not resources or action.resource in resources)
        and (not effects or action.effect in effects)
        and all(word in _searchable(action) for word in words)
    )


def _wanted(field: str, text: str | None, known: dict[str, str]) -> set[str]:
    wanted = [part.strip().lower() for part in (text or "").split(",") if part.strip()]
    unknown = [part for part in wanted if part not in known]
    if unknown:
        raise InputError(
            [Problem(field, f"{part!r} is not one.", f"Use {', '.join(sorted(known.values()))}.") for part in unknown]
        )
    return {known[part] for part in wanted}


def _searchable(action: Action) -> str:
    permissions = {name for _, access in action.accesses() for name in access.least} | set(action.guide_scopes or ())
    told = action.name, action.slug, action.method, action.path, action.resource, action.summary
    return "\n".join((*told, *sorted(permissions))).lower()
