"""Bytes to Message, whatever the bytes are. Reads no file, no clock and no network; processes burn on it.

headers.py says which bytes belong to which field, mime.py which are a part; address.py, date.py and parameters.py
read structured fields; text.py, own.py and html.py find what the sender wrote, words.py and languages.py what it is
about.
"""

from inboxstats.parse.message import PARSER_VERSION, Read, parse, read_all
from inboxstats.parse.mime import Limits

__all__ = ["PARSER_VERSION", "Limits", "Read", "parse", "read_all"]
