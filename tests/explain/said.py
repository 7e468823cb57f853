"""What the services say, by the row that must be recognised: the sandbox is made to say it on a real call.

``SIGN_IN``: the AADSTS number in an answer of the token endpoint. ``GRAPH``: call, status, code, message.
``STACKONE``: status and message. Where the sandbox behaves so by itself, the row is provoked in ``test_provoked.py``.
"""

from __future__ import annotations

SIGN_IN: dict[str, int] = {
    "clock_assertion": 700024,
    "secret_of_connector": 7000215,
    "secret_ended": 7000222,
    "application_disabled": 7000112,
    "assignment_required": 50105,
    "public_client": 7000218,
    "public_with_secret": 700025,
    "credential_missing": 7000216,
    "assertion": 700027,
    "audience_single": 50194,
    "resource_unknown": 500011,
    "resource_not_requested": 650057,
    "permission_undeclared": 650053,
    "disabled_resource": 50001,
    "consent_missing": 65001,
    "consent_declined": 65004,
    "consent_of_administrator": 90094,
    "user_unknown": 50034,
    "user_of_another_tenant": 50020,
    "user_locked": 50053,
    "password_ended": 50055,
    "user_disabled": 50057,
    "session_missing": 50058,
    "password_wrong": 50126,
    "second_factor": 50076,
    "interrupted": 50199,
    "session_revoked": 50173,
    "conditional_access": 53003,
    "code_pending": 70018,
    "code_ended": 70020,
    "grant_used": 54005,
    "external_directory": 80014,
    "redirect_uri": 50011,
    "redirect_type": 9002326,
    "tenant_unknown": 50059,
    "cloud_other": 900382,
    "request_malformed": 900144,
    "scope_form": 1002012,
    "service_unwell": 90024,
    "sign_in_unknown": 424242,
}

# Of the administrator's own sign-in.
ADMINISTRATOR: dict[str, int] = {
    "secret_of_administrator": 7000215,
    "secret_ended_of_administrator": 7000222,
    "application_unknown_to_tenant": 700016,
    "application_disabled_of_administrator": 7000112,
    "consent_of_administrators_application": 65001,
    "redirect_of_administrators_application": 50011,
}

BAD, DENIED = "Request_BadRequest", "Authorization_RequestDenied"
PRIVILEGES = "Insufficient privileges to complete the operation."
ABSENT = "Resource '1' does not exist or one of its queried reference-property objects are not present."
TAKEN = "Request_MultipleObjectsWithSameKeyValue"
NOT_FOUND = "Request_ResourceNotFound"
NAMED = "PATCH /applications(uniqueName='x')"

