"""The servers that the tests talk to: GreenMail (SMTP and IMAP) and Dovecot, real ones, on free ports of loopback.

`raw.py` reads them back without inboxstats. The fixtures that hand them out stand in `tests/conftest.py`.
"""
