"""The one place that knows the emulator: starts it, has its attendant play a person, offers its commands."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from typing import Any

from runbook.errors import HandOver, RunbookError

READY_FILES = ("RUNBOOK_SANDBOX", "ENTRA_SANDBOX_READY")
"""Variables that may name the file with the ready line of a served sandbox; its own shell sets the second."""


@contextmanager
def serving() -> Iterator[Mapping[str, Any]]:
    """Start the user's own sandbox, or join it, for the time of the context; gives its ready line.

    Raises :class:`RunbookError` when it does not come up.
    """
    import entra_sandbox

    with ExitStack() as stack:
        try:
            ready = stack.enter_context(entra_sandbox.ensure())
        except entra_sandbox.SandboxError as error:
            raise RunbookError.named("sandbox_not_started", meaning=str(error)) from None
        yield ready


def load() -> None:
    """Import who plays the people, if the emulator is there."""
    with suppress(ImportError):
        from entra_sandbox import attendant  # noqa: F401


def attend(ready: Mapping[str, Any], hand_over: HandOver, reveal: Callable[[str], str]) -> bool:
    """Play the person of a hand-over; whether there is one for its kind. ``reveal`` gives the secret of a reference.

    Raises :class:`RunbookError` where a person would have met a page that does not let them go on.
    """
    from entra_sandbox import attendant

    try:
        return attendant.attend(ready, hand_over, reveal)
    except attendant.Lost as lost:
        raise RunbookError.named("person_lost", title=hand_over.title, lost=lost) from None


def passwords(ready: Mapping[str, Any]) -> dict[str, str]:
    """By who signs in where, for whoever acts by hand in a rehearsal: StackOne's dashboard first, then the people."""
    entry = ready.get("stackone_dashboard") or {}
    dashboard = {f"{entry['user']} (StackOne's dashboard)": str(entry["password"])} if entry else {}
    roles = {name: ", ".join(each.get("roles") or ["no role"]) for name, each in ready["users"].items()}
    return dashboard | {f"{name} ({roles[name]})": str(each["password"]) for name, each in ready["users"].items()}


def commands() -> Any:
    """``serve`` and ``shell`` as a typer application."""
    from entra_sandbox.cli import app

    return app
