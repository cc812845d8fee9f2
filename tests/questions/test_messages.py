"""What Copier says after a copy: each command and each file that it names exists."""

import re
from pathlib import Path
from typing import Any

import pytest

from testing.template import copier, snapshot


@pytest.mark.parametrize(
    "answers",
    [{}, {"framework": "worker"}, {"source": "existing"}, {"kind": "base-image"}],
    ids=["fastapi", "worker", "existing", "base-image"],
)
def test_the_commands_and_files_named_after_a_copy_exist(tmp_path: Path, answers: dict[str, Any]) -> None:
    data = [f"--data={name}={value}" for name, value in answers.items()]
    result = copier("copy", "--defaults", *data, snapshot(), "project", cwd=tmp_path)
    _, generated, message = result.stderr.partition(" is generated. Next, in project:\n")
    assert generated, result.stderr
    assert all(len(line) < 80 for line in message.splitlines())
    project = tmp_path / "project"
    targets = [target for line in re.findall(r"make ((?:[a-z]+ )+) ", message) for target in line.split()]
    names = re.findall(r"(?:--file |^)(docker[\w./-]+)", message, re.MULTILINE)
    if answers.get("source") == "existing":
        assert names == ["docker-bake.hcl", "docker-compose.prod.yml", "docker/container-layout.md"]
    else:
        makefile = (project / "Makefile").read_text()
        assert targets
        assert [target for target in targets if not re.search(rf"^{target}:", makefile, re.MULTILINE)] == []
    assert [name for name in names if not (project / name).is_file()] == []
    assert ".copier-answers.yml" in message
