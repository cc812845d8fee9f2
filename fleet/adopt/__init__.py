"""`fleet adopt`: read a project that exists, propose the template's answers, and add the layout.

Nothing of the project is imported or run. `Project` reads its files, one module for each concern
finds the answers, and `proposal` puts them together.
"""
