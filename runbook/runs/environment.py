"""The environment that a kernel gets: that of its parent without what looks like a secret."""

from __future__ import annotations

import re
from collections.abc import Mapping

SAFE_PATH = {"PYTHONSAFEPATH": "1"}
"""The folder one stands in is not code: no Python that is started here looks for modules there."""

_TELLING = re.compile(
    r"(SECRET|PASSWORD|PASSWD|PASSPHRASE|TOKEN|CREDENTIAL|API_?KEY|PRIVATE_?KEY|ACCESS_?KEY)", re.IGNORECASE
)
_REFERENCE = re.compile(r"(_FILE|_PATH|_REF|_DIR|_URL)$", re.IGNORECASE)


def child_environment(parent: Mapping[str, str]) -> dict[str, str]:
    """A copy of ``parent`` without variables whose name says that they hold a secret, or whose value is a known one.

    Names that end in ``_FILE``, ``_PATH``, ``_REF``, ``_DIR`` or ``_URL`` hold a reference and stay.
    """
    from runbook.records import redaction

    return {
        name: value
        for name, value in parent.items()
        if (not _TELLING.search(name) or _REFERENCE.search(name)) and not redaction.find(value)
    }
