"""The one choice object: a flat, schema-checked set of parameters that every road into the runbook shares.

Widgets edit its file, papermill injects it, the command line writes it from its options. It never holds a secret,
only references to secrets (``keyring:service/name``).
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Annotated, Any, Literal, get_args
from uuid import UUID

import yaml
from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, ValidationError, model_validator
from pydantic_core import PydanticCustomError

from runbook import catalog, mapping_file, whole
from runbook.catalog.body import close
from runbook.errors import InputError, Problem, SecretStoreError
from runbook.redirect_rules import redirect_problems
from runbook.secrets import reference
from runbook.secrets.reference import KINDS, SPECS, is_secret

PermissionType = Literal["delegated", "application"]
Secretive = Literal["client-secret", "certificate", "federated"]
Ambient = Literal["managed-identity", "azure-identity"]
Personal = Literal["browser", "device-code"]
Prunable = Literal[
    "permissions", "grants", "redirect-uris", "owners", "secrets", "certificates", "federated-credentials"
]

_DOMAIN = re.compile(r"(?=.{4,253}$)([a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?\.)+[a-z][a-z0-9-]{1,62}", re.IGNORECASE)
_UNIQUE_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{2,63}")
_CONTROL = re.compile(r"[\x00-\x1f\x7f]")


def _refuse(message: str) -> PydanticCustomError:
    return PydanticCustomError("runbook", "{message}", {"message": message})


def _tenant(value: str) -> str:
    try:
        return value and str(UUID(value))
    except ValueError:
        if _DOMAIN.fullmatch(value):
            return value.lower()
    raise _refuse("is neither a tenant id (a GUID) nor a domain name of the tenant, such as contoso.onmicrosoft.com.")


def _guid(value: str) -> str:
    try:
        return value and str(UUID(value))
    except ValueError:
        raise _refuse("is not a GUID, such as 1b4e28ba-2fa1-11d2-883f-0016d3cca427.") from None


def _unique_name(value: str) -> str:
    if _UNIQUE_NAME.fullmatch(value):
        return value
    raise _refuse("must be 3 to 64 letters, digits, dots, hyphens or underscores and begin with a letter or digit.")


def _reference(value: str) -> str:
    # The refused text is not repeated: somebody may have put the secret itself here.
    try:
        return value and str(reference.Reference.parse(value))
    except SecretStoreError:
        raise _refuse(
            "must be a reference into a secret store, such as keyring:stackone/api-key or file:stackone/api-key; "
            "a secret's value never belongs in the parameters."
        ) from None


def _secret_store(value: str) -> str:
    if value == "auto" or any(kind.takes(value) for kind in KINDS):
        return value
    raise _refuse(f"must be one of {', '.join(SPECS)}.")


def _one_line(value: str) -> str:
    if _CONTROL.search(value):
        raise _refuse("must not hold line breaks or control characters.")
    return value.strip()


def _folder(value: str) -> str:
    if "://" in _one_line(value):
        raise _refuse("is an address, which is for fleets: name a folder.")
    return os.path.expanduser(value)  # noqa: PTH111 - pathlib's raises


def _parts(value: object) -> object:
    return [part.strip() for part in re.split(r"[,\n]", value) if part.strip()] if isinstance(value, str) else value


def _actions(value: object) -> object:
    """Names, slugs or StackOne ids, as a list or as one comma-separated string, become slugs in the guide's order."""
    value = _parts(value)
    if not isinstance(value, list | tuple):
        raise _refuse('must be a list of actions, such as ["List Users", "Create Group"].')
    wrong = [f"{item!r} is not the name of an action." for item in value if not isinstance(item, str)]
    slugs: set[str] = set()
    for item in (item for item in value if isinstance(item, str)):
        try:
            slugs.add(catalog.action(item).slug)
        except InputError as error:
            wrong += [f"{problem.what} {problem.hint}".strip() for problem in error.problems]
    if wrong:
        raise _refuse(" ".join(wrong))
    if not slugs:
        raise _refuse("is empty: choose at least one action (`runbook actions` lists them).")
    return tuple(action.slug for action in catalog.actions() if action.slug in slugs)


