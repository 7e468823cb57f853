"""What libraries log at their loudest holds tokens, codes and cookies: here it is scrubbed as it is logged."""

from __future__ import annotations

import logging
import re
from typing import Any

from runbook.records import redaction
from runbook.secrets.secret import MASK

_LIBRARIES = frozenset({"azure", "httpcore", "httpx", "msal", "requests", "runbook", "stamina", "urllib3"})
# httpcore shows headers as pairs of bytes.
_PAIR = re.compile(r"(?i)(b?'(?:set-cookie|cookie|location|(?:proxy-)?authorization)', b?)('[^']*'|\"[^\"]*\")")


def scrub_logs() -> None:
    """From now on no record of these libraries' loggers, at any level, leaves with a secret; once is enough."""
    make = logging.getLogRecordFactory()
    if isinstance(make, _Scrubbing):
        return
    logging.setLogRecordFactory(_Scrubbing(make))


class _Scrubbing:
    """A factory of log records around another one. Loggers that are off never come here."""

    def __init__(self, make: Any) -> None:
        self._make = make

    def __call__(self, *args: Any, **options: Any) -> logging.LogRecord:
        record: logging.LogRecord = self._make(*args, **options)
        if record.name.partition(".")[0] in _LIBRARIES:
            text = _PAIR.sub(rf"\1'{MASK}'", record.getMessage())
            record.msg, record.args = redaction.scrub_text(text), None
        return record
