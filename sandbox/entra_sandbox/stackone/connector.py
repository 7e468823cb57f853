"""The one connector of the project, from ``connector.json``.

The connector's key, its action ids and its callback are StackOne's (docs.stackone.com, the Microsoft Entra ID
guide); the keys of the two authentication types are not in public documents and are ours.
"""

from __future__ import annotations

from functools import cache
from importlib import resources

from pydantic import BaseModel, ConfigDict

__all__ = ["Authentication", "Connector", "connector"]


class Authentication(BaseModel):
    """One way to authenticate: ``authority`` is the tenant segment of the address, None when the profile names it."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    key: str
    label: str
    authority: str | None


class Connector(BaseModel):
    """What StackOne's catalogue says of a connector, and how its requests are built."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    key: str
    label: str
    description: str
    version: str
    categories: tuple[str, ...]
    release_stage: str
    owner: str
    logo_url: str
    real_host: str
    real_authority: str
    callback_path: str
    api_path: str
    base_scopes: tuple[str, ...]
    default_scopes: tuple[str, ...]
    authentication: tuple[Authentication, ...]
    query_aliases: dict[str, str]
    eventual_queries: tuple[str, ...]
    known_categories: tuple[str, ...]

    def authentication_of(self, key_or_label: str) -> Authentication | None:
        """The authentication type with this key or label, in any casing."""
        wanted = key_or_label.strip().lower()
        return next((one for one in self.authentication if wanted in (one.key, one.label.lower())), None)


@cache
def connector() -> Connector:
    """The connector ``microsoftentraid``; pydantic's ValidationError if the data file is damaged."""
    text = resources.files(__package__).joinpath("connector.json").read_text(encoding="utf-8")
    return Connector.model_validate_json(text)
