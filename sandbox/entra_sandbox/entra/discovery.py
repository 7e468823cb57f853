"""OpenID Connect discovery, the key set, and instance discovery.

OpenID Connect Discovery 1.0; learn.microsoft.com/entra/identity-platform/v2-protocols-oidc. Addresses follow the Host
header, so the document fits however the client reached the sandbox.
"""

from __future__ import annotations

from typing import Any
from urllib.parse import urlsplit

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from entra_sandbox.entra import keys, tokens
from entra_sandbox.entra.call import answer, call_of, refusal
from entra_sandbox.entra.directory import EVERYBODY, is_federated, user_by_id, user_by_name
from entra_sandbox.entra.errors import AadError
from entra_sandbox.entra.routing import Route
from entra_sandbox.services import Services

__all__ = ["routes"]

_PUBLIC_HOSTS = ("login.microsoftonline.com", "login.windows.net", "login.microsoft.com", "sts.windows.net")

_OPEN = {"access-control-allow-origin": "*"}
_CLAIMS = ("sub", "iss", "aud", "exp", "iat", "nonce", "preferred_username", "name", "tid", "ver", "email")


def routes(services: Services) -> list[Route]:
    """What clients read before they ask for a token."""

    def document(version: str) -> Any:
        def read(request: Request) -> Response:
            try:
                call = call_of(services, request, request.query_params)
                tenant = call.tenant()
            except AadError as error:
                if error.code == 90002:
                    error = AadError("90002_discovery", tenant=request.path_params["tenant"])
                return refusal(services, request, error)
            segment = tenant.id if tenant else call.segment.lower()
            found = _document(services, call.base, segment, tenant.id if tenant else None, version)
            return JSONResponse(found, headers=_OPEN)

        return read

    def key_set(_request: Request) -> Response:
        return JSONResponse(keys.key_set(services), headers={"cache-control": "max-age=86400, private", **_OPEN})

    def instance(request: Request) -> Response:
        try:
            call = call_of(services, request, request.query_params)
            asked = urlsplit(call.need("authorization_endpoint")).path.strip("/").split("/")[0] or "common"
        except AadError as error:
            return refusal(services, request, error)
        host = urlsplit(call.base).netloc
        return answer(call, _instance(call.base, host, asked))

    def user_realm(request: Request) -> Response:
        try:
            user = user_by_name(services.store, request.path_params["user"], "organizations")
        except AadError:
            return JSONResponse({"ver": "1.0", "account_type": "Unknown"})
        realm = {"ver": "1.0", "account_type": "Managed", "domain_name": user.name.split("@")[-1]}
        if is_federated(services.store, user):
            provider = f"https://sts.{realm['domain_name']}/adfs/services/trust"
            names = {"account_type": "Federated", "federation_protocol": "WSTrust", "federation_metadata_url": provider}
            realm |= {**names, "federation_active_auth_url": f"{provider}/2005/usernamemixed"}
        return JSONResponse({**realm, "cloud_instance_name": "microsoftonline.com"})

    def user_info(request: Request) -> Response:
        """OpenID Connect Core 1.0 section 5.3, for access tokens of Microsoft Graph."""
        scheme, _, bearer = request.headers.get("authorization", "").partition(" ")
        try:
            claims = tokens.verify(services.store, bearer.strip() if scheme.lower() == "bearer" else "")
        except tokens.InvalidToken as error:
            body = {"error": {"code": "InvalidAuthenticationToken", "message": str(error)}}
            return JSONResponse(body, 401, headers={"www-authenticate": 'Bearer error="invalid_token"'})
        user = user_by_id(services.store, str(claims["oid"]))
        if user is None or "scp" not in claims:
            return JSONResponse({"error": {"code": "Authorization_RequestDenied", "message": "No user."}}, 403)
        # As in the ID token (OpenID Connect Core 1.0 section 5.3.2); the access token's own is that of its audience.
        sub = tokens.subject(user, str(claims["appid"]))
        found = {"sub": sub, "name": user.document.get("displayName"), "email": user.document.get("mail")}
        found |= {"given_name": user.document.get("givenName"), "family_name": user.document.get("surname")}
        return JSONResponse({name: value for name, value in found.items() if value})

    return [
        Route("/oidc/userinfo", user_info, methods=["GET", "POST"]),
        Route("/{tenant}/v2.0/.well-known/openid-configuration", document("v2.0")),
        Route("/{tenant}/.well-known/openid-configuration", document("v1.0")),
        Route("/{tenant}/discovery/v2.0/keys", key_set),
        Route("/{tenant}/discovery/keys", key_set),
        Route("/{tenant}/discovery/instance", instance),
        Route("/{tenant}/userrealm/{user}", user_realm),
    ]


def _document(services: Services, base: str, segment: str, tenant_id: str | None, version: str) -> dict[str, Any]:
    # Tokens come from https alone; a browser that came by plain http stays there.
    api = services.addresses.api if base.startswith("http:") else base
    pages = services.addresses.pages if services.plain_pages else base
    second = version == "v2.0"
    oauth = "oauth2/v2.0" if second else "oauth2"
    issuer = tenant_id or "{tenantid}"
    return {
        "token_endpoint": f"{api}/{segment}/{oauth}/token",
        "token_endpoint_auth_methods_supported": ["client_secret_post", "private_key_jwt", "client_secret_basic"],
        "jwks_uri": f"{api}/{segment}/discovery/{'v2.0/' if second else ''}keys",
        "response_modes_supported": ["query", "fragment", "form_post"],
        "subject_types_supported": ["pairwise"],
        "id_token_signing_alg_values_supported": ["RS256"],
        "response_types_supported": ["code"],
        "scopes_supported": ["openid", "profile", "email", "offline_access"],
        "issuer": f"{api}/{issuer}/v2.0" if second else f"{api}/{issuer}/",
        "request_uri_parameter_supported": False,
        "userinfo_endpoint": f"{api}/oidc/userinfo",
        "authorization_endpoint": f"{pages}/{segment}/{oauth}/authorize",
        "device_authorization_endpoint": f"{api}/{segment}/{oauth}/devicecode",
        "http_logout_supported": False,
        "frontchannel_logout_supported": False,
        "end_session_endpoint": f"{pages}/{segment}/{oauth}/logout",
        "claims_supported": list(_CLAIMS),
        "tenant_region_scope": "EU",
        "cloud_instance_name": "microsoftonline.com",
        "cloud_graph_host_name": "graph.windows.net",
        "msgraph_host": "graph.microsoft.com",
        "rbac_url": "https://pas.windows.net",
    }


def _instance(base: str, host: str, asked: str) -> dict[str, Any]:
    """Instance discovery: the tenant that was asked for is put back; a fixed one would send the client elsewhere."""
    aliases = list(_PUBLIC_HOSTS) if host in _PUBLIC_HOSTS else [host]
    cache = "login.windows.net" if host in _PUBLIC_HOSTS else host
    metadata = [{"preferred_network": aliases[0], "preferred_cache": cache, "aliases": aliases}]
    endpoint = f"{base}/{asked if asked not in EVERYBODY else asked.lower()}/v2.0/.well-known/openid-configuration"
    return {"tenant_discovery_endpoint": endpoint, "api-version": "1.1", "metadata": metadata}
