"""What is shipped: wheel, sdist, README, Makefile."""

from __future__ import annotations

import ast
import configparser
import email.message
import email.parser
import json
import os
import re
import shutil
import subprocess
import sys
import tarfile
import venv
import zipfile
from pathlib import Path

import attrs
import pytest

import odyssey
from odyssey import Odyssey
from odyssey.emulator import Emulator

ROOT = Path(__file__).resolve().parents[2]
SOURCES = (
    *("setup.cfg", "setup.py", "README.md", "CHANGELOG.md", "LICENSE", "MANIFEST.in"),
    *("odyssey", "docs"),
)
README = (ROOT / "README.md").read_text("utf-8")
BLOCKS = re.findall(r"^```python\n(.*?)^```$", README, re.MULTILINE | re.DOTALL)


def _run(*args: str | Path, cwd: Path, **env: str) -> subprocess.CompletedProcess[str]:
    kept = {k: v for k, v in os.environ.items() if not k.startswith(("ODYSSEY_", "PYTEST_"))}
    result = subprocess.run(
        [str(arg) for arg in args],
        cwd=cwd,
        env=kept | env,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=240,
        check=False,
    )
    assert result.returncode == 0, result.stdout + result.stderr
    return result


@attrs.frozen
class Built:
    """A source distribution, and the wheel made of it."""

    sdist: Path
    wheel: Path

    @property
    def files(self) -> set[str]:
        with zipfile.ZipFile(self.wheel) as wheel:
            return set(wheel.namelist())

    def info(self, name: str) -> str:
        """A file of the wheel's metadata."""
        folder = f"odyssey_sync-{odyssey.__version__}.dist-info"
        with zipfile.ZipFile(self.wheel) as wheel:
            return wheel.read(f"{folder}/{name}").decode()

    @property
    def metadata(self) -> email.message.Message:
        return email.parser.Parser().parsestr(self.info("METADATA"))


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Built:
    """Built in a copy, so that the checkout stays as it is."""
    tree, out = tmp_path_factory.mktemp("tree"), tmp_path_factory.mktemp("dist")
    for name in SOURCES:
        if (ROOT / name).is_dir():
            ignored = shutil.ignore_patterns("__pycache__")
            shutil.copytree(ROOT / name, tree / name, ignore=ignored)
        else:
            shutil.copy(ROOT / name, tree)
    _run(sys.executable, "-m", "build", "--outdir", out, tree, cwd=out)
    (sdist,), (wheel,) = out.glob("*.tar.gz"), out.glob("*.whl")
    return Built(sdist, wheel)


@pytest.mark.timeout(300)
@pytest.mark.slow
def test_the_wheel_holds_the_package_alone(built: Built) -> None:
    assert built.wheel.name == f"odyssey_sync-{odyssey.__version__}-py3-none-any.whl"
    modules = {path.relative_to(ROOT).as_posix() for path in (ROOT / "odyssey").rglob("*.py")}
    pages = {
        path.relative_to(ROOT).as_posix()
        for folder in ("templates", "static")
        for path in (ROOT / "odyssey" / "viewer" / folder).iterdir()
    }
    inside = {name for name in built.files if ".dist-info/" not in name}
    assert inside == modules | pages | {"odyssey/py.typed"}


@pytest.mark.slow
def test_the_metadata_say_what_it_is(built: Built) -> None:
    metadata = built.metadata
    assert metadata["Name"] == "odyssey-sync"
    assert metadata["Version"] == odyssey.__version__
    assert metadata["Requires-Python"] == ">=3.11"
    assert "MIT" in (metadata["License"] or metadata["License-Expression"])
    assert "MIT License" in built.info(
        next(n for n in ("licenses/LICENSE", "LICENSE") if any(f.endswith(n) for f in built.files))
    )
    assert {"all", "cli", "dev", "emulator", "ray", "slow", "torch"} <= set(
        metadata.get_all("Provides-Extra", [])
    )
    assert "odyssey = odyssey.cli:main" in built.info("entry_points.txt")


@pytest.mark.slow
def test_the_extras_bring_what_they_are_for(built: Built) -> None:
    needs: dict[str, set[str]] = {}
    for requirement in built.metadata.get_all("Requires-Dist", []):
        name = re.split(r"[^A-Za-z0-9_.-]", requirement, maxsplit=1)[0].lower()
        extra = re.search(r"extra == ['\"](\w+)", requirement)
        needs.setdefault(extra[1] if extra else "", set()).add(name)
    live = {"aiortc", "attrs", "av", "numpy", "pillow", "requests", "tqdm", "urllib3", "websockets"}
    assert live <= needs[""]
    assert not needs[""] & {"aiohttp", "click", "ray", "torch"}
    assert needs["cli"] == {"click"}
    assert needs["emulator"] == {"aiohttp"}
    assert needs["viewer"] == {"flask", "werkzeug"}
    assert needs["all"] == needs["cli"] | needs["emulator"] | needs["viewer"]
    assert needs["all"] < needs["dev"]


def test_whatever_is_imported_is_required() -> None:
    """What another requirement happens to bring may be gone with its next version."""
    setup = configparser.ConfigParser()
    setup.read(ROOT / "setup.cfg")
    extras = setup["options.extras_require"]
    required = setup["options"]["install_requires"] + "".join(
        extras[name] for name in ("cli", "emulator", "viewer", "torch", "ray")
    )
    names = {re.split(r"[^\w.-]", line)[0].lower() for line in required.split()}
    imported = {
        name.partition(".")[0]
        for path in (ROOT / "odyssey").rglob("*.py")
        for node in ast.walk(ast.parse(path.read_text("utf-8")))
        if isinstance(node, (ast.Import, ast.ImportFrom))
        for name in (
            [alias.name for alias in node.names] if isinstance(node, ast.Import) else [node.module]
        )
        if name is not None
    }
    # Imported only where these are what runs the code.
    host = {"IPython", "pytest"}
    others = imported - sys.stdlib_module_names - host - {"odyssey", "_typeshed"}
    distributions = {"PIL": "pillow", "OpenSSL": "pyopenssl"}
    assert {distributions.get(name, name) for name in others} == names