GRAPH: dict[str, tuple[str, int, str, str]] = {
    "way_refused": ("GET /organization", 403, "", ""),
    "secret_forbidden_in_words": (
        *("POST /applications/1/addPassword", 400, BAD),
        "Credential type not allowed as per assigned policy '1'.",
    ),
    "secret_lifetime_in_words": (
        *("POST /applications/1/addPassword", 400, BAD),
        "Credential lifetime exceeds the max value allowed as per assigned policy '1'.",
    ),
    "secret_limit": ("POST /applications/1/addPassword", 400, BAD, "The limit of password credentials is reached."),
    "principal_missing_at_graph": ("GET /users", 403, "Authorization_IdentityNotFound", "The identity was not found."),
    "personal_registration_young": (NAMED, 409, "Error_MsaAppDoesNotExist", "The MSA application does not exist."),
    "application_owned_by_delay": (
        *("POST /servicePrincipals", 403, DENIED),
        "When using this permission, the backing application of the service principal being created must in the local "
        "tenant",
    ),
    "assignment_reference": (
        *("POST /servicePrincipals/1/appRoleAssignedTo", 400, BAD),
        "Not a valid reference update.",
    ),
    "assignment_conflict": ("POST /servicePrincipals/1/appRoleAssignments", 409, TAKEN, "It exists."),
    "grant_perhaps_applied": ("POST /oauth2PermissionGrants", 404, "Directory_ObjectNotFound", "Unable to read."),
    "grant_exists": ("POST /oauth2PermissionGrants", 409, TAKEN, "It exists."),
    "grant_exists_as_bad_request": ("POST /oauth2PermissionGrants", 400, BAD, "Permission entry already exists."),
    "grant_unknown": ("PATCH /oauth2PermissionGrants/1", 404, NOT_FOUND, ABSENT),
    "link_reference": (
        *("POST /groups/1/members/$ref", 400, BAD),
        "The source resource object or one of the objects being referenced don't exist.",
    ),
    "link_perhaps_written": ("POST /groups/1/members/$ref", 404, NOT_FOUND, ABSENT),
    "application_being_written": ("PATCH /applications/1", 409, NOT_FOUND, ABSENT),
    "location_unknown": ("GET /identity/conditionalAccess/namedLocations/1", 404, "NotFound", "Not found."),
    "concurrent_write": ("PATCH /groups/1", 409, "Directory_ConcurrencyViolation", "A conflict."),
    "no_licence_code": (
        *("GET /users", 403, "Authentication_RequestFromNonPremiumTenantOrB2CTenant"),
        "Neither tenant is B2C or tenant has what it takes.",
    ),
    "may_not_register": (NAMED, 403, DENIED, PRIVILEGES),
    "may_not_change_application": ("PATCH /applications/1", 403, DENIED, PRIVILEGES),
    "may_not_make_principal": ("POST /servicePrincipals", 403, DENIED, PRIVILEGES),
    "may_not_assign": ("POST /servicePrincipals/1/appRoleAssignedTo", 403, DENIED, PRIVILEGES),
    "may_not_grant": ("POST /oauth2PermissionGrants", 403, DENIED, PRIVILEGES),
    "conditional_access_permission": (
        *("POST /identity/conditionalAccess/policies", 403, "AccessDenied"),
        "You cannot perform the requested operation, required scopes are missing in the token.",
    ),
    "quota": (NAMED, 403, "Directory_QuotaExceeded", "The directory object quota limit has been exceeded."),
    "denied": ("GET /users", 403, DENIED, PRIVILEGES),
    "identifier_uri": (
        *("PATCH /applications/1", 400, BAD),
        "Values of identifierUris property must use a verified domain of the organization or its subdomain: 'https://x'",
    ),
    "token_version": ("PATCH /applications/1", 400, BAD, "Property api.requestedAccessTokenVersion is invalid."),
    "audience_personal": (NAMED, 400, BAD, "Property signInAudience is not valid with the other properties."),
    "permission_enabled": (
        *("PATCH /applications/1", 400, "CannotDeleteOrUpdateEnabledEntitlement"),
        "Permission (scope or role) cannot be deleted or updated unless disabled first.",
    ),
    "licence_location": (
        *("POST /users/1/assignLicense", 400, BAD),
        "License assignment cannot be done for user with invalid usage location.",
    ),
    "licence_used_up": (
        *("POST /users/1/assignLicense", 400, BAD),
        "Subscription with SKU 1 does not have any available licenses.",
    ),
    "domain_unverified": ("POST /domains/x/verify", 400, BAD, "Domain verification failed: no DNS record."),
    "last_administrator": ("DELETE /directoryRoles/1/members/2/$ref", 400, BAD, "The last Global Administrator."),
    "trusted_location": (
        *("DELETE /identity/conditionalAccess/namedLocations/1", 400, "BadRequest"),
        "A trusted location cannot be deleted.",
    ),
    "query_unsupported": ("GET /users", 400, "Request_UnsupportedQuery", "Unsupported query."),
    "token_refused": ("GET /users", 401, "InvalidAuthenticationToken", "Access token validation failure."),
    "object_not_found": ("GET /policies/x", 404, "NotFound", "Not found."),
    "conflict": ("POST /groups", 409, "Conflict", "A conflict."),
    "locked": ("PATCH /groups/1", 423, "Locked", "The object is locked."),
    "conditional_access_pace": ("GET /identity/conditionalAccess/policies", 429, "TooManyRequests", "Too many."),
    "throttled": ("GET /groups", 429, "TooManyRequests", "Too many requests."),
    "graph_unwell": ("GET /groups", 503, "serviceNotAvailable", "Try again later."),
    "graph_unknown": ("PATCH /groups/1", 400, BAD, "Nobody has seen this text before."),
}

STACKONE: dict[str, tuple[int, str]] = {
    "linked_token_ended": (401, "the access token has expired and there is no refresh token"),
    "key_limited": (403, "Forbidden"),
    "thing_exists": (409, "Exists"),
    "link_again": (412, "The account must be linked again."),
    "stackone_unwell": (502, "The provider does not answer."),
    "stackone_unknown": (422, "Nobody has seen this text before."),
}
