"""Section 3: the redirect URI to which Entra ID sends the browser back after sign-in, StackOne's callback.

``PATCH`` replaces the whole list, so everybody else's URIs are read and written back. A URI counts as ours only if
the application carries our mark for it (a fingerprint of the URI, written in the same request that added it); a URI
that merely looks like a callback is never removed.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from runbook.errors import PlanRefused
from runbook.redirect_rules import MAX_URIS
from runbook.sections import about
from runbook.tenant import others, registration
from runbook.tenant.base import Context
from runbook.tenant.changes import Change, Evidence, row

NAME, NUMBER, TITLE, SUMMARY, PORTAL = about("redirect_uri")


@dataclass(frozen=True)
class Observed:
    """The web redirect URIs, those of other platforms, and the fingerprints of those that are ours."""

    uris: tuple[str, ...] = ()
    elsewhere: tuple[str, ...] = ()
    ours: tuple[str, ...] = ()


def read(ctx: Context) -> Observed:
    found = registration.application(ctx)
    return Observed() if found is None else _observed(found)


def _observed(found: dict[str, Any]) -> Observed:
    other = [(found.get(platform) or {}).get("redirectUris") or () for platform in ("spa", "publicClient")]
    return Observed(
        uris=tuple((found.get("web") or {}).get("redirectUris") or ()),
        elsewhere=tuple(uri for uris in other for uri in uris),
        ours=tuple(registration.marks(found, registration.REDIRECT)),
    )


def plan(ctx: Context, observed: Observed) -> list[Change]:
    wanted = registration.wanted_uri(ctx)
    changes = []
    if wanted in observed.uris:
        changes.append(Change(f"redirect URI {wanted}", "registered", "registered", "same"))
    else:
        note = ""
        if wanted in observed.elsewhere:
            note = "it is registered for another platform (SPA or public client), where a client secret is refused"
        changes.append(Change(f"redirect URI {wanted}", "absent", "registered", "added", note))
    for uri in observed.uris:
        if uri == wanted:
            continue
        if registration.fingerprint(uri) in observed.ours:
            note, label = "registered by an earlier run", f"redirect URI {uri}"
            changes.append(Change(label, "registered", "absent", "removed", note, {"uri": uri}))
        elif "redirect-uris" in ctx.params.prune:
            note, label = "not ours, pruned", f"redirect URI {uri}"
            changes.append(Change(label, "registered", "absent", "removed", note, {"uri": uri}))
        else:
            changes.append(Change(f"redirect URI {uri}", "registered", "registered", "same", "not ours, stays"))
    changes += others.pruned(ctx, NAME)
    if (number := sum(change.kind != "removed" for change in changes)) > MAX_URIS:
        changes.append(Change("limit of Entra ID", f"{number} redirect URIs", f"at most {MAX_URIS}", "unknown"))
    return changes


def apply(ctx: Context, changes: Sequence[Change]) -> None:
    others.remove(ctx, changes)
    found = registration.require_application(ctx)
    observed = _observed(found)
    wanted = registration.wanted_uri(ctx)
    gone = {change.data.get("uri") for change in changes if change.kind == "removed"}
    uris = [uri for uri in observed.uris if uri not in gone]
    # A URI that was there before us gets no mark: it is not ours to remove later.
    ours = [mark for mark in observed.ours if mark in {registration.fingerprint(uri) for uri in uris}]
    if wanted not in uris:
        uris.append(wanted)
        ours.append(registration.fingerprint(wanted))
    if len(uris) > MAX_URIS:
        raise PlanRefused.named("too_many_uris", count=len(uris), most=MAX_URIS)
    registration.write(ctx, {registration.REDIRECT: ours}, {"web": {"redirectUris": uris}})


def verify(ctx: Context) -> Evidence:
    wanted = registration.wanted_uri(ctx)

    def seen() -> tuple[str, ...] | None:
        found = registration.application(ctx)
        uris = _observed(found).uris if found else ()
        return uris if wanted in uris else None

    uris = ctx.read_back(seen, f"the application lists {wanted}")
    registration.hold_marks(ctx)
    source = "GET " + registration.application_path(ctx)
    rows = [row("redirect URI", uri, source) for uri in uris]
    return Evidence(True, rows, {"redirect_uri": {"uri": wanted, "others": sum(uri != wanted for uri in uris)}})
