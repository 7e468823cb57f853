"""The kernels of a run ask the run for tokens and secrets: what passes through the socket, and what does not."""

from __future__ import annotations

import os
import socket
import stat
import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from runbook.errors import HandOver, Parked, SignInError, TransportError
from runbook.run_socket import VARIABLE, ask, offered

Answer = Callable[..., Mapping[str, Any]]


@pytest.fixture
def asking(monkeypatch: pytest.MonkeyPatch) -> Callable[[Answer], Any]:
    """A run that answers ``token``, in whose kernel the test is."""

    @contextmanager
    def begin(answer: Answer) -> Iterator[Path]:
        with offered({"token": answer}) as way:
            for name, value in way.items():
                monkeypatch.setenv(name, value)
            yield Path(way[VARIABLE])

    return begin


def test_a_long_folder_for_temporary_files_is_no_obstacle(
    asking: Callable[[Answer], Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    long = tmp_path / ("x" * 100)
    long.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(long))
    with asking(dict):
        assert ask("token") == {}


def raising(error: Exception) -> Answer:
    def answer() -> Mapping[str, Any]:
        raise error

    return answer


def test_a_kernel_gets_what_the_run_answers(asking: Callable[[Answer], Any]) -> None:
    with asking(lambda claims, fresh: {"claims": claims, "fresh": fresh}):
        assert ask("token", claims='{"a": {}}', fresh=True) == {"claims": '{"a": {}}', "fresh": True}


def test_only_this_user_may_enter_the_folder_of_the_socket_and_it_goes_with_the_run(
    asking: Callable[[Answer], Any],
) -> None:
    with asking(dict) as path:
        assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700
        assert path.parent.stat().st_uid == os.geteuid()
    assert not path.parent.exists()


def test_a_refusal_of_the_runs_sign_in_arrives_with_its_words(asking: Callable[[Answer], Any]) -> None:
    refused = SignInError("No token.", meaning="It ended.", next_step="renew it.", code="AADSTS7000222")
    refused.who, refused.circumstances = "its owner", {"whose": "administrator"}
    with asking(raising(refused)), pytest.raises(SignInError) as caught:
        ask("token")
    assert (str(caught.value), caught.value.code) == (str(refused), "AADSTS7000222")
    assert caught.value.circumstances == {"whose": "administrator"}


@pytest.mark.parametrize(
    ("raised", "arrives"),
    [(TransportError("No answer."), TransportError), (Parked(HandOver("device_sign_in", "Sign in", "")), SignInError)],
)
def test_a_failure_of_the_runs_sign_in_keeps_its_kind(
    asking: Callable[[Answer], Any], raised: Exception, arrives: type[Exception]
) -> None:
    with asking(raising(raised)), pytest.raises(arrives, match=str(raised).splitlines()[0]):
        ask("token")


def test_one_that_never_asks_keeps_no_other_from_its_answer(asking: Callable[[Answer], Any]) -> None:
    with asking(dict) as path, socket.socket(socket.AF_UNIX) as silent:
        silent.connect(str(path))
        assert ask("token") == {}


def test_a_run_that_is_gone_is_said(asking: Callable[[Answer], Any]) -> None:
    with asking(dict):
        pass
    with pytest.raises(SignInError, match="gone"):
        ask("token")
