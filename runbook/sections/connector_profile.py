"""Section 6: the connector profile in StackOne, which holds client id, secret, scopes and the enabled actions.

StackOne documents a list of profiles and no call that makes one, so a person fills in the dashboard's form: a
*hand-over with proof*. The documented list says that the profile is there and when it was changed, not what is in it;
therefore two marks on the application keep what a person was asked to put in and what was confirmed, as fingerprints.
A profile counts as up to date when the confirmed fingerprint equals that of today's values. Linking an account
(section 7) proves the rest.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from runbook import catalog
from runbook.catalog.guide import CONNECTOR_KEY
from runbook.errors import HandOver, NotSettled, Parked
from runbook.sections import about
from runbook.tenant import registration
from runbook.tenant.base import Context
from runbook.tenant.changes import Change, Evidence, row
from runbook.tenant.credentials import current, require_current
from runbook.tenant.permissions import Permissions

NAME, NUMBER, TITLE, SUMMARY, PORTAL = about("connector_profile")

_CONNECTOR = "Microsoft Entra ID"
# The common type signs in at /common, which Entra ID refuses for single-tenant applications (AADSTS50194).
KINDS = {"multi": "OAuth 2.0 (Common)", "single": "OAuth 2.0 (Tenant)"}
_DASHBOARD = "https://app.stackone.com"
CONFIRMED, ASKED, KEY = "profile", "profile-asked", "profile-key"


@dataclass(frozen=True)
class Form:
    """What goes into StackOne's form. ``secret`` is the reference of the value, ``key_id`` its id in Entra ID."""

    name: str
    kind: str
    tenant: str
    client_id: str
    key_id: str
    secret: str
    scopes: tuple[str, ...]
    actions: tuple[str, ...]

    def fields(self) -> dict[str, str]:
        """The form's fields in its order; the secret as its reference, never its value."""
        tenant = {"directory (tenant) ID": self.tenant} if self.kind == KINDS["single"] else {}
        return {
            "connector": _CONNECTOR,
            "type": self.kind,
            "name": self.name,
            "client_id": self.client_id,
            "client_secret": self.secret,
            **tenant,
            "scopes": " ".join(self.scopes),
            "actions": ", ".join(catalog.action(slug).name for slug in self.actions),
        }

    def fingerprint(self) -> str:
        """Equal for equal content; the secret is in it by its key id."""
        return registration.fingerprint(
            self.name, self.kind, self.client_id, self.key_id, *self.scopes, "/", *sorted(self.actions)
        )


@dataclass(frozen=True)
class Observed:
    """The profile as StackOne lists it, the form that is wanted, and our marks."""

    profile: dict[str, Any] | None
    form: Form | None
    confirmed: str = ""
    asked: str = ""


def find_profile(ctx: Context) -> dict[str, Any] | None:
    """The profile of our name and connector, or None."""
    found = ctx.stackone.auth_configs(connector_key=CONNECTOR_KEY)
    return next((item for item in found if item.get("name") == ctx.params.connector_profile_name), None)


def read(ctx: Context) -> Observed:
    found = registration.application(ctx)
    profile = find_profile(ctx)
    if found is None:
        return Observed(profile, None)
    credential = current(ctx, found)
    form = _form(ctx, found, credential.key_id, credential.ref) if credential else None
    return Observed(profile, form, _first(found, CONFIRMED), _first(found, ASKED))


def _form(ctx: Context, found: Mapping[str, Any], key_id: str, ref: str) -> Form:
    return Form(
        name=ctx.params.connector_profile_name,
        kind=KINDS[ctx.params.sign_in_audience],
        tenant=ctx.target.tenant_id,
        client_id=found["appId"],
        key_id=key_id,
        secret=ref,
        scopes=_scopes(ctx),
        actions=tuple(ctx.params.actions),
    )


def _scopes(ctx: Context) -> tuple[str, ...]:
    """The delegated permissions as this tenant publishes them, those of sign-in first."""
    wanted = Permissions.read(ctx).wanted(ctx)["delegated"].why
    base = tuple(name for name in ctx.scopes.base if name in wanted)
    return base + tuple(name for name in wanted if name not in base)


def _first(found: Mapping[str, Any], name: str) -> str:
    return next(iter(registration.marks(found, name)), "")


def _version(profile: Mapping[str, Any] | None) -> str:
    """What changes whenever somebody saves the profile."""
    return registration.fingerprint(str(profile["id"]), str(profile.get("updated_at"))) if profile else "none"


def plan(ctx: Context, observed: Observed) -> list[Change]:
    label = f"connector profile {ctx.params.connector_profile_name!r}"
    scopes = observed.form.scopes if observed.form else _scopes(ctx)
    kind = KINDS[ctx.params.sign_in_audience]
    content = f"{kind}, {len(scopes)} scopes, {len(ctx.params.actions)} actions"
    hashed = " ".join([label, kind, *scopes, "/", *sorted(ctx.params.actions)])

    if observed.profile is None:
        return [Change(label, "absent", content, "added", "a person fills in StackOne's form", hashed=hashed)]
    if observed.form and observed.profile.get("active", True) and observed.confirmed == observed.form.fingerprint():
        return [Change(label, content, content, "same", hashed=hashed)]
    if not observed.profile.get("active", True):
        now, note = "disabled", "a disabled profile makes its linked accounts inactive"
    elif observed.form is None:
        now, note = "there, of another secret", "needs the new secret"
    elif _saved_since_asked(observed):
        now = "saved, not confirmed yet"
        note = "it was saved after the values were handed over; this is noted on the application"
    else:
        now, note = "out of date", "its secret, scopes or actions differ from what is wanted"
    return [Change(label, now, content, "changed", note, hashed=hashed)]


