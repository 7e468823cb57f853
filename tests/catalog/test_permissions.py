"""Every permission, and what must be true of it."""

from __future__ import annotations

import re
from uuid import UUID

import pytest

from runbook import catalog
from runbook.catalog import loader
from runbook.catalog.model import PERMISSION_TYPES, Permission

PERMISSIONS = pytest.mark.parametrize("permission", catalog.permissions().values(), ids=lambda p: p.name)


@PERMISSIONS
def test_ids_are_guids(permission: Permission) -> None:
    for text in (permission.delegated_id, permission.application_id):
        assert text is None or str(UUID(text)) == text


def test_no_id_is_used_twice() -> None:
    ids = [p.id(kind) for p in catalog.permissions().values() for kind in PERMISSION_TYPES if p.id(kind)]
    assert len(set(ids)) == len(ids)


def test_well_known_ids() -> None:
    known = catalog.permissions()
    assert known["User.Read"].delegated_id == "e1fe6dd8-ba31-4d61-89e7-88639da4683d"
    assert known["User.Read.All"].application_id == "df021288-bdef-4463-88db-98f22de89214"
    assert known["Application.ReadWrite.All"].application_id == "1bfefb4e-e0b5-418b-a88f-73c46d2cc8e9"
    assert known["RoleManagement.ReadWrite.Directory"].application_id == "9e3f62cf-ca93-4989-b6ce-bf83c28f9fe8"


@PERMISSIONS
def test_an_unpublished_permission_says_so(permission: Permission) -> None:
    if permission.delegated_id is None and permission.application_id is None:
        assert "unusable" in permission.note


@PERMISSIONS
def test_power_has_words_and_the_powerful_ones_say_what_they_can_do(permission: Permission) -> None:
    assert permission.power in catalog.power_words()
    assert (permission.power >= 5) <= bool(permission.powerful)
    if permission.powerful:
        assert permission.powerful.startswith("can ")
    if re.search(r"\.Read(Basic)?\.(All|Hidden|Directory)$", permission.name):
        assert permission.power <= 3


def test_power_of_a_wider_permission_is_above_that_of_what_it_contains() -> None:
    known = catalog.permissions()
    for wide, narrow in (
        ("Directory.ReadWrite.All", "Application.ReadWrite.All"),
        ("Directory.ReadWrite.All", "DelegatedPermissionGrant.ReadWrite.All"),
        ("Directory.Read.All", "Application.Read.All"),
        ("Application.ReadWrite.All", "Application.ReadWrite.OwnedBy"),
        ("Group.ReadWrite.All", "GroupMember.ReadWrite.All"),
        ("User.ReadWrite.All", "User.ReadUpdate.All"),
        ("User.Read.All", "User.ReadBasic.All"),
        ("User.ReadBasic.All", "User.Read"),
    ):
        assert known[wide].power > known[narrow].power, (wide, narrow)


def test_application_permissions_always_need_an_administrator() -> None:
    basic = catalog.permissions()["User.ReadBasic.All"]
    assert not basic.needs_admin_consent("delegated")
    assert basic.needs_admin_consent("application")


def test_base_permissions_are_delegated_and_need_no_administrator() -> None:
    assert loader.base_permissions() == ("offline_access", "openid", "profile", "User.Read")
    for name in loader.base_permissions():
        assert not catalog.permissions()[name].needs_admin_consent("delegated")
