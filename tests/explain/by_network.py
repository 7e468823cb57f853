"""The way to a service fails, and a sign-in is refused: provoked."""

from __future__ import annotations

import contextlib
import dataclasses
import gzip
import socket
import ssl
import threading
from collections.abc import Iterator
from typing import Any

import pytest
import trustme

from runbook.clients import bounded, retry
from runbook.clients.calls import FixedToken
from runbook.clients.entra import Administrator, application_token
from runbook.clients.graph import GraphClient
from runbook.clients.http import Session
from runbook.errors import RunbookError
from runbook.parameters import parse
from runbook.secrets import Secret
from runbook.sections import NAMES, section
from runbook.tenant.base import open_context, run_section
from runbook.tenant.credentials import Credential, require_current, secret_name, token, when
from runbook.tenant.registration import require_application, service_principal
from tests.clients.service import Reply, serving

from .conftest import Stage
from .provoke import as_administrator, as_connector, failing, provokes

# the way to a service


def brisk(stage: Stage) -> GraphClient:
    target = dataclasses.replace(stage.ctx.target, pace=stage.ctx.graph.pace.model_copy(update={"attempts": 1}))
    return GraphClient(target, FixedToken(stage.ctx.administrator.token()))


@provokes("way_untrusted")
def _untrusted(stage: Stage) -> RunbookError:
    with Session(stage.ready["graph"], "graph", pace=stage.ctx.graph.pace) as session:
        return failing(lambda: session.request("GET", "/v1.0/organization"))


@provokes("way_unsent")
def _unsent(stage: Stage) -> RunbookError:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))  # bound and not listening: nobody answers there
        once = stage.ctx.graph.pace.model_copy(update={"attempts": 1})
        with Session(f"https://127.0.0.1:{taken.getsockname()[1]}", "graph", pace=once) as session:
            return failing(lambda: session.request("GET", "/x"))


@provokes("way_proxy")
def _proxy(stage: Stage) -> RunbookError:
    with refusing_proxy(407) as address, pytest.MonkeyPatch.context() as patch:
        for name in ("NO_PROXY", "no_proxy", "https_proxy", "ALL_PROXY", "all_proxy"):
            patch.delenv(name, raising=False)
        patch.setenv("HTTPS_PROXY", address)
        with Session("https://graph.microsoft.com", "graph", pace=stage.ctx.graph.pace) as session:
            error = failing(lambda: session.request("POST", "/v1.0/groups", json={}))
    assert not retry.maybe_applied(error)
    return error


@contextlib.contextmanager
def refusing_proxy(status: int) -> Iterator[str]:
    with socket.create_server(("127.0.0.1", 0)) as server:

        def serve() -> None:
            with contextlib.suppress(OSError):
                connection, _ = server.accept()
                with connection:
                    connection.recv(4096)
                    connection.sendall(f"HTTP/1.1 {status} Refused\r\nContent-Length: 0\r\n\r\n".encode())

        threading.Thread(target=serve, daemon=True).start()
        yield f"http://127.0.0.1:{server.getsockname()[1]}"


@provokes("way_sent")
def _sent(stage: Stage) -> RunbookError:
    with stage.ill({"kind": "reset", "when": "after", "match": {"method": "POST", "path": "/v1.0/groups"}}):
        return failing(lambda: stage.ctx.graph.post("/groups", {}))


@provokes("way_unanswered")
def _unanswered(stage: Stage) -> RunbookError:
    with brisk(stage) as graph, stage.ill({"kind": "reset", "match": {"path": "/v1.0/groups"}}):
        return failing(lambda: graph.get("/groups"))


@provokes("way_bounds")
def _bounds(stage: Stage) -> RunbookError:
    ca = trustme.CA()
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    ca.issue_cert("localhost").configure_cert(context)
    file = stage.state.with_name("other-ca.pem")
    ca.cert_pem.write_to_path(str(file))
    bomb = Reply(200, gzip.compress(b" " * (bounded.LARGEST + 10)), {"content-encoding": "gzip"})
    with (
        serving(context, file) as service,
        Session(service.base, "graph", pace=stage.ctx.graph.pace, ca_file=file) as s,
    ):
        service.on("GET", "/x", bomb)
        return failing(lambda: s.request("GET", "/x"))


# sign-in


@provokes("secret_id_of_administrator")
def _id_of_administrator(stage: Stage) -> RunbookError:
    error = failing(lambda: as_administrator(stage, "c7a1d2e3-0000-4f00-8000-5d6e7f8a9b0c"))
    assert "section 5" not in error.next_step.lower()
    return error


