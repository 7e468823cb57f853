"""A process that appends to a journal and says after each event that it is on disk: ``writer.py FOLDER NAME COUNT``."""

from __future__ import annotations

import sys

from runbook.records.journal import Journal

journal = Journal.open(sys.argv[1])
for number in range(int(sys.argv[3])):
    ticket = journal.intent(writer=sys.argv[2], number=number, method="POST", path="/v1.0/groups" + "/x" * 400)
    print(ticket, flush=True)
    print(journal.event("http.outcome", intent=ticket, writer=sys.argv[2], status=201), flush=True)
