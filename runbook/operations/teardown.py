"""Teardown: what the runbook made is removed, at StackOne and in Entra ID, and nothing else.

What is ours is what carries our mark (docs/decisions/0007). An application that the runbook registered goes, and what
others put on it goes with it only when exactly that plan was approved; an adopted one loses what is ours and stays.
Access ends first: account, grants, assignments, secrets, service principal; then the profile, for which a person may
be waited for, as the application with its marks has to be there until the end. Each step is looked up before it is
done, so that teardown may be killed anywhere and run again; when nothing of ours is left it writes nothing.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from typing import Any

from runbook import catalog
from runbook.errors import GraphError, NotSettled, SecretStoreError
from runbook.proof.workshop import Thing, Workshop
from runbook.sections import api_permissions, client_secret, connector_profile, link_account, redirect_uri
from runbook.sections.register_application import DELETED_APPLICATIONS, DELETED_PRINCIPALS, registered
from runbook.tenant import credentials
from runbook.tenant.base import Context
from runbook.tenant.changes import Change, Evidence, pending, row
from runbook.tenant.consent import by_api
from runbook.tenant.credentials import Credential, of_application, secret_name
from runbook.tenant.permissions import TYPES, Permissions, Wanted
from runbook.tenant.registration import MARK, all_marks, application, fingerprint, service_principal
from runbook.tenant.snapshot import Known, address

NAME, NUMBER, TITLE = "teardown", 0, "Tear the connection down"
SUMMARY = "What the runbook made is removed, at StackOne and in Entra ID; what others made stays."
PORTAL = "StackOne's dashboard, then Enterprise applications and App registrations, Delete."
_GOES = "not ours: it would go with the application"


@dataclass(frozen=True)
class Observed:
    """What there is of ours, and of others on what is ours; ``deleted`` are our applications in the deleted items."""

    application: dict[str, Any] | None = None
    deleted: list[dict[str, Any]] = field(default_factory=list)
    principals: list[dict[str, Any]] = field(default_factory=list)
    principal: dict[str, Any] | None = None
    permissions: Permissions | None = None
    secrets: list[Credential] = field(default_factory=list)
    others: list[str] = field(default_factory=list)
    accounts: list[dict[str, Any]] = field(default_factory=list)
    profile: dict[str, Any] | None = None
    things: list[Thing] = field(default_factory=list)
    kept: list[str] = field(default_factory=list)

    @property
    def goes(self) -> bool:
        """Whether the application is ours as a whole."""
        return self.application is not None and registered(self.application)


def _own(ctx: Context) -> Context:
    """By marks alone: what a parameter names is no more ours for that, and nothing is taken over to be removed.

    What is absent is absent: that it is gone is what is wanted here, so nobody waits for it to come back.
    """
    named = {"connector_profile_id": "", "account_id": "", "take_over": None}
    own = replace(ctx, params=ctx.params.model_copy(update=named), known=Known(tenant=ctx.known.tenant))
    own.snapshot.looking = True
    return own


def read(ctx: Context) -> Observed:
    return _read(_own(ctx))


def _read(own: Context) -> Observed:
    found = _application(own)
    in_bin = own.snapshot.items(DELETED_APPLICATIONS, DELETED_PRINCIPALS)
    deleted = [each for each in in_bin if each.get("uniqueName") == own.params.unique_name and registered(each)]
    ours = [each for each in (found, *deleted) if each]
    app_ids = {each["appId"] for each in ours if registered(each)}
    live = {_value(own, found, each["keyId"]) for each in found["passwordCredentials"]} if found else set()
    seen = Observed(
        deleted=deleted,
        principals=[each for each in own.snapshot.items(DELETED_PRINCIPALS) if each.get("appId") in app_ids],
        accounts=[account for each in ours for account in link_account.accounts_of(own, each)],
        profile=next(filter(None, (_profile(own, each) for each in ours)), None),
        kept=sorted({ref for each in ours for ref in _kept(own, each)} - live),
    )
    if found is None:
        return seen
    return replace(
        seen,
        application=found,
        principal=service_principal(own, found["appId"]),
        permissions=Permissions.read(own),
        secrets=of_application(own, found),
        others=_others(own, found) if registered(found) else [],
        things=Workshop(own, {"application": found}).left(each.slug for each in catalog.actions()),
    )


def _application(own: Context) -> dict[str, Any] | None:
    """The application, if it carries our mark."""
    found = application(own)
    return found if found and MARK in (found.get("tags") or ()) else None


def _value(own: Context, found: Mapping[str, Any], name: str) -> str:
    return own.store.reference(secret_name(own, found["appId"], name))


def _profile(own: Context, found: Mapping[str, Any]) -> dict[str, Any] | None:
    if application(own) is not None:
        return connector_profile.read(own).profile
    listed = all_marks(found).get(connector_profile.ID, [])
    return next((each for each in own.stackone.connector_profiles() if each["id"] in listed), None)


def _kept(own: Context, found: Mapping[str, Any]) -> list[str]:
    """References of what the store keeps of an application: by its marks, and by name where a store can list."""
    named = [*all_marks(found).get(credentials.MARK, []), credentials.ADDING]
    refs = [_value(own, found, each) for each in named] + [*map(own.store.reference, link_account.kept_links(own))]
    with suppress(SecretStoreError):  # a keyring cannot be listed
        stem = _value(own, found, "x").removesuffix("x")
        refs += [ref for ref in own.store.references() if ref.startswith(stem)]
    return [ref for ref in refs if own.store.has(ref)]


def _others(own: Context, found: Mapping[str, Any]) -> list[str]:
    """What somebody else put on an application of ours, in words."""
    path = f"/applications/{found['id']}"
    keys = (own.snapshot.find(address(path, select="keyCredentials")) or {}).get("keyCredentials") or ()
    federated = own.snapshot.items(f"{path}/federatedIdentityCredentials")
    uris = redirect_uri.read(own)
    return [
        *(f"certificate {each.get('displayName') or each.get('keyId')}" for each in keys),
        *(f"federated credential {each.get('name')}" for each in federated),
        *(f"redirect URI {uri}" for uri in (*uris.uris, *uris.elsewhere) if fingerprint(uri) not in uris.ours),
    ]


def plan(ctx: Context, observed: Observed) -> list[Change]:
    changes = [*_plan(ctx, observed)]
    return changes or [Change(f"application {ctx.params.unique_name}", "nothing of ours", "absent", "same")]


def _gone(what: str, now: str, step: str, note: str = "", *, of: str = "") -> Change:
    return Change(what, now, "absent", "removed", note, {"step": step, "of": of}, hashed=step)


def _plan(ctx: Context, observed: Observed) -> Iterator[Change]:
    for account in observed.accounts:
        yield _gone(f"linked account of {account['origin_owner_id']!r}", account["status"], "account", of=account["id"])
    yield from (_gone(thing.name, "left by a proof", "things") for thing in observed.things)
    if observed.permissions:
        yield from _permissions(observed, observed.permissions)
    for secret in observed.secrets:
        label, now = f"client secret {secret.description!r} ({secret.key_id})", f"hint {secret.hint}…"
        if secret.ours:
            yield _gone(label, now, "secret", of=secret.key_id)
        else:
            yield _theirs(label, now, goes=observed.goes)
    yield from (_theirs(each, "there", goes=True) for each in observed.others)
    if observed.goes and observed.principal:
        yield _gone("service principal", "present", "principal")
    if observed.profile:
        yield _gone(f"connector profile {observed.profile['name']!r}", "there", "profile", "a person deletes it")
    yield from (_gone("value in the secret store", ref, "kept", of=ref) for ref in observed.kept)
    yield from _registration(ctx, observed)


def _theirs(what: str, now: str, *, goes: bool) -> Change:
    if goes:
        return Change(what, now, "absent", "removed", _GOES, hashed=f"another's: {what}", others=True)
    return Change(what, now, "left alone", "same", "not ours, stays", hashed="another's")


def _permissions(observed: Observed, state: Permissions) -> Iterator[Change]:
    for kind in TYPES:
        for name in sorted(state.there("granted", kind) | state.there("requested", kind)):
            stage = "granted" if name in state.there("granted", kind) else "requested"
            ours = name in state.ours("granted", kind) | state.ours("requested", kind)
            label = f"{name} ({kind})"
            if not ours:
                yield _theirs(label, stage, goes=observed.goes)
            elif stage == "granted" or not observed.goes:
                yield replace(_gone(label, stage, "permissions"), hashed=None)


def _registration(ctx: Context, observed: Observed) -> Iterator[Change]:
    label, purge = f"application {ctx.params.unique_name}", bool(ctx.params.purge)
    if observed.goes:
        kept = "" if purge else "it stays in the deleted items for 30 days"
        yield _gone(label, "registered by the runbook", "application", kept)
    elif observed.application:
        marked = [tag for tag in observed.application["tags"] if tag.split(":")[0] == MARK]
        yield _gone(
            "our marks and redirect URI", f"{len(marked)} tags", "marks", "the application is not ours, and stays"
        )
    if purge:
        for each in (*observed.principals, *observed.deleted):
            yield _gone(f"deleted item {each['displayName']!r}", f"deleted {each['deletedDateTime']}", "purge")
        if observed.goes:
            yield _gone(
                f"{label} in the deleted items", "as soon as it is there", "purge", "it cannot be restored then"
            )


def apply(ctx: Context, changes: Sequence[Change]) -> None:
    own = _own(ctx)
    steps = [(str(change.data["step"]), str(change.data["of"])) for change in changes if "step" in change.data]
    for step, of in dict.fromkeys(steps):
        own.snapshot.forget()
        if step in _BESIDE:
            _BESIDE[step](own, of)
        elif found := _application(own):
            _ON_APPLICATION[step](own, found, of)


def _sweep(own: Context, found: dict[str, Any], _of: str) -> None:
    Workshop(own, {"application": found}).sweep(each.slug for each in catalog.actions())


def _take_back(own: Context, found: dict[str, Any], _of: str) -> None:
    state, nothing = Permissions.read(own), {kind: Wanted() for kind in TYPES}
    if not registered(found):
        api_permissions.bring(own, state, nothing)
        return
    try:
        by_api(own, state, nothing)
    except GraphError as error:
        # Who may delete the application need not be allowed to change grants; they end with the service principal.
        if error.status != 403:
            raise


def _remove_principal(own: Context, found: dict[str, Any], _of: str) -> None:
    if principal := service_principal(own, found["appId"]):
        own.graph.remove(f"/servicePrincipals/{principal['id']}")


def _remove_marks(own: Context, found: dict[str, Any], _of: str) -> None:
    seen = redirect_uri.read(own)
    uris = [uri for uri in seen.uris if fingerprint(uri) not in seen.ours]
    tags = [tag for tag in found["tags"] if tag.split(":")[0] != MARK]
    web = {"web": {"redirectUris": uris}} if len(uris) < len(seen.uris) else {}
    own.graph.set(f"/applications/{found['id']}", {"tags": tags, **web})


def _remove_profile(own: Context) -> None:
    if profile := _read(own).profile:
        connector_profile.remove(own, profile)


def _purge(own: Context) -> None:
    """What is in the deleted items by now; the service principals first, which are known by their application."""
    with suppress(NotSettled):
        patience = own.graph.pace.deadline / 6
        own.until(lambda: _read(own).deleted, "the application is in the deleted items", sightings=1, deadline=patience)
    seen = _read(own)
    for each in (*seen.principals, *seen.deleted):
        own.graph.remove(f"/directory/deletedItems/{each['id']}")


_ON_APPLICATION: Mapping[str, Callable[[Context, dict[str, Any], str], object]] = {
    "things": _sweep,
    "permissions": _take_back,
    "secret": client_secret.remove,
    "principal": _remove_principal,
    "application": lambda own, found, _of: own.graph.remove(f"/applications/{found['id']}"),
    "marks": _remove_marks,
}
_BESIDE: Mapping[str, Callable[[Context, str], object]] = {
    "account": link_account.unlink,
    "profile": lambda own, _of: _remove_profile(own),
    "kept": lambda own, ref: own.store.delete(ref),
    "purge": lambda own, _of: _purge(own),
}


def verify(ctx: Context) -> Evidence:
    """Nothing of ours is seen, several times in a row."""
    own, rest = _own(ctx), list[Change]()

    def gone() -> Observed | None:
        seen = _read(own)
        rest[:] = pending(plan(own, seen))
        return None if rest else seen

    try:
        seen = own.read_back(gone, "nothing of ours is seen any more")
    except NotSettled:
        rows = [row(change.what, change.now, "read back") for change in rest]
        return Evidence(False, rows, next_step="run `runbook teardown` again: it goes on with what is left.")
    source = "Microsoft Graph, StackOne and the secret store"
    rows = [row(f"what was ours of {own.params.unique_name}", "absent", source)]
    for each in seen.deleted:
        rows.append(row(f"deleted item {each['id']}", each["deletedDateTime"], "GET /directory/deletedItems"))
    return Evidence(True, rows, {NAME: {"deleted_items": [each["id"] for each in seen.deleted]}})
