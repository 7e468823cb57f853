"""The kernels of a run ask the run for tokens: what passes through the socket, and what does not."""

from __future__ import annotations

import socket
import stat
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from runbook.clients.token_socket import VARIABLE, ask, offered
from runbook.errors import HandOver, Parked, SignInError, TransportError

ANSWER = {"access_token": "a-token", "expires_in": 3000, "refresh_token": "a-refresh-token", "id_token": "an-id-token"}


def test_a_kernel_gets_the_token_and_neither_refresh_nor_id_token() -> None:
    asked: list[tuple[str | None, bool]] = []

    def obtain(claims: str | None, fresh: bool) -> Mapping[str, Any]:
        asked.append((claims, fresh))
        return ANSWER

    with offered(obtain) as way:
        assert "a-token" not in str(way)
        found = ask(way[VARIABLE], '{"access_token": {}}', True)
    assert found == {"access_token": "a-token", "expires_in": 3000, "refresh_token": True}
    assert asked == [('{"access_token": {}}', True)]


def test_only_this_user_may_enter_the_folder_of_the_socket_and_it_goes_with_the_run() -> None:
    with offered(lambda _claims, _fresh: ANSWER) as way:
        folder = Path(way[VARIABLE]).parent
        assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    assert not folder.exists()


def test_a_refusal_of_the_runs_sign_in_arrives_with_its_words() -> None:
    refused = SignInError("No token.", meaning="It ended.", next_step="renew it.", code="AADSTS7000222")
    refused.who = "its owner"

    def obtain(_claims: str | None, _fresh: bool) -> Mapping[str, Any]:
        raise refused

    with offered(obtain) as way, pytest.raises(SignInError) as caught:
        ask(way[VARIABLE], None, False)
    assert (str(caught.value), caught.value.code) == (str(refused), "AADSTS7000222")


@pytest.mark.parametrize(
    ("raised", "arrives"),
    [(TransportError("No answer."), TransportError), (Parked(HandOver("device_sign_in", "Sign in", "")), SignInError)],
)
def test_a_failure_of_the_runs_sign_in_keeps_its_kind(raised: Exception, arrives: type[Exception]) -> None:
    def obtain(_claims: str | None, _fresh: bool) -> Mapping[str, Any]:
        raise raised

    with offered(obtain) as way, pytest.raises(arrives, match=str(raised).splitlines()[0]):
        ask(way[VARIABLE], None, False)


def test_who_asks_while_another_is_signing_in_is_not_kept_from_ending() -> None:
    with offered(lambda _claims, _fresh: ANSWER) as way, socket.socket(socket.AF_UNIX) as silent:
        silent.connect(way[VARIABLE])
        assert ask(way[VARIABLE], None, False)["access_token"] == "a-token"


def test_a_run_that_is_gone_is_said() -> None:
    with offered(lambda _claims, _fresh: ANSWER) as way:
        pass
    with pytest.raises(SignInError, match="gone"):
        ask(way[VARIABLE], None, False)
