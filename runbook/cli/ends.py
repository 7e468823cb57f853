"""How a command ends, whatever ends it: in words or in its one document, and with its exit code.

A stream that takes nothing more (its reader went away, its disk is full) ends no work: what comes after is dropped.
SIGINT, SIGTERM and SIGHUP end the command, the second at once; one that is ignored already stays ignored (nohup).
"""

from __future__ import annotations

import atexit
import codecs
import contextlib
import errno
import io
import json
import os
import re
import select
import signal
import sys
from typing import Any, NoReturn

import typer

from runbook import words
from runbook.errors import InputError, Interrupted, Problem, RunbookError

_SIGNALS = [getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGHUP") if hasattr(signal, name)]
# What a machine has too little of; other causes without a file are none of its own.
_SCARCE = (errno.EMFILE, errno.ENFILE, errno.ENOMEM, errno.EAGAIN, errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EIO)
_USAGE: type[Exception] = typer.BadParameter.__mro__[2]
_EXTRA = re.compile(r"(?<=extra argument).*", re.DOTALL)


class _Outlet(io.FileIO):
    """The end of a standard stream. ``failed``: why it takes nothing more."""

    failed: OSError | None = None

    def write(self, data: Any) -> int:
        try:
            while (taken := super().write(data)) is None:  # the stream does not block, and its reader is slow
                select.select([], [self], [])
            return taken
        except OSError as error:
            self.failed = error
            null = os.open(os.devnull, os.O_WRONLY)
            os.dup2(null, self.fileno())
            os.close(null)
            return super().write(data)


def _outlet(stream: Any) -> Any:
    if not isinstance(stream, io.TextIOWrapper):
        return stream
    stream.reconfigure(errors="replace")  # a sign that a terminal lacks is no reason to end
    if os.name != "posix":
        return stream
    end = _Outlet(stream.fileno(), "w", closefd=False)
    # What the system takes in parts is written to its end by a buffer alone; unbuffered means up to each line's end.
    lines = stream.line_buffering or stream.write_through
    encoding = codecs.lookup(stream.encoding).name.removesuffix("-sig")  # a document begins with no mark
    return io.TextIOWrapper(io.BufferedWriter(end), encoding=encoding, errors="replace", line_buffering=lines)


def unheard() -> OSError | None:
    """Why standard output takes nothing more, if it does not."""
    end = getattr(getattr(sys.stdout, "buffer", None), "raw", None)
    return end.failed if isinstance(end, _Outlet) else None


class _End:
    """How far this process is from its end: its document is being written or ``told``, or its last words are said."""

    def __init__(self) -> None:
        self.writing = self.told = self.over = False
        self.asked = 0
        self.code = Interrupted.exit_code

    def stop(self, *_: object) -> None:
        """The handler of signals: the first lets what was begun be tidied, the second waits for nothing."""
        self.asked += 1
        if self.asked == 1 and (self.writing or self.over):
            return
        if self.asked == 1:
            raise KeyboardInterrupt
        try:
            if not self.over:
                _say(Interrupted.named("stopped_early"))
        finally:
            os._exit(self.code)


_END = _End()


def document(value: Any) -> None:
    """Write the one JSON document of a ``--json`` command; a signal waits for its last character."""
    _END.writing = _END.told = True
    narrow = not str(getattr(sys.stdout, "encoding", "")).lower().startswith("utf")
    try:
        typer.echo(words.visible(json.dumps(value, indent=2, ensure_ascii=narrow, default=str)))
    finally:
        _END.writing = False


def command(app: typer.Typer) -> NoReturn:
    """Carry out the command line, say what went wrong if anything did, and leave with the exit code."""
    sys.stdin = sys.stdin or os.fdopen(os.open(os.devnull, os.O_RDONLY))  # closed: there is nobody to ask
    sys.stdout, sys.stderr = _outlet(sys.stdout), _outlet(sys.stderr)
    for number in _SIGNALS:
        if signal.getsignal(number) in (signal.SIG_DFL, signal.default_int_handler):
            signal.signal(number, _END.stop)
    sys.unraisablehook = _unraisable
    atexit.register(_ignore)  # the first is the last that Python calls
    try:
        if hasattr(signal, "pthread_sigmask"):
            signal.pthread_sigmask(signal.SIG_UNBLOCK, _SIGNALS)
        code = _invoke(app)
        if not code and (full := unheard()) and full.errno != errno.EPIPE:
            raise RunbookError.named("machine", what="standard output", why=full.strerror)
    except BaseException as raised:  # the last resort: a person gets words, not a stack
        error = _in_words(raised)
        if error is None:
            raise
        if "--traceback" in sys.argv:
            _show_traceback(raised)
        _say(error)
        code = error.exit_code
    _END.code, _END.over = code, True
    raise SystemExit(code)


def _unraisable(about: Any) -> None:
    """A signal that came where Python lets no exception through (in a destructor) comes once more."""
    if not issubclass(about.exc_type, KeyboardInterrupt):
        sys.__unraisablehook__(about)
        return
    _END.asked = 0
    signal.signal(signal.SIGALRM, lambda *_: signal.raise_signal(signal.SIGINT))
    signal.setitimer(signal.ITIMER_REAL, 0.01)


def _ignore() -> None:
    """Everything is said: as Python ends it would give signals back to the system, which would change the exit code.

    So would a KeyboardInterrupt that an ``exec`` of a text let through, until another text is executed.
    """
    exec("")
    for number in _SIGNALS:
        signal.signal(number, signal.SIG_IGN)


def _invoke(app: typer.Typer) -> int:
    _hold_back(sys.argv[1:])
    if os.path.expanduser("~") == "~":  # noqa: PTH111 - pathlib's raises
        raise InputError(Problem("HOME", "is not set, and this user has no folder.", "Set it to one of its own."))
    code = app(prog_name="runbook", standalone_mode=False)
    if code == Interrupted.exit_code:  # typer makes it of a KeyboardInterrupt, and says nothing
        raise KeyboardInterrupt
    return int(code or 0)


def _hold_back(arguments: list[str]) -> None:
    """Raise :class:`InputError` for each argument that looks like a secret, before anything could repeat it."""
    from runbook.secrets.reference import is_secret

    problems = []
    for number, argument in enumerate(arguments):
        name, _, value = argument.partition("=")
        if is_secret(argument) or is_secret(value):
            where = f"argument {number + 1}" if is_secret(name) else name
            what = "looks like a secret, which is no argument; it is not repeated here."
            problems.append(Problem(where, what, "Keep it with `runbook secrets set`."))
    if problems:
        raise InputError(problems, next_step="replace that secret: command lines are kept and seen by others.")


def _in_words(raised: BaseException) -> RunbookError | None:
    """The error that a person is told of what was raised; None for an exit that has said what it has to."""
    if isinstance(raised, SystemExit):
        # typer makes it of any pipe that breaks, and says nothing.
        return _in_words(raised.__context__) if isinstance(raised.__context__, OSError) else None
    if isinstance(raised, RunbookError):
        return raised
    if _comes_of(raised, KeyboardInterrupt):
        return Interrupted.named("stopped_early")
    if isinstance(raised, typer.Abort):
        why = "is closed or ended before a question was answered." if _comes_of(raised, EOFError) else "was not a yes."
        return InputError(Problem("the answer" if "yes" in why else "standard input", why))
    if isinstance(raised, RuntimeError) and "lost sys." in str(raised):  # what Python says where it cannot ask
        return InputError(Problem("standard output", "is closed, and there is something to ask."))
    if isinstance(raised, _USAGE):
        return _misused(raised)
    if isinstance(raised, OSError) and (raised.filename or raised.errno in _SCARCE):
        what = raised.filename or "what this machine has of something"
        return RunbookError.named("machine", what=what, why=raised.strerror)
    return RunbookError.named("defect", name=type(raised).__name__)


def _misused(error: Any) -> InputError | None:
    """A command line that is not understood. What stands where nothing belongs may be a secret."""
    path = error.ctx.command_path if error.ctx else "runbook"
    if type(error).__name__ == "NoArgsIsHelpError":
        typer.echo(error.ctx.get_help())
        raise SystemExit(InputError.exit_code)
    said = _EXTRA.sub(", and nothing belongs there", error.format_message().replace("(s)", "")).rstrip(".")
    said = said[:1].lower() + said[1:] + ("" if said.endswith("?") else ".")
    return InputError(Problem(path, said), next_step=f"see what it takes: {path} --help")


def _comes_of(error: BaseException | None, kind: type[BaseException]) -> bool:
    return error is not None and (isinstance(error, kind) or _comes_of(error.__context__, kind))


def _say(error: RunbookError) -> None:
    """Tell an error, on standard output as its document where nothing stands there yet. No secret is in it."""
    _END.over = True
    if _as_json() and not _END.told:
        told = {"error": type(error).__name__, "what": error.what, "exit_code": error.exit_code}
        told |= {"meaning": error.meaning, "who": error.who, "next": error.next_step}
        told |= {"code": error.code, "request_id": error.request_id}
        if isinstance(error, InputError):
            told["problems"] = [{"where": p.where, "what": p.what, "hint": p.hint} for p in error.problems]
        with contextlib.suppress(OSError):
            document(_scrubbed(told, error))
        if sys.stdout is not None and not unheard():
            return
    with contextlib.suppress(OSError):
        typer.echo(words.visible(_scrubbed(f"Error: {error}", error)), err=True)


def _scrubbed(said: Any, error: BaseException) -> Any:
    """``said`` without secrets. Words of ours alone need no library, which may be half imported when a signal comes."""
    if isinstance(error, Interrupted):
        return said
    from runbook.records.redaction import scrub

    return scrub(said)


def _as_json() -> bool:
    return "--json" in sys.argv[1 : sys.argv.index("--") if "--" in sys.argv else None]


def _show_traceback(error: BaseException) -> None:
    """The stack without local values, scrubbed of anything that looks like a secret."""
    import traceback as tb

    typer.echo(words.visible(_scrubbed("".join(tb.format_exception(error)), error)), err=True)