@provokes("secret_id_of_connector")
def _id_of_connector(stage: Stage) -> RunbookError:
    made, added = stage.registered("id for value")
    return failing(lambda: application_token(stage.ctx.target, made["appId"], Secret(added["keyId"])))


@provokes("principal_missing")
def _principal_missing(stage: Stage) -> RunbookError:
    made, added = stage.registered("no principal", principal=False)
    error = failing(lambda: application_token(stage.ctx.target, made["appId"], Secret(added["secretText"])))
    assert service_principal(stage.ctx, made["appId"]) is None
    return error


@provokes("application_unknown")
def _application_unknown(stage: Stage) -> RunbookError:
    return failing(lambda: as_connector(stage))


@provokes("tenant_without_discovery")
def _tenant_unknown(stage: Stage) -> RunbookError:
    elsewhere = dataclasses.replace(stage.ctx.target, tenant_id="00000000-0000-4000-8000-000000000001")
    return failing(lambda: application_token(elsewhere, "00000000-0000-4000-8000-00000000000c", Secret("some~value")))


@provokes("sign_in_unwell")
def _sign_in_unwell(stage: Stage) -> RunbookError:
    reply = {"kind": "answer", "status": 502, "code": "", "message": "", "retry_after": 3000}
    with stage.ill({**reply, "match": {"service": "entra", "method": "POST", "path": "*/token"}}):
        return failing(lambda: as_connector(stage))


@provokes("clock_token")
def _kept_token(stage: Stage) -> RunbookError:
    """A token of an hour that was issued two hours ago."""
    stage.control("POST", "clock", {"offset": -7200})
    try:
        with contextlib.closing(Administrator(stage.ctx.target, stage.ctx.params)) as administrator:
            kept = administrator.token()
    finally:
        stage.control("POST", "clock", {"offset": 0})
    with GraphClient(stage.ctx.target, FixedToken(kept)) as graph:
        return failing(lambda: graph.get("/organization"))


# what was just made, and what the run knows of its age


@provokes("secret_young")
def _secret_young(stage: Stage) -> RunbookError:
    ctx = stage.ctx
    with stage.ill({"kind": "secret_delay", "seconds": [300, 300]}):
        made, added = stage.registered("young secret")
        ref = ctx.store.put(secret_name(ctx, made["appId"], added["keyId"]), Secret(added["secretText"]))
        credential = Credential(added["keyId"], "", "", when(added["startDateTime"]), None, ours=True, ref=ref)
        return failing(lambda: token(ctx, made, credential))


@provokes("young_at_sign_in")
def _principal_not_yet(stage: Stage) -> RunbookError:
    ctx = stage.ctx
    made, added = stage.registered("young application", principal=False)
    ref = ctx.store.put(secret_name(ctx, made["appId"], added["keyId"]), Secret(added["secretText"]))
    credential = Credential(added["keyId"], "", "", when(added["startDateTime"]), None, ours=True, ref=ref)
    return failing(lambda: token(ctx, made, credential))


@provokes("object_young")
def _object_young(stage: Stage) -> RunbookError:
    body = {"displayName": "young", "mailNickname": "young", "mailEnabled": False, "securityEnabled": True}
    with stage.ill({"kind": "lag", "read": [60, 60]}):
        made: Any = stage.ctx.graph.post("/groups", body)
        return failing(lambda: stage.ctx.graph.get(f"/groups/{made['id']}"))


@provokes("clock_skew")
def _clock_skew(stage: Stage) -> RunbookError:
    """The service that looks at a token says, by its Date, that it lives two hours ago."""
    kept = stage.ctx.administrator.token()
    stage.control("POST", "clock", {"offset": -7200})
    try:
        with GraphClient(stage.ctx.target, FixedToken(kept)) as graph:
            return failing(lambda: graph.get("/organization"))
    finally:
        stage.control("POST", "clock", {"offset": 0})


@provokes("secret_of_profile")
def _secret_of_profile(stage: Stage) -> RunbookError:
    """Somebody removes the secret that StackOne's connector profile holds; then a person links an account."""
    found = require_application(stage.ctx)
    key_id = require_current(stage.ctx, found).key_id
    stage.ctx.graph.post(f"/applications/{found['id']}/removePassword", {"keyId": key_id})
    try:
        other = {**stage.ctx.params.model_dump(mode="json"), "account_owner_id": "another-owner"}
        with open_context(parse(other)) as ctx:
            result = run_section(ctx, section("link_account"), apply=True)
    finally:
        for name in NAMES[4:6]:
            assert run_section(stage.ctx, section(name), apply=True).verdict == "passed"
    assert result.error is not None
    return result.error
