"""Waiting for several sightings, and creating exactly once."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from runbook.clients import settle
from runbook.clients.graph import graph_error
from runbook.clients.http import Answer
from runbook.clients.retry import Pace
from runbook.clients.settle import Progress
from runbook.errors import GraphError, NotSettled, TransportError


def steps(*values: Any) -> Callable[[], Any]:
    """A check that gives these in turn (raising what is an error), then the last one for ever."""
    remaining = list(values)

    def check() -> Any:
        value = remaining.pop(0) if len(remaining) > 1 else remaining[0]
        if isinstance(value, Exception):
            raise value
        return value

    return check


def graph_says(status: int, code: str, method: str, path: str, message: str = "") -> GraphError:
    return graph_error(Answer(status, {}, "", {"error": {"code": code, "message": message}}), method, path)


NOT_YET = graph_says(404, "Request_ResourceNotFound", "GET", "/groups/1")


def test_one_sighting_is_not_enough(pace: Pace) -> None:
    seen: list[Progress] = []
    settle.until(steps("a"), pace=pace, describe="it is there", sightings=3, progress=seen.append)
    assert [step.seen for step in seen] == [1, 2]


def test_a_relapse_starts_the_count_anew(pace: Pace) -> None:
    seen: list[Progress] = []
    check = steps("a", "a", None, "a", "a", "b")
    assert settle.until(check, pace=pace, describe="it is there", sightings=3, progress=seen.append) == "b"
    assert [step.seen for step in seen] == [1, 2, 0, 1, 2]


def test_a_known_replication_answer_counts_as_not_yet(pace: Pace) -> None:
    assert settle.until(steps(NOT_YET, "a"), pace=pace, describe="it is there") == "a"


def test_a_busy_service_counts_as_not_yet(pace: Pace) -> None:
    busy = graph_says(429, "TooManyRequests", "GET", "/groups/1")
    assert settle.until(steps(busy, "a"), pace=pace, describe="it is there") == "a"


def test_a_busy_service_is_no_proof_that_a_thing_is_not_there(pace: Pace) -> None:
    busy = graph_says(503, "ServiceUnavailable", "GET", "/groups/1")
    look = steps(busy, busy, "thing")
    assert settle.ensure(look, lambda: pytest.fail("created"), pace=pace, what="It") == ("thing", False)


def test_any_other_error_ends_the_wait(pace: Pace) -> None:
    denied = graph_says(403, "Authorization_RequestDenied", "GET", "/groups/1")
    with pytest.raises(GraphError):
        settle.until(steps(denied, "a"), pace=pace, describe="it is there")


def test_after_the_deadline_the_error_says_what_was_awaited_and_what_was_seen(pace: Pace) -> None:
    with pytest.raises(NotSettled, match=r"waiting until the group can be read: .*Request_ResourceNotFound"):
        settle.until(steps(NOT_YET), pace=pace, describe="the group can be read", deadline=0.02)


class Shelf:
    """Something to create one of, on a service that answers as told and shows it after some looks."""

    def __init__(self, *answers: Exception | None, applied: bool, hidden_for: int = 0) -> None:
        self._answers: Iterator[Exception | None] = iter(answers)
        self._applied = applied
        self._hidden = hidden_for
        self.things = 0
        self.creates = 0

    def find(self) -> str | None:
        if not self.things:
            return None
        self._hidden -= 1
        return "thing" if self._hidden < 0 else None

    def create(self) -> None:
        self.creates += 1
        answer = next(self._answers, None)
        if answer is None or self._applied:
            self.things += 1
        if answer is not None:
            raise answer


RESET = TransportError("reset", maybe_applied=True)
LIED = graph_says(404, "Directory_ObjectNotFound", "POST", "/oauth2PermissionGrants")
LATE = graph_says(400, "Request_BadRequest", "POST", "/servicePrincipals", "The appId '1' does not reference")
EXISTS = graph_says(409, "Request_MultipleObjectsWithSameKeyValue", "POST", "/servicePrincipals")


def test_what_is_there_is_not_created(pace: Pace) -> None:
    assert settle.ensure(lambda: "thing", lambda: pytest.fail("created"), pace=pace, what="It") == ("thing", False)


@pytest.mark.parametrize("answer", [RESET, LIED], ids=["reset after sending", "misleading 404"])
@pytest.mark.parametrize("hidden_for", [0, 2])
def test_a_write_that_was_applied_in_spite_of_its_answer_is_not_repeated(
    pace: Pace, answer: Exception, hidden_for: int
) -> None:
    shelf = Shelf(answer, applied=True, hidden_for=hidden_for)
    assert settle.ensure(shelf.find, shelf.create, pace=pace, what="It") == ("thing", True)
    assert shelf.things == 1


@pytest.mark.parametrize("answer", [RESET, LIED, LATE], ids=["reset", "misleading 404", "not everywhere yet"])
def test_a_write_that_was_not_applied_is_repeated(pace: Pace, answer: Exception) -> None:
    shelf = Shelf(answer, applied=False)
    assert settle.ensure(shelf.find, shelf.create, pace=pace, what="It") == ("thing", True)
    assert shelf.creates == 2


def test_what_somebody_else_created_meanwhile_is_found_and_not_claimed(pace: Pace) -> None:
    shelf = Shelf(EXISTS, applied=True, hidden_for=1)
    assert settle.ensure(shelf.find, shelf.create, pace=pace, what="It") == ("thing", False)


def test_a_created_thing_that_is_not_seen_at_once_is_not_created_again(pace: Pace) -> None:
    shelf = Shelf(applied=True, hidden_for=4)
    assert settle.ensure(shelf.find, shelf.create, pace=pace, what="It") == ("thing", True)
    assert shelf.creates == 1


def test_a_refusal_is_raised(pace: Pace) -> None:
    shelf = Shelf(graph_says(403, "Authorization_RequestDenied", "POST", "/servicePrincipals"), applied=False)
    with pytest.raises(GraphError):
        settle.ensure(shelf.find, shelf.create, pace=pace, what="It")
    assert shelf.creates == 1


def test_after_the_deadline_the_error_names_it_and_the_last_answer(pace: Pace) -> None:
    shelf = Shelf(*[LATE] * 1000, applied=False)
    with pytest.raises(NotSettled, match=r"until The principal is there.*does not reference"):
        settle.ensure(shelf.find, shelf.create, pace=pace.model_copy(update={"deadline": 0.05}), what="The principal")
