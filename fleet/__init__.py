"""fleet: compare many services with their Copier template, and update them, in one call.

Copier generates and merges, git clones and commits. This package finds the services, runs both
for several services at a time, and reports the result.
"""
