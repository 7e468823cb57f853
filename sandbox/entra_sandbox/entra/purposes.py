"""What a person signs in for: a code for an application, a device, or consent for the organization.

Each purpose says which application asks, what has to be consented to, and how the request ends.
"""

from __future__ import annotations

import uuid
from dataclasses import dataclass
from functools import cached_property
from typing import Protocol

from starlette.responses import Response

from entra_sandbox.entra import consents
from entra_sandbox.entra.call import Call
from entra_sandbox.entra.directory import Client, User, client_of, service_principal
from entra_sandbox.entra.errors import AadError
from entra_sandbox.entra.grant_types import CODE_KIND, DEVICE_KIND
from entra_sandbox.entra.pages import error_page, give_back, page
from entra_sandbox.entra.redirects import choose, is_spa
from entra_sandbox.entra.scopes import Resource, Wanted, parse, resource_of
from entra_sandbox.entra.token_response import SignIn, new_code
from entra_sandbox.entra.wording import in_words

__all__ = ["AdminConsent", "Ask", "Authorize", "Device", "Part", "Purpose", "purpose_of"]

CODE_SECONDS = 600

_CHALLENGE = range(43, 129)
"""Sizes of a code challenge (RFC 7636 section 4.2)."""

_PROMPTS = frozenset({"login", "none", "consent", "select_account", "admin_consent", "create"})


@dataclass(frozen=True)
class Part:
    """Permissions of one resource that consent is asked for: delegated names and names of app roles."""

    resource: Resource
    names: tuple[str, ...]
    roles: tuple[str, ...] = ()

    @property
    def needs_admin(self) -> bool:
        """Whether one of them is not for users to consent to."""
        admin = [name for name in self.names if self._scope(name).get("type") == "Admin"]
        return bool(admin or self.roles)

    def rows(self, admin: bool) -> list[dict[str, str]]:
        """The permissions in words, as the resource describes them to administrators or to users."""
        who = "admin" if admin else "user"
        rows = []
        for name in self.names:
            scope = self._scope(name)
            title = scope.get(f"{who}ConsentDisplayName") or scope.get("adminConsentDisplayName") or ""
            text = scope.get(f"{who}ConsentDescription") or scope.get("adminConsentDescription") or ""
            rows.append(_row(name, str(title), str(text), "delegated"))
        for role in self.resource.app_roles.values():
            if role["value"] in self.roles:
                title, text = str(role.get("displayName") or ""), str(role.get("description") or "")
                rows.append(_row(str(role["value"]), title, text, "application"))
        return rows

    def _scope(self, name: str) -> dict[str, object]:
        return self.resource.scopes.get(name.lower(), {})


def _row(name: str, title: str, text: str, kind: str) -> dict[str, str]:
    return {"title": in_words(name, title), "text": "" if text == name else text, "name": name, "kind": kind}


@dataclass(frozen=True)
class Ask:
    """What the consent page asks. ``organization``: it can only be answered for everybody."""

    parts: tuple[Part, ...]
    organization: bool = False
    replace: bool = False


class Purpose(Protocol):
    """One of the three below."""

    @property
    def client(self) -> Client: ...

    @property
    def resource_name(self) -> str | None: ...

    def ask(self, user: User) -> Ask | None:
        """What still needs consent from this person; None if nothing does."""

    def finish(self, sign_in: SignIn) -> Response:
        """The person has signed in and consented."""

    def fail(self, error: AadError) -> Response:
        """The person said no, or may not."""


class _Signing:
    """What the two kinds of sign-in have in common."""

    def __init__(self, call: Call, client: Client, scope: str) -> None:
        self.call = call
        self.client = client
        self._scope = scope

    @cached_property
    def wanted(self) -> Wanted:
        """The scope, read; AADSTS900144, 28000 or 70011 if it cannot be."""
        return parse(self._scope, self.call.own)

    @property
    def resource_name(self) -> str | None:
        return self.wanted.resource

    def ask(self, user: User) -> Ask | None:
        store, wanted = self.call.store, self.wanted
        resource = resource_of(store, user.tenant, wanted.resource)
        principal = service_principal(store, user.tenant, self.client.app_id)
        granted = consents.delegated_scopes(store, principal, resource, user.id) if principal else set()
        always = "consent" in self.call.get("prompt")
        if wanted.default:
            names = [] if granted and not always else consents.requested(self.client, resource, "Scope")
            missing = names
        else:
            names = [resource.delegated(name, self.client.name) for name in wanted.names]
            known = principal is not None and consents.any_grant(store, principal, user.id)
            if resource.is_graph:
                names += [word for word in wanted.oidc if word not in names and (always or not known)]
            missing = [name for name in names if name not in granted]
        if not missing and not always:
            return None
        part = Part(resource, tuple(names if always else missing))
        # Where assignment is required, people cannot consent for themselves: learn.microsoft.com/entra/identity/
        # enterprise-apps/assign-user-or-group-access-portal
        assigned = bool(principal and principal.get("appRoleAssignmentRequired"))
        return Ask((part,), organization=assigned or self.call.get("prompt") == "admin_consent")


