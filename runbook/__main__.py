"""``python -m runbook`` is the command ``runbook``."""

import signal


def main() -> None:
    """Entry point of the console script. A signal waits until there are words for it."""
    if hasattr(signal, "pthread_sigmask"):
        signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT, signal.SIGTERM, signal.SIGHUP})
    from runbook.cli.app import main as command

    command()


if __name__ == "__main__":
    main()
