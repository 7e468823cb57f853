"""Section 6: the connector profile in StackOne, which holds client id, secret, scopes and the enabled actions.

StackOne documents a list of profiles and no call that makes one, so a person fills in the dashboard's form: a
*hand-over with proof*. The documented list says that the profile is there and when it was changed, not what is in it;
therefore two marks on the application keep what a person was asked to put in and what was confirmed, as fingerprints.
A profile counts as up to date when the confirmed fingerprint equals that of today's values. Linking an account
(section 7) proves the rest.

A profile is ours when its id is listed on the application, or named by ``connector_profile_id``; or when there was none
of its name when a person was asked to make one. Another of the same name is some other tenant's: it is not touched.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from difflib import get_close_matches
from typing import Any

from runbook import catalog, words
from runbook.catalog.guide import CONNECTOR_KEY
from runbook.errors import HandOver, NotSettled, Parked, PlanRefused, RunbookError
from runbook.sections import about
from runbook.tenant import registration
from runbook.tenant.base import Context
from runbook.tenant.changes import Change, Evidence, row
from runbook.tenant.credentials import PROFILE_MARK, SINCE_MARK, current, of_application, require_current
from runbook.tenant.permissions import Permissions

NAME, NUMBER, TITLE, SUMMARY, PORTAL = about("connector_profile")

_CONNECTOR = "Microsoft Entra ID"
# The common type signs in at /common, which Entra ID refuses for single-tenant applications (AADSTS50194).
KINDS = {"multi": "OAuth 2.0 (Common)", "single": "OAuth 2.0 (Tenant)"}
_ALIKE = 0.95  # of a name with a tenant id: some letters differ, and not the id
_DASHBOARD = "https://app.stackone.com"
CONFIRMED, ASKED, ID = "profile", "profile-asked", "profile-id"
_REFUSED = "profile-refused"  # which saving of the profile Entra ID refused when an account was to be linked
# Which saving of the profile changed its secret alone, and when what is in it besides was saved.
_CONTENT = "profile-content"


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
    """Our profile as StackOne lists it, the form that is wanted, and our marks; ``stranger``: another has our name.

    ``used``: the key id of the secret that it was last handed. ``alike``: a profile whose name is nearly ours.
    ``refused``: what is in it was refused when an account was to be linked.
    """

    profile: dict[str, Any] | None
    form: Form | None
    confirmed: str = ""
    asked: str = ""
    listed: bool = False
    stranger: bool = False
    used: str = ""
    alike: str = ""
    refused: bool = False

    @property
    def only_secret(self) -> bool:
        """Whether it differs from what is wanted in nothing but its secret, or not at all."""
        if self.form is None or self.profile is None:
            return False
        return replace(self.form, key_id=self.used).fingerprint() == self.confirmed


def read(ctx: Context, *, newest: bool = False) -> Observed:
    """``newest``: no secret but the newest whose value is kept here is as good as wanted."""

    def look() -> Observed:
        registration.published(ctx)  # with what is asked for next, in one request
        return _observed(ctx, registration.application(ctx), newest=newest)

    def late(seen: Observed) -> bool:
        return seen.stranger and registration.application(ctx) is not None

    return ctx.past_lag(look, late, "the application lists the profile")


def find_profile(ctx: Context) -> dict[str, Any] | None:
    """Our profile, or None; ``content_at`` is when what is in it but for its secret was saved.

    Raises :class:`RunbookError` when the one that a parameter names is not there.
    """
    profile = read(ctx).profile
    return profile and {**profile, "content_at": _content_at(registration.application(ctx), profile)}


def profile_id(ctx: Context, found: Mapping[str, Any] | None) -> str:
    """The id of our profile, as a parameter names it or the application lists it; else empty."""
    return ctx.params.connector_profile_id or _first(found, ID)


def _content_at(found: Mapping[str, Any] | None, profile: Mapping[str, Any]) -> str:
    version, _, at = _first(found, _CONTENT).partition(".")
    return at if version == _version(profile, "") else str(profile.get("updated_at") or "")


def _observed(ctx: Context, found: Mapping[str, Any] | None, *, newest: bool = False) -> Observed:
    name, id_ = _name(ctx), profile_id(ctx, found)
    given = "" if ctx.params.connector_profile_id else ctx.params.connector_profile_name

    def ours(item: Mapping[str, Any]) -> bool:
        return item["id"] == id_ and given in ("", item["name"])

    def look() -> list[dict[str, Any]]:
        """All that are listed, to the page of ours: of a thousand tenants' in one project, few pages of each."""
        listed = []
        for item in ctx.stackone.connector_profiles(connector_key=CONNECTOR_KEY):
            listed.append(item)
            if ours(item):
                break
        return listed

    there = ctx.snapshot.remember(f"connector profiles {id_}", look)
    confirmed, asked = _first(found, CONFIRMED), _first(found, ASKED)
    profile = next(filter(ours, there), None)
    if profile is None and ctx.params.connector_profile_id:
        raise RunbookError.named("no_such_profile", id=id_)
    forms = _forms(ctx, found, profile["name"] if profile else name)[-1 if newest else 0 :]
    for item in there if profile is None else ():
        # Confirmed by a version that did not list ids; or made since a person was asked, when there was none.
        renamed = [replace(form, name=item["name"]) for form in forms]
        since = item["name"] == name and asked.endswith(f".{_version(None, name)}")
        if since or (not id_ and confirmed in [form.fingerprint() for form in renamed]):
            profile, forms = item, renamed
            ctx.snapshot.remember(f"connector profiles {item['id']}", lambda: there)
    stranger = profile is None and any(item["name"] == name for item in there)
    alike = next(iter(get_close_matches(name, [item["name"] for item in there], 1, _ALIKE)), "") if not profile else ""
    form = next((form for form in forms if form.fingerprint() == confirmed), forms[-1] if forms else None)
    listed = profile is not None and profile["id"] == _first(found, ID)
    refused = profile is not None and _first(found, _REFUSED) == _version(profile, "")
    return Observed(profile, form, confirmed, asked, listed, stranger, _first(found, PROFILE_MARK), alike, refused)


