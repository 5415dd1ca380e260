"""`python -m inboxstats`."""

from inboxstats.cli import main

if __name__ == "__main__":
    main()
