"""The container checklist: 60 items, and what a generated service misses of them.

It merges the CIS Docker Benchmark, OWASP's Docker rules, NIST SP 800-190, the Kubernetes Pod Security
Standards, Dockle, Trivy, Checkov and the tests of the official images.
"""

from testing.checklist import building, confinement, contents, operation, supply_chain
from testing.checklist.facts import Subject, gather
from testing.checklist.items import Item

__all__ = ["ITEMS", "PIPELINE", "Item", "Subject", "applicable", "gather", "missing"]

MODULES = (confinement, operation, building, contents, supply_chain)
ITEMS = sorted(value for module in MODULES for value in vars(module).values() if isinstance(value, Item))
# What only a pipeline gives: the answer `ci`.
PIPELINE = {56, 57, 58}


def applicable(subject: Subject) -> list[Item]:
    """Return the items that are asked of the subject."""
    return [item for item in ITEMS if subject.own_image or not item.of_image]


def missing(subject: Subject) -> dict[int, str]:
    """Return the reasons of the items that the subject misses, by number."""
    reasons = {item.number: "; ".join(item.check(subject)) for item in applicable(subject)}
    return {number: reason for number, reason in reasons.items() if reason}