def refuse(ctx: Context) -> None:
    """Note that what is in the profile, as it was saved last, was refused."""
    if profile := find_profile(ctx):
        registration.write(ctx, {_REFUSED: _version(profile, "")}, {})


def _name(ctx: Context) -> str:
    return registration.own_name(ctx, ctx.params.connector_profile_name, _CONNECTOR)


def _kind(ctx: Context, found: Mapping[str, Any] | None) -> str:
    """The type that goes with the application's own audience, which an adopted one keeps."""
    own = {"AzureADMyOrg": "single"}.get(str((found or {}).get("signInAudience")), "multi")
    return KINDS[own if found else ctx.params.sign_in_audience]


def _forms(ctx: Context, found: Mapping[str, Any] | None, name: str) -> list[Form]:
    """The forms that are as good as wanted, ours last: a living secret of another machine may stay in the profile."""
    if found is None:
        return []
    now, known = ctx.graph.session.now(), _first(found, PROFILE_MARK)
    used = [item for item in of_application(ctx, found) if item.key_id == known and item.elsewhere]
    alive = [item for item in used if item.days_left(now) >= ctx.params.secret_renew_before_days]
    mine = current(ctx, found)
    kind, scopes, actions = _kind(ctx, found), _scopes(ctx), tuple(ctx.params.actions)
    return [
        Form(name, kind, ctx.target.tenant_id, found["appId"], credential.key_id, credential.ref, scopes, actions)
        for credential in (*alive, *([mine] if mine else ()))
    ]


def _scopes(ctx: Context) -> tuple[str, ...]:
    """The delegated permissions as this tenant publishes them, those of sign-in first."""
    wanted = Permissions.read(ctx).wanted(ctx)["delegated"].why
    base = tuple(name for name in ctx.scopes.base if name in wanted)
    return base + tuple(name for name in wanted if name not in base)


def _first(found: Mapping[str, Any] | None, name: str) -> str:
    return next(iter(registration.marks(found, name)), "")


def _version(profile: Mapping[str, Any] | None, name: str) -> str:
    """What changes whenever somebody saves the profile; of one that is not there, what its name will be."""
    parts = (profile["id"], profile.get("updated_at")) if profile else ("none", name)
    return registration.fingerprint(*map(str, parts))


