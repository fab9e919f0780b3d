"""The files around the program: each is valid for its reader, and says what is so."""

import json
import os
import re
import shutil
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import jsonschema
import pytest
import yaml

from engine.settings import Settings

ROOT = Path(__file__).parents[2]


def run(*command: str, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        command,
        cwd=ROOT,
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


@pytest.mark.parametrize(
    ("schema", "file"),
    [
        ("vendor.compose-spec", "docker-compose.yml"),
        ("vendor.github-workflows", ".github/workflows/ci.yml"),
    ],
)
def test_file_fits_its_schema(schema: str, file: str) -> None:
    done = run(sys.executable, "-m", "check_jsonschema", "--builtin-schema", schema, file)
    assert done.returncode == 0, done.stdout + done.stderr


def test_dockerfile_is_clean() -> None:
    hadolint = shutil.which("hadolint", path=str(Path(sys.executable).parent))
    if hadolint is None:
        pytest.skip("no hadolint for this platform")
    done = run(hadolint, "Dockerfile")
    assert done.returncode == 0, done.stdout


def test_cluster_file_fits_rays_schema() -> None:
    # Found, not imported: what starts a Ray in this session sets its environment first.
    package = find_spec("ray")
    assert package is not None
    assert package.origin is not None
    schema = Path(package.origin).parent / "autoscaler" / "ray-schema.json"
    jsonschema.validate(
        yaml.safe_load((ROOT / "cluster.yaml").read_text()), json.loads(schema.read_text())
    )


def test_example_settings_are_all_settings() -> None:
    named = re.findall(r"^#AIQLEADS_([A-Z_]+)=", (ROOT / ".env.example").read_text(), re.M)
    assert sorted(named) == sorted(name.upper() for name in Settings.model_fields)


def test_example_settings_are_valid(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in Settings.model_fields:
        monkeypatch.delenv(f"AIQLEADS_{name.upper()}", raising=False)
    text = (ROOT / ".env.example").read_text().replace("#AIQLEADS_", "AIQLEADS_")
    (tmp_path / ".env").write_text(text)
    example = Settings(_env_file=tmp_path / ".env")
    defaults = Settings(_env_file=None)
    for name in ("http_port", "rate_limit_basic", "feed_buffer_bytes", "sample_seed", "log_level"):
        assert getattr(example, name) == getattr(defaults, name)


def test_compose_passes_known_settings_only() -> None:
    compose = yaml.safe_load((ROOT / "docker-compose.yml").read_text())
    passed = compose["services"]["app"]["environment"]
    assert set(passed) <= {f"AIQLEADS_{name.upper()}" for name in Settings.model_fields}


@pytest.mark.parametrize("script", ["scripts/install-system-packages", "scripts/pin-constraints"])
def test_script_parses(script: str) -> None:
    assert os.access(ROOT / script, os.X_OK)
    assert run("bash", "-n", script).returncode == 0


def test_installing_what_is_there_does_nothing() -> None:
    done = run("scripts/install-system-packages")
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def test_ci_runs_the_test_command() -> None:
    assert (ROOT / ".ci" / "run").read_text().rstrip().endswith("\nmake test")
    workflow = yaml.safe_load((ROOT / ".github/workflows/ci.yml").read_text())
    commands = [step.get("run") for step in workflow["jobs"]["test"]["steps"]]
    assert "make test" in commands


def test_constraints_are_plain_pins() -> None:
    lines = (ROOT / "constraints.txt").read_text().splitlines()
    pins = [line for line in lines if line and not line.startswith("#")]
    assert pins
    assert all(re.fullmatch(r"[A-Za-z0-9._-]+==[A-Za-z0-9.!+_]+", line) for line in pins)


def test_help_lists_targets() -> None:
    done = run("make")
    assert done.returncode == 0
    for target in ("up", "down", "status", "test", "lint", "bench", "clean"):
        assert re.search(rf"make {target}\s", done.stdout)
