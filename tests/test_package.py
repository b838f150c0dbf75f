"""What is built installs where only its declared requirements are, and runs there."""

from __future__ import annotations

import shutil
import subprocess
import sys
import sysconfig
import tarfile
import tomllib
from collections.abc import Iterable, Iterator
from importlib.metadata import Distribution, distribution
from pathlib import Path

import pytest
from packaging.requirements import Requirement

ROOT = Path(__file__).parent.parent
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]


def run(*command: str | Path, cwd: Path) -> str:
    done = subprocess.run(command, cwd=cwd, capture_output=True, encoding="utf-8", check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def closure(requirements: Iterable[str]) -> Iterator[Distribution]:
    """Yield the distributions here that meet the requirements, and what these require; extras are left out."""
    for requirement in map(Requirement, requirements):
        if requirement.marker is None or requirement.marker.evaluate({"extra": ""}):
            found = distribution(requirement.name)
            yield found
            yield from closure(found.requires or ())


@pytest.fixture(scope="module")
def dist(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the sdist, and the wheel that was built from it."""
    folder = tmp_path_factory.mktemp("dist")
    run(sys.executable, "-m", "build", "--no-isolation", "--outdir", folder, ROOT, cwd=folder)
    return folder


def test_sdist_is_the_whole_project(dist: Path) -> None:
    with tarfile.open(dist / f"rct_tools-{PROJECT['version']}.tar.gz") as archive:
        names = {name.partition("/")[2] for name in archive.getnames()}
    assert {"LICENSE.txt", "README.md", "Makefile", "requirements.lock", "tests/test_package.py"} <= names


def test_wheel_runs_with_its_requirements_alone(dist: Path, tmp_path: Path) -> None:
    home = tmp_path / "venv"
    run(sys.executable, "-m", "venv", "--without-pip", home, cwd=tmp_path)
    there = {
        key: Path(path) for key, path in sysconfig.get_paths("venv", {"base": str(home), "platbase": str(home)}).items()
    }
    python = there["scripts"] / Path(sys.executable).name
    # Nothing is fetched: the requirements are copied from the environment that runs this test.
    for requirement in closure(PROJECT["dependencies"]):
        for file in requirement.files or ():
            if ".." not in file.parts:  # their scripts are of no use here
                (there["purelib"] / file).parent.mkdir(parents=True, exist_ok=True)
                shutil.copyfile(str(file.locate()), there["purelib"] / file)
    (wheel,) = dist.glob("*.whl")
    run(sys.executable, "-m", "pip", "--python", python, "install", "--no-index", "--no-deps", wheel, cwd=tmp_path)
    run(sys.executable, "-m", "pip", "--python", python, "check", cwd=tmp_path)

    assert PROJECT["version"] in run(there["scripts"] / "rct", "--version", cwd=tmp_path)
    where, objects = run(
        python, "-c", "import rct_tools as r; print(r.__file__, len(r.registry))", cwd=tmp_path
    ).split()
    assert Path(where).is_relative_to(home.resolve())
    assert int(objects) > 800
