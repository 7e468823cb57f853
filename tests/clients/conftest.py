"""A scripted HTTPS service with its own CA, and clients of it."""

from __future__ import annotations

import ssl
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import trustme

from runbook.clients import retry
from runbook.clients.http import Session
from runbook.clients.retry import Pace
from runbook.clients.target import Endpoints, Target
from runbook.secrets import Secret

from .service import Service, serving


class Log:
    """A call log that keeps what it was told, in order."""

    def __init__(self) -> None:
        self.lines: list[tuple[str, dict[str, Any]]] = []

    def intent(self, **call: Any) -> int:
        self.lines.append(("intent", call))
        return len(self.lines)

    def outcome(self, ticket: int, **call: Any) -> None:
        self.lines.append(("outcome", {"ticket": ticket, **call}))

    def settled(self, ticket: int, **seen: Any) -> None:
        self.lines.append(("settled", {"ticket": ticket, **seen}))

    def call(self, **call: Any) -> None:
        self.lines.append(("call", call))

    @property
    def retries(self) -> int:
        return sum(line.get("retries", 0) for _, line in self.lines)


@pytest.fixture(scope="session")
def authority(tmp_path_factory: pytest.TempPathFactory) -> tuple[trustme.CA, Path]:
    ca = trustme.CA()
    file = tmp_path_factory.mktemp("ca") / "ca.pem"
    ca.cert_pem.write_to_path(str(file))
    return ca, file


@pytest.fixture
def other_ca(tmp_path: Path) -> Path:
    """A CA that signed nothing here."""
    file = tmp_path / "other-ca.pem"
    trustme.CA().cert_pem.write_to_path(str(file))
    return file


@pytest.fixture
def service(authority: tuple[trustme.CA, Path]) -> Iterator[Service]:
    ca, ca_file = authority
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    ca.issue_cert("localhost").configure_cert(context)
    with serving(context, ca_file) as running:
        yield running


@pytest.fixture
def pace() -> Pace:
    """A rehearsal's pace, only shorter still."""
    brisk = {"interval": 0.005, "longest_interval": 0.01, "first_wait": 0.005, "longest_wait": 0.01, "jitter": 0}
    limits = {"attempts": 4, "deadline": 5, "connect": 5, "read": 5, "whole": 10}
    return retry.pace(rehearsal=True).model_copy(update=brisk | limits)


@pytest.fixture
def log() -> Log:
    return Log()


@pytest.fixture
def session(service: Service, pace: Pace, log: Log) -> Iterator[Session]:
    with Session(service.base, "graph", pace=pace, ca_file=service.ca_file, journal=log) as one:
        yield one


@pytest.fixture
def target(service: Service, pace: Pace) -> Target:
    """The scripted service as a tenant."""
    return Target(
        name="sandbox",
        description="a scripted service",
        endpoints=Endpoints(service.base, service.base, service.base, service.base, ca_file=service.ca_file),
        tenant_id="11111111-2222-3333-4444-555555555555",
        client_id="aaaaaaaa-bbbb-cccc-dddd-eeeeeeeeeeee",
        client_secret=Secret("Adm1n~canary.secret_value-000000"),
        stackone_api_key=Secret("v1.eu1.canary-stackone-api-key-0000"),
        rehearsal=True,
        pace=pace,
    )
