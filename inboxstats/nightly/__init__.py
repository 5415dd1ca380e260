"""The night, unseen: fetch, report, digest, housekeeping, with a log and a record of the run.

run.py does it, which takes all that reads mail; record.py and log.py are light, for those who only ask how it went.
"""
