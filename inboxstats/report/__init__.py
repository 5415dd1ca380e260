"""A dataset's statistics, told four ways: page, terminal, CSV and JSON, from one set of tables.

`model.build` computes them, `folder.write` keeps them, `terminal.render` shows them.
"""
