"""A secret's value shows nowhere by accident."""

from __future__ import annotations

import copy
import dataclasses
import json
import logging
import pickle
import traceback

import pytest
from pydantic import BaseModel, ValidationError

from runbook.clients.calls import ApiKey, Bearer, FixedToken
from runbook.clients.entra import TokenResult
from runbook.clients.target import Endpoints, Target
from runbook.secrets import Secret

from .conftest import CANARY


class Settings(BaseModel):
    key: Secret


@dataclasses.dataclass
class Holder:
    key: Secret


def target() -> Target:
    places = Endpoints("https://a", "https://b", "https://c", "https://c")
    return Target("sandbox", "x", places, "t", "c", Secret(CANARY), Secret(CANARY), True)


FORMS = {
    "str": lambda: str(Secret(CANARY)),
    "repr": lambda: repr(Secret(CANARY)),
    "format": lambda: f"{Secret(CANARY):>60}",
    "percent": lambda: "%s %r" % (Secret(CANARY), Secret(CANARY)),  # noqa: UP031 - the form under test
    "list": lambda: str([Secret(CANARY)]),
    "dataclass": lambda: repr(Holder(Secret(CANARY))) + str(dataclasses.asdict(Holder(Secret(CANARY)))),
    "pydantic repr": lambda: repr(Settings(key=Secret(CANARY))),
    "pydantic json": lambda: Settings(key=Secret(CANARY)).model_dump_json(),
    "pydantic dict": lambda: json.dumps(Settings(key=Secret(CANARY)).model_dump(), default=str),
    "json by str": lambda: json.dumps({"key": Secret(CANARY)}, default=str),
    "json by vars": lambda: json.dumps(Secret(CANARY), default=lambda thing: getattr(thing, "__dict__", "none")),
    "target": lambda: repr(target()),
    "token": lambda: repr(TokenResult.of({"access_token": CANARY, "expires_in": 60})),
    "auth": lambda: repr([vars(ApiKey(Secret(CANARY))), vars(FixedToken(Secret(CANARY)))]),
    "bearer": lambda: repr(vars(Bearer(FixedToken(Secret(CANARY))))),
    "copy": lambda: repr(copy.copy(Secret(CANARY))) + repr(copy.deepcopy([Secret(CANARY)])),
}


@pytest.mark.parametrize("form", FORMS)
def test_no_form_of_a_secret_shows_its_value(form: str) -> None:
    assert CANARY not in FORMS[form]()


def test_json_does_not_take_a_secret_by_itself() -> None:
    with pytest.raises(TypeError):
        json.dumps({"key": Secret(CANARY)})


def test_a_secret_is_not_pickled() -> None:
    with pytest.raises(TypeError):
        pickle.dumps(Secret(CANARY))


def test_a_log_line_masks_a_secret(caplog: pytest.LogCaptureFixture) -> None:
    logging.getLogger("x").warning("the key is %s, %r", Secret(CANARY), {"key": Secret(CANARY)})
    assert caplog.text
    assert CANARY not in caplog.text


def test_a_traceback_with_locals_masks_a_secret() -> None:
    def fails(secret: Secret) -> None:
        raise RuntimeError(f"could not use {secret}")

    try:
        fails(Secret(CANARY))
    except RuntimeError as error:
        shown = "".join(traceback.TracebackException.from_exception(error, capture_locals=True).format())
    assert "fails" in shown
    assert CANARY not in shown


def test_a_validation_error_masks_a_secret() -> None:
    with pytest.raises(ValidationError) as caught:
        Settings.model_validate({"key": Secret(CANARY), "also": 1, "key2": None} | {"key": 5})
    assert CANARY not in str(caught.value)


def test_a_revealed_secret_is_the_value() -> None:
    assert Secret(CANARY).reveal() == CANARY
