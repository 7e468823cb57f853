"""``python -m runbook`` is the command ``runbook``."""

from runbook.cli.app import main

if __name__ == "__main__":
    main()