@pytest.mark.slow
def test_the_readme_is_the_long_description(built: Built) -> None:
    assert built.metadata["Description-Content-Type"] == "text/markdown"
    assert str(built.metadata.get_payload()).strip() == README.strip()


@pytest.mark.slow
def test_the_sdist_holds_what_it_is_built_from(built: Built) -> None:
    with tarfile.open(built.sdist) as archive:
        names = {name.partition("/")[2] for name in archive.getnames()}
    assert {"README.md", "CHANGELOG.md", "LICENSE", "setup.py", "odyssey/py.typed"} <= names
    assert "docs/demo.png" in names


@pytest.mark.timeout(300)
@pytest.mark.slow
def test_the_wheel_runs_the_demo_without_the_checkout(built: Built, tmp_path: Path) -> None:
    venv.create(tmp_path / "venv", symlinks=os.name != "nt")
    scripts = tmp_path / "venv" / ("Scripts" if os.name == "nt" else "bin")
    python = shutil.which("python", path=str(scripts))
    assert python is not None
    pip = (sys.executable, "-m", "pip", "--python", python, "install", "--quiet")
    _run(*pip, f"{built.wheel}[all]", cwd=tmp_path)
    show = "import odyssey; print(odyssey.__file__)"
    where = _run(python, "-c", show, cwd=tmp_path, PYTHONPATH="")
    assert Path(where.stdout.strip()).is_relative_to(tmp_path)
    command = shutil.which("odyssey", path=str(scripts))
    assert command is not None
    result = _run(command, "demo", "--json", "--seconds", "2", cwd=tmp_path, PYTHONPATH="")
    summary = json.loads(result.stdout)
    assert summary["recording"]["frame_count"] > 0
    assert all((tmp_path / path).stat().st_size > 0 for path in summary["files"].values())


def test_importing_the_package_loads_nothing_heavy(tmp_path: Path) -> None:
    heavy = ("aiortc", "av", "PIL", "websockets", "aiohttp", "click")
    code = f"import sys, odyssey; print([m for m in {heavy} if m in sys.modules])"
    assert _run(sys.executable, "-c", code, cwd=tmp_path).stdout == "[]\n"


@pytest.fixture
def service(emulator: Emulator, client: Odyssey) -> dict[str, str]:
    """The environment of a script, with an emulator as the service."""
    return {"ODYSSEY_API_URL": emulator.url, "ODYSSEY_API_KEY": emulator.api_key}


@pytest.mark.slow
@pytest.mark.parametrize("block", [block for block in BLOCKS if "def test_" not in block])
@pytest.mark.live
def test_scripts_in_the_readme_run(block: str, tmp_path: Path, service: dict[str, str]) -> None:
    (tmp_path / "script.py").write_text(block, "utf-8")
    result = _run(sys.executable, "-W", "error", "script.py", cwd=tmp_path, **service)
    assert result.stdout


@pytest.mark.slow
@pytest.mark.parametrize("block", [block for block in BLOCKS if "def test_" in block])
@pytest.mark.live
def test_tests_in_the_readme_pass(block: str, tmp_path: Path) -> None:
    (tmp_path / "test_readme.py").write_text(block, "utf-8")
    pytest_alone = (sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider")
    _run(*pytest_alone, "test_readme.py", cwd=tmp_path)


def test_the_readme_has_both_kinds_of_code() -> None:
    assert len(BLOCKS) >= 2
    assert any("def test_" in block for block in BLOCKS)


def test_files_that_the_readme_names_are_there() -> None:
    targets = re.findall(r"\]\((?!https?:)([^)#]+)\)", README)
    assert "docs/demo.png" in targets
    assert [target for target in targets if not (ROOT / target).exists()] == []
    assert (ROOT / "docs" / "demo.png").stat().st_size < 400_000


def test_methods_that_the_readme_names_are_there() -> None:
    named = [name for name in re.findall(r"client\.(\w+)", README) if name.islower()]
    assert len(set(named)) > 10
    assert [name for name in named if not hasattr(Odyssey, name)] == []


def test_the_newest_version_in_the_changelog_is_this_one() -> None:
    changelog = (ROOT / "CHANGELOG.md").read_text("utf-8")
    first = re.search(r"^## (?!Unreleased)(\S+)", changelog, re.MULTILINE)
    assert first is not None
    assert first[1] == odyssey.__version__


@pytest.mark.skipif(shutil.which("make") is None, reason="needs make")
@pytest.mark.parametrize(
    ("script", "said"),
    [
        ('[ "$1" = -V ] && echo Python 3.8.2; [ "$1" = -V ]', "is Python 3.8.2"),
        ('case "$2" in *ensurepip*) exit 1;; esac', "apt-get install python3-venv"),
    ],
)
@pytest.mark.live
def test_make_says_what_python_it_needs(script: str, said: str, tmp_path: Path) -> None:
    python = tmp_path / "python"
    python.write_text(f"#!/bin/sh\n{script}\n")
    python.chmod(0o755)
    result = subprocess.run(
        ["make", "demo", f"VENV={tmp_path / 'venv'}", f"PYTHON={python}"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert result.returncode != 0
    assert said in result.stderr
    assert not (tmp_path / "venv").exists()
