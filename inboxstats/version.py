"""The program's version, on the ground floor: what speaks to a server says it there."""

__version__ = "0.1.0"
