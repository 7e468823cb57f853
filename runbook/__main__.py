"""``python -m runbook`` is the command ``runbook``."""

import os
import signal
import sys

if not sys.flags.safe_path and sys.path[0] in ("", os.getcwd()):  # noqa: PTH109 - pathlib may lie in that folder
    # ``python -m`` puts the folder one stands in before everything; what lies there is not code of ours.
    del sys.path[0]


def main() -> None:
    """Entry point of the console script. A signal waits until there are words for it."""
    if hasattr(signal, "pthread_sigmask"):
        signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT, signal.SIGTERM, signal.SIGHUP})
    from runbook.cli.app import main as command

    command()


if __name__ == "__main__":
    main()
