"""The dashboard: sign-in, connector profiles and linked accounts, as pages with forms.

docs.stackone.com describes these pages (auth configurations, accounts, the connector's guide); the real dashboard is
another site (app.stackone.com). The form never shows a stored secret again: left blank it keeps the old one.
"""

from __future__ import annotations

import hmac
from dataclasses import replace
from itertools import groupby
from typing import Any

from entra_sandbox.stackone import accounts, actions, oauth, profiles
from entra_sandbox.stackone.connector import connector
from entra_sandbox.stackone.pages import Cookie, Page, Visit, go, message
from entra_sandbox.stackone.profiles import Form
from entra_sandbox.stackone.project import Project, dashboard_user
from entra_sandbox.store import Document
from entra_sandbox.vault import SealBroken

__all__ = [
    "edit_profile",
    "home",
    "list_accounts",
    "list_profiles",
    "new_profile",
    "remove_profile",
    "save_new_profile",
    "save_profile",
    "sign_in",
    "sign_in_form",
    "sign_out",
]

_COOKIE = "stackone_dashboard"
_LIST = "/dashboard/connector-profiles"
_SIGN_IN = "/dashboard/sign-in"
_SECONDS = 8 * 3600


def home(_project: Project, _visit: Visit) -> Page:
    """The dashboard opens on its connector profiles."""
    return go(_LIST)


def sign_in_form(_project: Project, _visit: Visit) -> Page:
    """The sign-in form."""
    return Page("sign_in.html.j2", {"email": "", "error": ""})


def sign_in(project: Project, visit: Visit) -> Page:
    """Check the dashboard user's password; 401 and the form again if it is wrong."""
    user, password = dashboard_user(project.store, project.vault)
    email = visit.field("email").strip().lower()
    right = hmac.compare_digest(visit.field("password").encode(), password.encode())
    if email != user or not right:
        return Page("sign_in.html.j2", {"email": email, "error": "The email or the password is wrong."}, 401)
    session = project.seal({"user": user, "until": project.now() + _SECONDS})
    return go(_LIST, Cookie(_COOKIE, session, path="/dashboard", seconds=_SECONDS))


def sign_out(_project: Project, _visit: Visit) -> Page:
    """Forget the session of this browser."""
    return go(_SIGN_IN, Cookie(_COOKIE, "", path="/dashboard"))


def list_profiles(project: Project, visit: Visit) -> Page:
    """Connector Profiles, each with its linked accounts counted."""
    user = _user(project, visit)
    if not user:
        return go(_SIGN_IN)
    rows = [
        (profile, connector().authentication_of(profile["authentication_config_key"]), _linked(project, profile))
        for profile in project.store.find(profiles.KIND)
    ]
    return Page("profiles.html.j2", {"user": user, "rows": rows})


def list_accounts(project: Project, visit: Visit) -> Page:
    """Linked accounts with their status and its reasons."""
    user = _user(project, visit)
    if not user:
        return go(_SIGN_IN)
    return Page("accounts.html.j2", {"user": user, "accounts": project.store.find(accounts.KIND)})


def new_profile(project: Project, visit: Visit) -> Page:
    """``+ Connector Profile``: the empty form."""
    first = not project.store.find(profiles.KIND)
    empty = Form(connector().key, connector().authentication[0].key, "", "", "", "", "", (), True, first)
    return _form(project, visit, empty, None, {})


def save_new_profile(project: Project, visit: Visit) -> Page:
    """Create profile, or the form again with what is wrong (422)."""
    return _save(project, visit, None)


def edit_profile(project: Project, visit: Visit) -> Page:
    """The form of a stored profile, without its secret."""
    profile = project.store.get(profiles.KIND, visit.path["id"])
    if profile is None:
        return message("No such connector profile", "It may have been deleted.", 404)
    return _form(project, visit, Form.showing(profile), profile, {})


def save_profile(project: Project, visit: Visit) -> Page:
    """Save changes, or the form again with what is wrong (422)."""
    profile = project.store.get(profiles.KIND, visit.path["id"])
    if profile is None:
        return message("No such connector profile", "It may have been deleted.", 404)
    return _save(project, visit, profile)


def remove_profile(project: Project, visit: Visit) -> Page:
    """Delete the profile; its accounts become inactive."""
    if not _user(project, visit):
        return go(_SIGN_IN)
    profile = project.store.get(profiles.KIND, visit.path["id"])
    if profile is not None:
        profiles.remove(project, profile)
    return go(_LIST)


def _save(project: Project, visit: Visit, profile: Document | None) -> Page:
    if not _user(project, visit):
        return go(_SIGN_IN)
    form = Form.of(visit.fields(), visit.checked("actions"))
    with project.store.transaction():
        mistakes = form.mistakes(project, profile)
        if not mistakes:
            profiles.save(project, form, profile)
            return go(_LIST)
    return _form(project, visit, replace(form, client_secret=""), profile, mistakes, 422)


def _form(
    project: Project, visit: Visit, form: Form, profile: Document | None, mistakes: dict[str, str], status: int = 200
) -> Page:
    user = _user(project, visit)
    if not user:
        return go(_SIGN_IN)
    values: dict[str, Any] = {
        "user": user,
        "form": form,
        "profile": profile,
        "mistakes": mistakes,
        "groups": _groups(),
        "callback": oauth.callback(visit.pages),
        "linked": _linked(project, profile) if profile else 0,
    }
    return Page("profile.html.j2", values, status)


def _groups() -> list[tuple[str, list[Any]]]:
    ordered = sorted(actions.all_actions().values(), key=lambda one: (one.resource, one.name))
    return [(resource, list(found)) for resource, found in groupby(ordered, key=lambda one: one.resource)]


def _linked(project: Project, profile: Document) -> int:
    return len(project.store.find(accounts.KIND, profile_id=profile["id"]))


def _user(project: Project, visit: Visit) -> str:
    try:
        session = project.unseal(visit.cookies.get(_COOKIE, ""))
    except SealBroken:
        return ""
    return str(session["user"]) if session.get("until", 0) > project.now() else ""
