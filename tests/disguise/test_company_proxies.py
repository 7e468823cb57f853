"""A company's proxies, real ones: one that opens every TLS connection, and one that wants a name and a password."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urlsplit

import pytest
import trustme

from tests.disguise.conftest import Desk, Tenant

PROGRAM = Path(__file__).with_name("company_proxy.py")
USER, PASSWORD = "clerk", "Quarterly-Canary-7"
_CA = ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "SSL_CERT_FILE")
_THROUGH = ("HTTPS_PROXY", "https_proxy")

Begin = Callable[..., Desk]


@contextmanager
def company(tenant: Tenant, folder: Path, *options: str) -> Iterator[int]:
    """The port of a proxy with these options of proxy.py."""
    port = str(urlsplit(tenant.ready["graph"]).port)
    common = ("--hostname", "127.0.0.1", "--port", "0", "--num-workers", "1", "--num-acceptors", "1")
    common += ("--log-level", "ERROR", "--cache-dir", str(folder / "cache"), "--data-dir", str(folder / "data"))
    line = [sys.executable, str(PROGRAM), port, *common, *options]
    pipe = subprocess.PIPE
    with subprocess.Popen(line, stdin=pipe, stdout=pipe, text=True, cwd=folder) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        yield int(process.stdout.readline())
        process.stdin.close()
        process.wait(timeout=20)


def through(port: int, name: str = "", ca_file: str = "") -> dict[str, str]:
    variables = dict.fromkeys(_THROUGH, f"http://{name}127.0.0.1:{port}")
    return variables | (dict.fromkeys(_CA, ca_file) if ca_file else {})


@pytest.fixture
def opening(tenant: Tenant, tmp_path: Path) -> Iterator[tuple[int, str]]:
    """A proxy that opens TLS, with its port and the file of the company's CA."""
    ca = trustme.CA()
    files = {"ca.pem": ca.cert_pem, "ca.key": ca.private_key_pem, "leaf.key": trustme.CA().private_key_pem}
    for name, blob in files.items():
        blob.write_to_path(str(tmp_path / name))
    names = {"--ca-cert-file": "ca.pem", "--ca-key-file": "ca.key", "--ca-signing-key-file": "leaf.key"}
    options = [part for option, name in names.items() for part in (option, str(tmp_path / name))]
    sandboxs = tenant.ready["environment"]["SSL_CERT_FILE"]
    with company(tenant, tmp_path, *options, "--ca-file", sandboxs, "--ca-cert-dir", str(tmp_path / "made")) as port:
        yield port, str(tmp_path / "ca.pem")


def test_a_proxy_that_opens_tls_is_trusted_by_the_companys_ca_and_by_nothing_else(
    desk: Begin, opening: tuple[int, str]
) -> None:
    port, ca_file = opening
    done = desk().call("plan", "--json", **through(port, ca_file=ca_file))
    assert done.returncode == 0, done.stdout + done.stderr
    assert json.loads(done.stdout)["pending"] > 0
    assert [*Path(ca_file).with_name("made").glob("*.pem")], "it did not open any connection"

    untrusted = desk().call("doctor", "--json", **through(port))
    assert untrusted.returncode == 1, untrusted.stdout + untrusted.stderr
    found = {each["about"]: each for each in json.loads(untrusted.stdout)["findings"]}
    assert found["way to Microsoft Graph"]["state"] == "failed"
    assert "certificate" in str(found["way to Microsoft Graph"]).lower()


def test_a_proxy_that_wants_a_password_gets_it_and_is_named_where_it_does_not(
    desk: Begin, tenant: Tenant, tmp_path: Path
) -> None:
    with company(tenant, tmp_path, "--basic-auth", f"{USER}:{PASSWORD}") as port:
        at = desk()
        done = at.call("plan", "--json", **through(port, f"{USER}:{PASSWORD}@"))
        assert done.returncode == 0, done.stdout + done.stderr
        assert PASSWORD not in done.stdout + done.stderr
        refused = desk().call("doctor", "--json", **through(port))
    assert refused.returncode == 1, refused.stdout + refused.stderr
    found = {each["about"]: each for each in json.loads(refused.stdout)["findings"]}
    graph = found["way to Microsoft Graph"]
    assert graph["state"] == "failed"
    assert "proxy" in graph["said"].lower()
    assert "unwell" not in graph["said"]