def _saved_since_asked(observed: Observed) -> bool:
    """Whether somebody saved the profile after exactly these values had been handed over."""
    if observed.form is None or observed.profile is None or not observed.asked:
        return False
    wanted, _, version = observed.asked.partition(".")
    return wanted == observed.form.fingerprint() and version != _version(observed.profile)


def apply(ctx: Context, _changes: Sequence[Change]) -> None:
    found = registration.require_application(ctx)
    credential = require_current(ctx, found)
    form = _form(ctx, found, credential.key_id, credential.ref)
    observed = Observed(find_profile(ctx), form, _first(found, CONFIRMED), _first(found, ASKED))
    if not _saved_since_asked(observed):
        ROADS["hand-over"](ctx, found, observed, form)
    ctx.snapshot.forget()
    tags = registration.require_application(ctx).get("tags") or ()
    tags = registration.with_mark(tags, CONFIRMED, [form.fingerprint()])
    tags = registration.with_mark(registration.with_mark(tags, KEY, [form.key_id]), ASKED, [])
    ctx.graph.set(f"/applications/{found['id']}", {"tags": tags})


def _by_hand_over(ctx: Context, found: Mapping[str, Any], observed: Observed, form: Form) -> None:
    """Ask a person to fill in the form and wait until the profile was saved. Raises :class:`Parked`."""
    before = _version(observed.profile)
    asked = f"{form.fingerprint()}.{before}"
    if _first(found, ASKED) != asked:
        # Noted before anybody is asked: whoever runs next can tell that the person was here in between.
        tags = registration.with_mark(found.get("tags") or (), ASKED, [asked])
        ctx.graph.set(f"/applications/{found['id']}", {"tags": tags})
    hand_over = _hand_over(ctx, form, observed.profile)
    ctx.hand_over(hand_over)

    def saved() -> dict[str, Any] | None:
        profile = find_profile(ctx)
        return profile if profile and profile.get("active", True) and _version(profile) != before else None

    try:
        ctx.until(saved, "StackOne lists the connector profile as saved and enabled", sightings=1)
    except NotSettled:
        raise Parked(hand_over) from None
    ctx.journal.made("updated" if observed.profile else "created", "connector profile")


ROADS: Mapping[str, Callable[[Any, Mapping[str, Any], Observed, Form], None]] = {"hand-over": _by_hand_over}
"""The ways to bring the form's values into StackOne. The day a public API for it is documented, it is added here."""


def _hand_over(ctx: Context, form: Form, profile: Mapping[str, Any] | None) -> HandOver:
    base = ctx.target.endpoints.pages + "/dashboard" if ctx.target.rehearsal else _DASHBOARD
    first = (
        f"Open Connector Profiles and edit {form.name!r}."
        if profile
        else f"Open Connector Profiles, press + Connector Profile, choose {_CONNECTOR} and the type {form.kind}."
    )
    return HandOver(
        kind="connector_profile",
        title=f"{'Update' if profile else 'Create'} the connector profile {form.name!r} in StackOne",
        url=f"{base}/connector-profiles",
        steps=(
            first,
            "Fill in the fields with the values below; the client secret is in your secret store under the name shown.",
            "Enable the actions of the list and no others, and leave the profile enabled.",
            "Save. Then run again: the profile is read back from StackOne.",
        ),
        fields=form.fields(),
        who="Whoever may manage connector profiles in StackOne",
    )


def verify(ctx: Context) -> Evidence:
    def confirmed() -> Form | None:
        found = registration.require_application(ctx)
        credential = current(ctx, found)
        form = credential and _form(ctx, found, credential.key_id, credential.ref)
        return form if form and _first(found, CONFIRMED) == form.fingerprint() else None

    form = ctx.read_back(confirmed, "the application carries the mark of what was handed over and confirmed")
    profile = ctx.until(lambda: find_profile(ctx), "StackOne lists the connector profile", sightings=1)
    compared = {
        "name": (profile.get("name"), form.name),
        "connector": (profile.get("connector_key"), CONNECTOR_KEY),
        "type": (profile.get("authentication_config_label") or profile.get("authentication_config_key"), form.kind),
        "enabled": (profile.get("active"), True),
    }
    rows = [
        row(name, f"{there} ({'as wanted' if there == wanted else f'wanted {wanted}'})", "GET /auth_configs")
        for name, (there, wanted) in compared.items()
    ]
    mark = "mark on GET " + registration.application_path(ctx)
    rows.append(row("client id, secret, scopes, actions", "as handed over and confirmed", mark))
    ok = all(there == wanted for there, wanted in compared.values())
    facts = {name: profile.get(name) for name in ("id", "name", "connector_key", "active", "updated_at")}
    facts |= {"type": compared["type"][0], "client_id": form.client_id}
    facts |= {"scopes": list(form.scopes), "actions": list(form.actions)}
    note = "StackOne's list does not show client id, secret and scopes; linking an account proves them."
    next_step = "" if ok else "edit the profile in StackOne as the hand-over says, then run again."
    return Evidence(ok, rows, {"connector_profile": facts}, [note], next_step)
