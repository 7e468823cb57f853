"""The one way to write a file whole: a reader sees the old file or the new one, never a part; and to read a named one.

The bytes go to a temporary name in the same folder, are synced, and take the final name in one rename
(POSIX ``rename(2)``; ``MoveFileEx`` on Windows). Then the folder is synced, so that the name survives a power cut.
"""

import errno
import os
import secrets
import stat
import sys
from pathlib import Path

_SUFFIX = ".writing"
LARGEST = 1 << 20
"""Bytes of a file that somebody names; the largest sensible choice has a few thousand."""


def read(path: str | os.PathLike[str], most: int = LARGEST) -> bytes:
    """The content of a file that somebody named. Raises ``OSError``, also for what is larger or is no file.

    A pipe would be waited for, perhaps for ever, and a device has no end.
    """
    found = Path(path).stat()
    if not stat.S_ISREG(found.st_mode):
        raise OSError(errno.EINVAL, "it is not a file", str(path))
    if found.st_size > most:
        raise OSError(errno.EFBIG, f"it is larger than {most >> 20} MiB", str(path))
    return Path(path).read_bytes()


def text(path: str | os.PathLike[str], most: int = LARGEST) -> str:
    """The same as text, UTF-8 with its mark or without."""
    try:
        return read(path, most).decode("utf-8-sig")
    except UnicodeDecodeError:
        raise OSError(errno.EILSEQ, "it is not UTF-8 text", str(path)) from None


def write(path: str | os.PathLike[str], data: bytes | str, *, mode: int | None = None) -> None:
    """Write ``data`` to ``path`` (text as UTF-8).

    ``mode`` is the file's permission bits; without it an existing file keeps its own and a new one follows the umask.
    Raises ``OSError`` (disk full, no permission); then ``path`` is as it was and no temporary file is left behind.
    A device or a pipe is not replaced, nor what the system keeps under a name of its own (``/dev/stdout``, a link).
    """
    target = Path(path)
    if target.absolute().parent == Path("/dev") or (target.exists() and not target.is_file()):
        raise OSError(errno.EINVAL, "it is a device, a pipe or a folder, and a file would take its place", str(target))
    temporary = target.with_name(f".{target.name}.{secrets.token_hex(6)}{_SUFFIX}")
    content = data.encode() if isinstance(data, str) else data
    wanted = _mode_of(target) if mode is None else mode
    # A file that will be private is private from its first byte on.
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_BINARY", 0), wanted or 0o666)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        if wanted is not None:
            temporary.chmod(wanted)
        temporary.replace(target)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise
    sync_folder(target.parent)


def is_leftover(path: Path) -> bool:
    """Whether ``path`` is a temporary file of :func:`write` whose writer was killed."""
    return path.name.startswith(".") and path.name.endswith(_SUFFIX)


def sync_folder(folder: Path) -> None:
    """Make new and renamed names in ``folder`` durable; Windows has no such call and needs none."""
    if sys.platform == "win32":
        return
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _mode_of(path: Path) -> int | None:
    try:
        return stat.S_IMODE(path.stat().st_mode)
    except FileNotFoundError:
        return None
