"""References name secrets and are never secrets."""

from __future__ import annotations

import pytest

from runbook.errors import SecretStoreError
from runbook.secrets import Secret
from runbook.secrets.reference import Reference
from runbook.secrets.stores import open_store

GOOD = [
    "keyring:stackone/api-key",
    "file:stackone-connector/11111111-2222-3333-4444-555555555555/aaaaaaaa-bbbb-cccc-dddd-eeeeeeeeeeee",
    "file:AAAAAAAA-bbbb-cccc-dddd-EEEEEEEE1234",
    "azure-key-vault:myvault.vault.azure.net/stackone-connector-secret",
    "vault:secret/stackone/api-key",
    "env:STACKONE_API_KEY",
    "file-at:/run/secrets/stackone-api-key",
]

VALUES = [
    "abc8Q~0123456789.abcdefghij_KLMNOPQRSTUVWX",
    "v1.eu1.abcdefghijklmnopqrstuvwxyz012345",
    "eyJhbGciOiJSUzI1NiJ9.eyJzdWIiOiIxIn0.c2lnbmF0dXJl",
    "Zm9vYmFyQmF6MTIzNDU2Nzg5MGFiY2RlZmdo",
]


@pytest.mark.parametrize("text", GOOD)
def test_a_reference_reads_back_as_it_was_written(text: str) -> None:
    assert str(Reference.parse(text)) == text


@pytest.mark.parametrize("value", VALUES)
@pytest.mark.parametrize("form", ["{}", "file:{}", "keyring:service/{}", "file:{}/name"])
def test_a_value_in_place_of_a_reference_is_refused_and_not_repeated(value: str, form: str) -> None:
    with pytest.raises(SecretStoreError) as caught:
        Reference.parse(form.format(value))
    assert value not in str(caught.value)


@pytest.mark.parametrize(
    "text",
    ["", "file", "file:", "file:/a", "file:a//b", "file:../a", "file:a b", "file:a\nb", "safe:X", "file-at:relative"],
)
def test_what_is_not_a_reference_is_refused(text: str) -> None:
    with pytest.raises(SecretStoreError):
        Reference.parse(text)


def test_a_name_that_looks_like_a_value_is_not_taken() -> None:
    with pytest.raises(SecretStoreError):
        open_store("file").put(VALUES[0], Secret("x"))
