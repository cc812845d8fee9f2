"""Helpers that the tests, the bench and the demo share; pytest collects nothing here."""

from pathlib import Path

ROOT = Path(__file__).parent.parent
