"""`make scan`, with a database that has vulnerabilities of a package in the image."""

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from groups import GROUPS
from testing.process import TOOLS
from testing.service import Service
from testing.trivy_database import write_database

pytestmark = pytest.mark.xdist_group(GROUPS["default"])

FIXED, UNFIXED = "CVE-2026-0001", "CVE-2026-0002"


@pytest.fixture
def trivy(tmp_path: Path) -> dict[str, str]:
    """Return Trivy's variables for a database in which uvicorn has a vulnerability with a fix, and one without."""
    write_database(tmp_path / "trivy", {"uvicorn": {FIXED: "99.0.0", UNFIXED: None}})
    return {
        "TRIVY": str(TOOLS / "trivy"),
        "TRIVY_CACHE_DIR": str(tmp_path / "trivy"),
        "TRIVY_SKIP_DB_UPDATE": "true",
        "TRIVY_SKIP_VERSION_CHECK": "true",
    }


@pytest.fixture
def accept(default: Service):
    """Return a function that accepts the vulnerability up to a number of days from now."""
    file = default.project / ".trivyignore.yaml"
    generated = file.read_text()

    def accept(days: int) -> None:
        day = datetime.now(UTC).date() + timedelta(days=days)
        entry = f"vulnerabilities:\n  - id: {FIXED}\n    statement: Not reachable.\n    expired_at: {day}\n"
        file.write_text(generated.replace("vulnerabilities: []\n", entry))

    yield accept
    file.write_text(generated)


def test_a_vulnerability_with_a_fix_fails_the_scan_unless_it_is_accepted(default: Service, trivy: dict, accept):
    refused = default.make("scan", check=False, **trivy)
    assert refused.returncode and FIXED in refused.stdout
    assert UNFIXED not in refused.stdout, "there is no fix for it"

    accept(days=30)
    assert default.make("scan", **trivy).returncode == 0

    accept(days=-2)
    refused = default.make("scan", check=False, **trivy)
    assert refused.returncode and FIXED in refused.stdout


@pytest.mark.parametrize(
    ("package", "status", "accepted"),
    [
        ("uvicorn", "not_affected", True),
        ("uvicorn", "affected", False),
        ("uvicorn@0.0.1", "not_affected", False),
        ("another-package", "not_affected", False),
    ],
)
def test_an_openvex_statement_that_the_image_is_not_affected_counts(
    default: Service, trivy: dict, tmp_path: Path, package: str, status: str, accepted: bool
):
    statement = {"vulnerability": {"name": FIXED}, "products": [{"@id": f"pkg:pypi/{package}"}], "status": status}
    if status == "not_affected":
        statement["justification"] = "vulnerable_code_not_in_execute_path"
    document = {
        "@context": "https://openvex.dev/ns/v0.2.0",
        "@id": "https://example.com/vex/1",
        "author": "A Developer",
        "timestamp": "2026-01-01T00:00:00Z",
        "version": 1,
        "statements": [statement],
    }
    (tmp_path / "vex.openvex.json").write_text(json.dumps(document))
    scanned = default.make("scan", check=False, **trivy, TRIVY_VEX=str(tmp_path / "vex.openvex.json"))
    assert (scanned.returncode == 0) is accepted, scanned.stdout


def test_an_image_without_known_vulnerabilities_passes(default: Service, trivy: dict):
    write_database(Path(trivy["TRIVY_CACHE_DIR"]) / "other", {"another-package": {FIXED: "99.0.0"}})
    clean = trivy | {"TRIVY_CACHE_DIR": trivy["TRIVY_CACHE_DIR"] + "/other"}
    assert default.make("scan", **clean).returncode == 0


def test_a_missing_scanner_is_named(default: Service):
    refused = default.make("scan", check=False, TRIVY="no-such-scanner")
    assert refused.returncode and refused.stderr.splitlines()[0] == "no-such-scanner is not installed."