class Authorize(_Signing):
    """RFC 6749 section 4.1.1: the browser goes back to the application with a code."""

    def __init__(self, call: Call, client: Client, redirect_uri: str) -> None:
        self.redirect_uri = redirect_uri
        self.mode = call.get("response_mode") or "query"
        super().__init__(call, client, call.get("scope"))

    def check(self) -> None:
        """AADSTS900144, 28000, 70005, 70011, 90023, 501491, 9002325, 9002313: what can be said before a sign-in."""
        assert self.wanted
        if self.call.need("response_type") != "code":
            raise AadError(70005)
        if self.mode not in ("query", "fragment", "form_post"):
            raise AadError(9002313)
        challenge = self.call.get("code_challenge")
        if is_spa(self.client, self.redirect_uri) and not challenge:
            raise AadError(9002325)
        if self.call.get("code_challenge_method") not in ("", "plain", "S256"):
            raise AadError(9002313)
        if challenge and len(challenge) not in _CHALLENGE:
            raise AadError(501491)
        if set(self.call.get("prompt").split()) - _PROMPTS:
            raise AadError(90023)

    def finish(self, sign_in: SignIn) -> Response:
        call = self.call
        document = {
            "client": self.client.app_id,
            "user": sign_in.user.id,
            "methods": list(sign_in.methods),
            "at": sign_in.at,
            "redirectUri": self.redirect_uri,
            "scope": call.get("scope"),
            "base": call.base,
            "nonce": call.get("nonce"),
            "challenge": call.get("code_challenge"),
            "challengeMethod": call.get("code_challenge_method") or "plain",
            "redeemed": False,
        }
        code = new_code(call.store, CODE_KIND, document, CODE_SECONDS, "1.")
        return self._back({"code": code, "session_state": str(uuid.uuid4())})

    def fail(self, error: AadError) -> Response:
        body = error.body(self.call.store.now(), self.call.base, self.call.correlation_id)
        return self._back({name: str(body[name]) for name in ("error", "error_description", "error_uri")})

    def _back(self, values: dict[str, str]) -> Response:
        if "state" in self.call.parameters:
            values["state"] = self.call.get("state")
        mode = self.mode if self.mode in ("query", "fragment", "form_post") else "query"
        return give_back(self.redirect_uri, mode, values)


class Device(_Signing):
    """RFC 8628 section 3.3: somebody else's device waits for this person."""

    def __init__(self, call: Call, code_id: str) -> None:
        kept = call.store.get(DEVICE_KIND, code_id)
        if kept is None or kept["status"] != "pending" or call.store.now() >= kept["expires"]:
            raise AadError(70019)
        self.code_id = code_id
        super().__init__(call, client_of(call.store, kept["client"]), kept["scope"])

    def finish(self, sign_in: SignIn) -> Response:
        done = {"user": sign_in.user.id, "methods": list(sign_in.methods), "at": sign_in.at, "status": "approved"}
        self.call.store.update(DEVICE_KIND, self.code_id, done)
        title = f"You have signed in to {self.client.name}"
        return page("done", title=title, text="You may now close this window and go back to your device.")

    def fail(self, error: AadError) -> Response:
        self.call.store.update(DEVICE_KIND, self.code_id, {"status": "declined"})
        return error_page(self.call, error)


class AdminConsent:
    """The admin consent endpoints; learn.microsoft.com/entra/identity-platform/v2-admin-consent.

    Without ``scope`` (v1) or with ``.default`` everything that the registration requests, app roles included; with
    single scopes (v2) those.
    """

    def __init__(self, call: Call, client: Client) -> None:
        self.call = call
        self.client = client
        self.scope = call.get("scope")

    @property
    def resource_name(self) -> str | None:
        return None

    def ask(self, user: User) -> Ask | None:
        store, tenant = self.call.store, user.tenant
        wanted = parse(self.scope, self.call.own) if self.scope else None
        if wanted is not None and not wanted.default:
            resource = resource_of(store, tenant, wanted.resource)
            names = [resource.delegated(name, self.client.name) for name in wanted.names]
            names += [word for word in wanted.oidc if resource.is_graph]
            return Ask((Part(resource, tuple(dict.fromkeys(names))),), organization=True)
        parts = []
        for entry in self.client.document.get("requiredResourceAccess") or ():
            resource = resource_of(store, tenant, str(entry["resourceAppId"]))
            names = consents.requested(self.client, resource, "Scope")
            roles = consents.requested(self.client, resource, "Role")
            parts.append(Part(resource, tuple(names), tuple(roles)))
        return Ask(tuple(parts), organization=True, replace=True)

    def finish(self, sign_in: SignIn) -> Response:
        values = {"admin_consent": "True", "tenant": sign_in.user.tenant.id}
        if self.scope:
            values["scope"] = self.scope
        return self._back(values)

    def fail(self, error: AadError) -> Response:
        body = error.body(self.call.store.now(), self.call.base, self.call.correlation_id)
        return self._back(
            {"error": error.error, "error_description": body["error_description"], "admin_consent": "True"}
        )

    def _back(self, values: dict[str, str]) -> Response:
        if "state" in self.call.parameters:
            values["state"] = self.call.get("state")
        try:
            address = choose(self.client, self.call.get("redirect_uri"))
        except AadError as error:
            if error.code != 500113:
                raise
            address = f"{self.call.base}/{self.call.segment}/adminconsent/done"
        return give_back(address, "query", values)


def purpose_of(call: Call, kind: str, extras: dict[str, str]) -> Purpose:
    """The purpose of a request; AADSTS errors that no application may be told about (RFC 6749 section 4.1.2.1)."""
    if kind == "device":
        return Device(call, extras["code"])
    tenant = call.tenant()
    client = client_of(call.store, call.need("client_id"), tenant)
    if kind == "admin_consent":
        if call.get("redirect_uri"):
            choose(client, call.get("redirect_uri"))
        return AdminConsent(call, client)
    redirect_uri = choose(client, call.get("redirect_uri"))
    if tenant is None and not client.multi_tenant:
        raise AadError(50194, app_id=client.app_id, app_name=client.name)
    return Authorize(call, client, redirect_uri)
