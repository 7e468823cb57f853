"""Bringing about a failure: what the provocations share, and the register of them by the row that they prove."""

from __future__ import annotations

import contextlib
import dataclasses
from collections.abc import Callable, Mapping
from typing import Any

import pytest
from entra_sandbox.entra.errors import catalogue

from runbook.clients.entra import Administrator, application_token
from runbook.clients.graph import GraphClient, graph_error
from runbook.errors import RunbookError
from runbook.secrets import Secret

from .conftest import Stage

Cell = Mapping[str, Any]
"""An explanation as ``summary.json`` has it, with ``seen``: the text beside the action that a person reads."""
Provoke = Callable[[Stage], "RunbookError | Cell"]
PROVOKED: dict[str, Provoke] = {}


def provokes(name: str) -> Callable[[Provoke], Provoke]:
    """Enter a function that brings about the failure which the row of this name explains."""

    def enter(provoke: Provoke) -> Provoke:
        assert PROVOKED.setdefault(name, provoke) is provoke
        return provoke

    return enter


def failing(work: Callable[[], object]) -> RunbookError:
    with pytest.raises(RunbookError) as caught:
        work()
    return caught.value


def as_aadsts(number: int) -> str:
    known = catalogue().get(str(number))
    return f"AADSTS{number}: {known.text if known else 'The text of this code.'}"


def signing_in(stage: Stage, number: int, work: Callable[[], object]) -> RunbookError:
    reply = {"kind": "answer", "status": 400, "code": "invalid_grant", "message": as_aadsts(number)}
    with stage.ill({**reply, "match": {"service": "entra", "method": "POST", "path": "*/token"}}):
        return failing(work)


def as_connector(stage: Stage) -> None:
    application_token(stage.ctx.target, "00000000-0000-4000-8000-00000000000c", Secret("some~value"))


def as_administrator(stage: Stage, secret: str = "") -> None:
    target = dataclasses.replace(stage.ctx.target, **({"client_secret": Secret(secret)} if secret else {}))
    with contextlib.closing(Administrator(target, stage.ctx.params)) as administrator:
        administrator.token()


def once(graph: GraphClient, method: str, path: str, body: dict[str, Any] | None = None) -> None:
    """One PATCH or DELETE, sent once, whatever the answer is."""
    answer = graph.session.request(method, path, json=body)
    if not answer.ok:
        raise graph_error(answer, method, path)


def patch(graph: GraphClient, path: str, body: dict[str, Any]) -> None:
    once(graph, "PATCH", path, body)


def graph_saying(stage: Stage, call: str, status: int, code: str, message: str) -> RunbookError:
    method, path = call.split(" ")
    reply = {"kind": "answer", "status": status, "code": code, "message": message, "retry_after": 3000}
    graph = stage.ctx.graph
    calls: dict[str, Callable[[], object]] = {
        "GET": lambda: graph.get(path),
        "POST": lambda: graph.post(path, {}),
        "PATCH": lambda: patch(graph, path, {}),
        "DELETE": lambda: once(graph, "DELETE", path),
    }
    with stage.ill({**reply, "match": {"service": "graph", "method": method, "path": f"/v1.0{path}"}}):
        return failing(calls[method])


def stackone_saying(stage: Stage, status: int, message: str) -> RunbookError:
    reply = {"kind": "answer", "status": status, "code": "", "message": message, "retry_after": 3000}
    with stage.ill({**reply, "match": {"service": "stackone"}}):
        return failing(lambda: stage.ctx.stackone.account("acc"))
