"""Clients of Entra ID, Microsoft Graph and StackOne on one transport.

``http`` sends, counts and journals; ``retry`` knows what passes by itself; ``settle`` waits; ``auth`` proves who asks;
``graph``, ``stackone`` and ``entra`` speak with the services; ``explain`` says what their codes mean.
"""
