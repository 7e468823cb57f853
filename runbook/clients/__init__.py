"""Clients of Entra ID, Microsoft Graph and StackOne on one transport.

``http`` sends, counts and journals; ``answers`` knows what answers mean; ``settle`` waits; ``calls`` proves who
asks and says what is kept; ``graph``, ``stackone`` and ``entra`` speak with the services.
"""

from runbook import late

late.command_of_httpx()
