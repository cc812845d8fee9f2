"""fleet: where many services stand against their template, and their updates, in one call.

Copier generates and merges, git clones and commits; this package finds the services, runs
both for many at a time, and says what came of it.
"""