def _types(value: object) -> object:
    value = ["delegated", "application"] if value == "both" else _parts(value)
    if not isinstance(value, list | tuple) or not value or any(v not in ("delegated", "application") for v in value):
        raise _refuse('must be one or both of "delegated" and "application".')
    return tuple(kind for kind in ("delegated", "application") if kind in value)


def _listed(value: object) -> object:
    value = _parts(value)
    return tuple(value) if isinstance(value, list) else value


Line = Annotated[str, AfterValidator(_one_line)]
Name = Annotated[str, Field(min_length=1, max_length=90), AfterValidator(_one_line)]
MaybeName = Annotated[str, Field(max_length=90), AfterValidator(_one_line)]
Reference = Annotated[str, AfterValidator(_reference)]


class Parameters(BaseModel):
    """One choice. Every field has a safe default; unknown keys and wrong types are refused.

    ``application_name`` stays within 90 characters because Entra ID refuses more for some audiences.
    ``apply`` and ``allow_writes`` left at ``None`` mean: yes on a rehearsal, no on a real tenant.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)

    # Where
    target: Literal["sandbox", "entra"] = "sandbox"
    sandbox_file: Line = ""
    tenant_id: Annotated[str, AfterValidator(_tenant)] = ""
    cloud: Literal["global", "usgov", "usgov-dod", "china"] = "global"
    # Who
    sign_in: Secretive | Ambient | Personal = "client-secret"
    client_id: Annotated[str, AfterValidator(_guid)] = ""
    client_secret_ref: Reference = ""
    # What
    actions: Annotated[tuple[str, ...], BeforeValidator(_actions)] = Field(default_factory=catalog.default_actions)
    permission_types: Annotated[tuple[PermissionType, ...], BeforeValidator(_types)] = ("delegated",)
    permission_source: Literal["guide", "least"] = "guide"
    # The application
    application_name: Name = "StackOne Entra ID connector"
    unique_name: Annotated[str, AfterValidator(_unique_name)] = "stackone-entra-id-connector"
    application_object_id: Annotated[str, AfterValidator(_guid)] = ""
    take_over: bool | None = None
    approve: Annotated[str, Field(pattern=r"^(sha256:[0-9a-f]{64})?$")] = ""
    prune: Annotated[tuple[Prunable, ...], BeforeValidator(_listed)] = ()
    unasked: Annotated[tuple[Literal["added", "changed", "removed"], ...], BeforeValidator(_listed)] = ()
    sign_in_audience: Literal["single", "multi"] = "multi"
    redirect_uri: str = ""
    consent: Literal["api", "link"] = "api"
    # The client secret
    secret_description: Name = "StackOne connector"
    secret_lifetime_days: Annotated[int, Field(ge=1, le=730)] = 180
    secret_renew_before_days: Annotated[int, Field(ge=0, le=365)] = 30
    secret_store: Annotated[str, AfterValidator(_secret_store)] = "auto"
    secret_overlap_days: Annotated[int, Field(ge=0, le=365)] = 7
    only_when_due: bool | None = None
    new_secret: bool | None = None
    purge: bool | None = None
    # StackOne
    stackone_api_key_ref: Reference = ""
    connector_profile_name: MaybeName = ""
    connector_profile_id: Line = ""
    account_owner_id: MaybeName = ""
    account_id: Line = ""
    account_owner_name: Name = "Entra ID runbook"
    account_username: Line = ""
    customer_tenant_id: Annotated[str, AfterValidator(_guid)] = ""
    link_lifetime_days: Annotated[int, Field(ge=1, le=30)] = 5
    link_to: Line = ""
    link_timeout_seconds: Annotated[int, Field(ge=10, le=3600)] = 300
    # How
    allow_writes: bool | None = None
    apply: bool | None = None
    records: Annotated[str, Field(min_length=1), AfterValidator(_folder)] = "records"
    signing_key_ref: Reference = ""
    engine: Literal["warm", "stock"] = "warm"

    @property
    def by_secret(self) -> bool:
        """Whether an application signs in by itself, with what ``client_secret_ref`` names."""
        return self.sign_in in get_args(Secretive)

    @model_validator(mode="after")
    def _together(self) -> Parameters:
        """What no field can tell alone."""
        redirect = redirect_problems(self.redirect_uri) if self.redirect_uri else ()
        mistakes = [("redirect_uri", text) for text in redirect]
        if self.secret_renew_before_days >= self.secret_lifetime_days:
            mistakes.append(("secret_renew_before_days", "must be smaller than secret_lifetime_days."))
        if self.customer_tenant_id and self.sign_in_audience == "single":
            mistakes.append(("customer_tenant_id", "needs sign_in_audience multi: a customer signs in elsewhere."))
        if self.target == "entra":
            mistakes += self._needed_on_a_real_tenant()
        elif self.cloud != "global":
            mistakes.append(("cloud", "is for a real tenant; the sandbox has its own addresses."))
        if mistakes:
            raise PydanticCustomError("runbook_many", "several", {"mistakes": mistakes})
        return self

    def _needed_on_a_real_tenant(self) -> list[tuple[str, str]]:
        needed = {"tenant_id": "the directory (tenant) id", "client_id": "the administrator application's client id"}
        if self.sign_in in get_args(Ambient):
            del needed["client_id"]
        if self.by_secret:
            needed["client_secret_ref"] = "the reference of that application's client secret, certificate or token"
        needed["stackone_api_key_ref"] = "the reference of the StackOne API key"
        mistakes = [
            (name, f"is needed for target entra: {text}.") for name, text in needed.items() if not getattr(self, name)
        ]
        if self.sandbox_file:
            mistakes.append(("sandbox_file", "is for target sandbox."))
        return mistakes


def parse(values: Mapping[str, Any]) -> Parameters:
    """Check ``values`` (a flat mapping of parameter names) and return the choice.

    Raises :class:`InputError` that names every mistake at once.
    """
    # A reference that is none has words of its own.
    secret = {name for name, value in values.items() if not name.endswith("_ref") and is_secret(value)}
    if secret := secret | set(filter(is_secret, values)):
        hint = "Keep it with `runbook secrets set`, and give its reference where one is asked for."
        what = "looks like a secret, which is no parameter; it is not repeated here."
        found = [Problem("a name" if is_secret(name) else name, what, hint) for name in sorted(secret)]
        raise InputError(found + _remaining(values, secret))
    try:
        return Parameters.model_validate(dict(values))
    except ValidationError as error:
        problems = list(_problems(error))
        rejected = {problem.where.split("[")[0] for problem in problems}
        raise InputError(problems + _remaining(values, rejected)) from None


def _remaining(values: Mapping[str, Any], rejected: set[str]) -> list[Problem]:
    """Mistakes between fields, which pydantic only looks for when every field is right by itself."""
    sound = {key: value for key, value in values.items() if key not in rejected}
    try:
        Parameters.model_validate(sound)
    except ValidationError as error:
        return [problem for problem in _problems(error) if problem.where not in rejected]
    return []


def _problems(error: ValidationError) -> Iterable[Problem]:
    for item in error.errors(include_input=False, include_url=False):
        where = str(item["loc"][0]) if item["loc"] else "parameters"
        if item["type"] == "runbook_many":
            yield from (Problem(name, text) for name, text in item["ctx"]["mistakes"])
        elif item["type"] == "extra_forbidden":
            hint = close(where, Parameters.model_fields) or "The known ones: " + ", ".join(Parameters.model_fields)
            yield Problem(where, "is not a parameter.", hint)
        elif item["type"] == "runbook":
            yield Problem(where, item["msg"])
        else:
            yield Problem(where, item["msg"][:1].lower() + item["msg"][1:] + ".")


def typed(name: str, text: str) -> Any:
    """A text for a parameter: where that is a number or a switch it is read as from a file."""
    field = Parameters.model_fields.get(name)
    return mapping_file.scalar(text) if field is not None and field.annotation in (int, bool | None) else text


def load(path: Path) -> Parameters:
    """Read and check a parameters file."""
    return parse(mapping_file.read(path))


def save(parameters: Parameters, path: Path, *, chosen: bool = True) -> None:
    """Write the choice whole, as YAML or (for ``*.json``) JSON, with only the values that differ from the defaults.

    The actions are always among them, except where nobody has ``chosen`` any.
    """
    values = parameters.model_dump(mode="json", exclude_defaults=True)
    values["actions"] = list(parameters.actions)
    if not chosen:
        del values["actions"]
    text = json.dumps(values, indent=2) + "\n" if path.suffix == ".json" else yaml.safe_dump(values, sort_keys=False)
    whole.write(path, text)