def plan(ctx: Context, observed: Observed) -> list[Change]:
    form, name = observed.form, _name(ctx)
    label = f"connector profile {form.name if form else name!r}"
    scopes, kind = form.scopes if form else _scopes(ctx), form.kind if form else KINDS[ctx.params.sign_in_audience]
    content = f"{kind}, {words.plural(len(scopes), 'scope')}, {words.plural(len(ctx.params.actions), 'action')}"
    hashed = " ".join([f"connector profile {name!r}", kind, *scopes, "/", *sorted(ctx.params.actions)])
    waits = form is not None and observed.asked == f"{form.fingerprint()}.{_version(observed.profile, form.name)}"
    if observed.stranger:
        note = "a profile of this name is there and is not listed on this tenant's application: it is left alone"
        return [Change(label, "not ours", content, "unknown", note, hashed=hashed)]
    if observed.profile is None:
        note = f"a person {'was asked to fill' if waits else 'fills'} in StackOne's form"
        note += f"; {observed.alike!r} is there: is it meant, and its name mistyped?" if observed.alike else ""
        return [Change(label, "absent", content, "added", note, hashed=hashed, asked=waits)]
    confirmed = observed.form and observed.confirmed == observed.form.fingerprint()
    if observed.refused:
        note = "Entra ID refused the sign-in with what is in it: a person puts its values in again"
        return [Change(label, "refused", content, "changed", note, hashed=hashed, asked=waits)]
    if confirmed and observed.listed and observed.profile.get("active", True):
        note = "what StackOne does not show is proven by sections 7 and 8"
        return [Change(label, "saved since it was handed over", content, "same", note, hashed=hashed)]
    if not observed.profile.get("active", True):
        now, note = "disabled", "a disabled profile makes its linked accounts inactive"
    elif observed.form is None:
        now, note = "there, of another secret", "needs the new secret"
    elif confirmed or _saved_since_asked(observed):
        now = "saved, not confirmed yet"
        note = "it was saved after the values were handed over; this is noted on the application"
    else:
        now, note = "out of date", "its secret, scopes or actions differ from what is wanted"
    return [Change(label, now, content, "changed", note, hashed=hashed, asked=waits)]


def _saved_since_asked(observed: Observed) -> bool:
    """Whether somebody saved the profile after exactly these values had been handed over."""
    if observed.form is None or observed.profile is None or not observed.asked:
        return False
    wanted, _, version = observed.asked.partition(".")
    return wanted == observed.form.fingerprint() and version != _version(observed.profile, observed.form.name)


def apply(ctx: Context, _changes: Sequence[Change]) -> None:
    put_in(ctx)


def put_in(ctx: Context, *, newest: bool = False, again: bool = False) -> None:
    """Have the profile hold what is wanted; ``newest`` as for :func:`read`, ``again`` although it was confirmed.

    Raises :class:`Parked` when nobody is there to save it.
    """
    found = registration.require_application(ctx)
    require_current(ctx, found)
    observed = read(ctx, newest=newest)
    if observed.stranger or observed.form is None:
        raise PlanRefused.named("profile_not_ours", name=_name(ctx))
    profile, form = observed.profile, observed.form
    stale = again or observed.refused
    confirmed = observed.confirmed == form.fingerprint() and profile and profile.get("active", True) and not stale
    if not confirmed and not _saved_since_asked(observed):
        profile = _by_hand_over(ctx, observed, form)
    ctx.snapshot.forget_tenant()
    marks = {CONFIRMED: form.fingerprint(), PROFILE_MARK: form.key_id, ASKED: "", ID: str((profile or {})["id"])}
    if observed.used and observed.used != form.key_id:
        marks[SINCE_MARK] = f"{ctx.graph.session.now():%Y-%m-%dT%H:%M:%SZ}"
    marks[_CONTENT] = _content_mark(ctx, observed, profile or {})
    registration.write(ctx, marks, {})


def _content_mark(ctx: Context, before: Observed, profile: Mapping[str, Any]) -> str:
    """The mark of the profile as it is saved now, empty where more than its secret may have changed."""
    now = _first(registration.application(ctx), _CONTENT)
    version, _, at = now.partition(".")
    if version == _version(profile, ""):
        return now
    asked = registration.marks(registration.application(ctx), ASKED)
    known = before.only_secret and any(mark.endswith(f".{version}") for mark in asked)
    return f"{_version(profile, '')}.{at}" if known else ""


