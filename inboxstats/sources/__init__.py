"""Where mail comes from: each source satisfies `mail.Source`, one file a kind.

imap.py alone speaks to the network; the others read what is on this machine, and change nothing there.
"""
