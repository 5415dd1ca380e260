"""A random forest that learns how the user sorts mail: where a message belongs, judged from the message table alone.

targets.py says what is to be told apart; features.py makes numbers of messages; training.py grows the forest;
judgement.py says what it is worth, on mail later than it learned from; store.py keeps it. Wants the extra `ml`.
"""