def _by_hand_over(ctx: Context, observed: Observed, form: Form) -> dict[str, Any]:
    """Ask a person to fill in the form and wait until the profile was saved; as it is then. Raises :class:`Parked`."""
    before = _version(observed.profile, form.name)
    # Noted before anybody is asked: whoever runs next can tell that the person was here in between.
    marks = {ASKED: f"{form.fingerprint()}.{before}"}
    if observed.profile:
        at = _content_at(registration.application(ctx), observed.profile)
        marks |= {ID: str(observed.profile["id"])} | ({_CONTENT: f"{before}.{at}"} if observed.only_secret else {})
    registration.write(ctx, marks, {})
    hand_over = _hand_over(ctx, form, observed.profile)
    ctx.hand_over(hand_over)

    def saved() -> dict[str, Any] | None:
        profile = find_profile(ctx)
        same = not profile or not profile.get("active", True) or _version(profile, form.name) == before
        return None if same else profile

    try:
        profile = ctx.until(saved, "StackOne lists the connector profile as saved and enabled", sightings=1)
    except NotSettled:
        raise Parked(hand_over) from None
    ctx.journal.made("updated" if observed.profile else "created", "connector profile")
    return profile


def remove(ctx: Context, profile: Mapping[str, Any]) -> None:
    """Have a person delete our profile: StackOne documents no call for it. Raises :class:`Parked` when nobody does."""
    url, named = f"{_dashboard(ctx)}/connector-profiles", {"name": str(profile["name"])}
    item = HandOver.named("connector_profile_removal", named, url=url, fields=named)
    ctx.hand_over(item)
    there = ctx.stackone.connector_profiles

    def gone() -> bool:
        return all(each["id"] != profile["id"] for each in there(connector_key=CONNECTOR_KEY))

    try:
        ctx.until(gone, "StackOne no longer lists the connector profile", sightings=1)
    except NotSettled:
        raise Parked(item) from None
    ctx.journal.made("deleted", "connector profile")


def _dashboard(ctx: Context) -> str:
    return ctx.target.endpoints.pages + "/dashboard" if ctx.target.rehearsal else _DASHBOARD


def _hand_over(ctx: Context, form: Form, profile: Mapping[str, Any] | None) -> HandOver:
    first = (
        f"Open Connector Profiles and edit {form.name!r}."
        if profile
        else f"Open Connector Profiles, press + Connector Profile, choose {_CONNECTOR} and the type {form.kind}."
    )
    blanks = {"verb": "Update" if profile else "Create", "name": form.name, "first": first}
    address = f"{_dashboard(ctx)}/connector-profiles"
    return HandOver.named("connector_profile", blanks, url=address, fields=form.fields())


def verify(ctx: Context) -> Evidence:
    registration.hold_marks(ctx)
    observed = read(ctx)
    profile, form = observed.profile or {}, observed.form
    assert form is not None
    confirmed = observed.listed and observed.confirmed == form.fingerprint()
    compared = {
        "name": (profile.get("name"), form.name),
        "connector": (profile.get("connector_key"), CONNECTOR_KEY),
        "type": (profile.get("authentication_config_label") or profile.get("authentication_config_key"), form.kind),
        "enabled": (profile.get("active"), True),
    }
    rows = [
        row(name, f"{there} ({'as wanted' if there == wanted else f'wanted {wanted}'})", "GET /connector_profiles")
        for name, (there, wanted) in compared.items()
    ]
    mark = "mark on GET " + registration.application_path(ctx)
    said = "unknown: handed over, and saved since" if confirmed else "another run has handed over others since"
    rows.append(row("client id, secret, scopes, actions", said, mark))
    ok = confirmed and all(there == wanted for there, wanted in compared.values())
    facts = {name: profile.get(name) for name in ("id", "name", "connector_key", "active", "updated_at")}
    facts |= {"type": compared["type"][0], "client_id": form.client_id}
    facts |= {"scopes": list(form.scopes), "actions": list(form.actions)}
    note = "StackOne's list does not show client id, secret, scopes and actions: whether they are as wanted is unknown."
    proves = "link an account (section 7): it proves client id and secret; section 8 proves scopes and actions."
    next_step = proves if ok else "edit the profile in StackOne as the hand-over says, then run again."
    return Evidence(ok, rows, {"connector_profile": facts}, [note], next_step)
