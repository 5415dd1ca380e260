"""Threads against processes: experiments that a user runs on their own machine and mailbox.

model.py says what an experiment is; timing.py runs it; figures.py makes medians, speed-ups and Amdahl's fit of what was
measured; words.py says what it means; chart.py draws it, page.py puts it on a page. Each experiment has its own file:
cpu, io, download, parse, forest.
"""
