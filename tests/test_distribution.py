"""What a stranger downloads: the wheel and the source distribution carry all they must."""

from __future__ import annotations

import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path

import pytest
from conftest import ROOT


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Wheel and sdist, built by hatchling itself without asking the network."""
    folder = tmp_path_factory.mktemp("dist")
    subprocess.run(
        [sys.executable, "-m", "hatchling", "build", "-d", str(folder)],
        cwd=ROOT,
        check=True,
        capture_output=True,
    )
    return folder


def tracked(*folders: str) -> set[str]:
    """The files git knows below the folders; what is not tracked is not the project's."""
    listed = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard", *folders],
        cwd=ROOT,
        capture_output=True,
        text=True,
    ).stdout.split("\n")
    return {name for name in listed if name and (ROOT / name).exists()}


@pytest.mark.slow
def test_the_wheel_carries_the_package_the_firmware_and_the_images(built: Path) -> None:
    (wheel,) = built.glob("*.whl")
    names = set(zipfile.ZipFile(wheel).namelist())
    missing = {name for name in tracked("dsmrctl") if name not in names}
    assert not missing
    assert "dsmrctl/firmware/core/frame.py" in names
    assert "dsmrctl/images/index.json" in names
    assert not [name for name in names if name.startswith(("tests/", "benchmarks/"))]
    (metadata,) = [name for name in names if name.endswith("/METADATA")]
    text = zipfile.ZipFile(wheel).read(metadata).decode()
    assert "License-Expression: GPL-2.0-or-later" in text
    assert [name for name in names if name.endswith("licenses/LICENSE")]


@pytest.mark.slow
def test_the_sdist_can_be_tested_and_built_again(built: Path) -> None:
    (sdist,) = built.glob("*.tar.gz")
    with tarfile.open(sdist) as archive:
        names = {name.split("/", 1)[1] for name in archive.getnames() if "/" in name}
    wanted = tracked("dsmrctl", "tests", "docs", "benchmarks", "images")
    assert {"pyproject.toml", "Makefile", "LICENSE", "README.md", *wanted} <= names
