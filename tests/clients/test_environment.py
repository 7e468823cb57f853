"""What the environment says of proxies and TLS is used, or named as the mistake by its variable, and never shown."""

from __future__ import annotations

from pathlib import Path

import certifi
import pytest

from runbook.clients.http import Session
from runbook.clients.retry import pace
from runbook.clients.target import tls_context
from runbook.errors import InputError

PROXIES = (
    "http://[::1",
    "ftp://proxy.example",
    "http://proxy.example:x",
    "http://admin:hunter2-hunter2#@proxy.example:x",
    "socks9://proxy.example",
    "socks5://proxy.example:1080",
)


def opened() -> None:
    Session("https://graph.microsoft.com", "Microsoft Graph", pace=pace(rehearsal=False)).close()


@pytest.fixture(autouse=True)
def _clear(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("HTTPS_PROXY", "HTTP_PROXY", "ALL_PROXY", "NO_PROXY", "SSLKEYLOGFILE"):
        for each in (name, name.lower()):
            monkeypatch.delenv(each, raising=False)


@pytest.mark.parametrize("value", PROXIES)
@pytest.mark.parametrize("name", ["HTTPS_PROXY", "ALL_PROXY", "https_proxy"])
def test_what_is_no_address_of_a_proxy_is_named_by_its_variable(
    monkeypatch: pytest.MonkeyPatch, name: str, value: str
) -> None:
    monkeypatch.setenv(name, value)
    with pytest.raises(InputError, match=name) as caught:
        opened()
    assert "hunter2" not in str(caught.value)
    assert caught.value.exit_code == 2


def test_ill_formed_exceptions_from_proxies_are_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HTTPS_PROXY", "http://proxy.example:8080")
    monkeypatch.setenv("NO_PROXY", "[::1")
    with pytest.raises(InputError, match="NO_PROXY"):
        opened()


@pytest.mark.parametrize("value", ["http://proxy.example:8080", "proxy.example:8080", "http://u:p@proxy.example", ""])
def test_a_usable_address_is_taken(monkeypatch: pytest.MonkeyPatch, value: str) -> None:
    monkeypatch.setenv("HTTPS_PROXY", value)
    opened()


def test_a_file_for_tls_keys_that_cannot_be_written_is_named(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("SSLKEYLOGFILE", str(tmp_path / "nowhere" / "keys"))
    with pytest.raises(InputError, match="SSLKEYLOGFILE"):
        opened()


def test_certificates_are_read_once_and_anew_where_their_file_has_changed(tmp_path: Path) -> None:
    file, known = tmp_path / "ca.pem", Path(certifi.where()).read_text(encoding="utf-8")
    file.write_text(known)
    first = tls_context(file)
    assert tls_context(file) is first
    end = "-----END CERTIFICATE-----\n"
    file.write_text(known.partition(end)[0] + end)
    assert (tls_context(file).cert_store_stats()["x509_ca"], first.cert_store_stats()["x509_ca"] > 1) == (1, True)
