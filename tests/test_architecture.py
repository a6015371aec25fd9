"""The layers, read from the imports; what importing loads; what is public."""

from __future__ import annotations

import ast
import importlib
import inspect
import re
import subprocess
import sys
import typing
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType

import pytest

import odyssey
import odyssey.models

ROOT = Path(odyssey.__file__).parent

PAGE = (ROOT.parent / "ARCHITECTURE.md").read_text(encoding="utf-8")


def layers(heading: str) -> tuple[set[str], ...]:
    """The rooms of a table in ARCHITECTURE.md, floor by floor from the bottom up."""
    section = PAGE.split(f"\n## {heading}\n")[1].split("\n## ")[0]
    rows = re.findall(r"^\| (\d+) \| ([^|]*) \|", section, re.MULTILINE)
    assert [int(floor) for floor, _ in rows] == list(range(len(rows)))
    return tuple(set(re.findall(r"`(\w+)`", rooms)) for _, rooms in rows)


# A room imports rooms of the layers before its own, and no other.
LAYERS = layers("Rooms of the client")
EMULATOR_LAYERS = layers("Rooms of the emulator")

#: What needs aiortc and av is imported inside the function that connects or reads a video.
LATE = {"_rtc", "_video"}
HEAVY = {"aiortc", "aioice", "av", "websockets", "asyncio"}
MAY_BE_HEAVY = {"_rtc", "_video", "emulator", "cli", "pytest_plugin", "integrations"}
#: The asyncio loop in a thread, and its tasks. Imported by who connects.
ASYNCIO = {"portal.py", "tasks.py"}


def rank(part: str) -> int:
    for number, layer in enumerate(LAYERS):
        if part in layer:
            return number
    raise AssertionError(f"odyssey.{part} has no layer yet: place it in ARCHITECTURE.md")


def part_of(path: Path) -> str:
    """The module of the top level that a file is, or belongs to."""
    return path.relative_to(ROOT).parts[0].removesuffix(".py")


def modules() -> list[Path]:
    return sorted(ROOT.rglob("*.py"))


def imports(path: Path) -> Iterator[tuple[str, bool]]:
    """Whatever a file imports, in full, and whether that happens as soon as it is imported."""
    package = ["odyssey", *path.relative_to(ROOT).parts[:-1]]

    def visit(node: ast.AST, at_once: bool) -> Iterator[tuple[str, bool]]:
        for child in ast.iter_child_nodes(node):
            inside = isinstance(child, (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda))
            if isinstance(child, ast.If) and "TYPE_CHECKING" in ast.unparse(child.test):
                inside = True
            if isinstance(child, ast.Import):
                for name in child.names:
                    yield name.name, at_once
            elif isinstance(child, ast.ImportFrom):
                base = package[: len(package) + 1 - child.level] if child.level else []
                module = ".".join([*base, *filter(None, [child.module])])
                for name in child.names:
                    yield f"{module}.{name.name}", at_once
            yield from visit(child, at_once and not inside)

    yield from visit(ast.parse(path.read_text(encoding="utf-8")), True)


def own(name: str) -> str | None:
    """The part of odyssey that an import reaches, or None for other packages."""
    parts = name.split(".")
    if parts[0] != "odyssey":
        return None
    if len(parts) > 1 and ((ROOT / parts[1]).is_dir() or (ROOT / f"{parts[1]}.py").exists()):
        return parts[1]
    return "__init__"  # a name that the package itself exports


def test_imports_are_found_wherever_they_stand() -> None:
    """Else the tests below would see nothing and be content."""
    found = dict(imports(ROOT / "_live" / "live_client.py"))
    assert found["odyssey._rest.client.HttpClient"] is True
    assert found["odyssey._runtime.portal.Portal"] is False
    assert own("odyssey._runtime.portal.Portal") == "_runtime"
    assert own("odyssey.Odyssey") == "__init__"
    assert any(own(name) == "emulator" for name, _ in imports(ROOT / "emulator" / "server.py"))


@pytest.mark.parametrize(
    ("folder", "rooms", "elsewhere"),
    [(ROOT, LAYERS, {"emulator"}), (ROOT / "emulator", EMULATOR_LAYERS, set[str]())],
    ids=["client", "emulator"],
)
def test_the_page_shows_every_room_once(
    folder: Path, rooms: tuple[set[str], ...], elsewhere: set[str]
) -> None:
    shown = [room for floor in rooms for room in floor]
    assert len(shown) == len(set(shown))
    there = {path.relative_to(folder).parts[0].removesuffix(".py") for path in folder.rglob("*.py")}
    assert set(shown) == there - elsewhere


def test_every_file_on_the_page_exists() -> None:
    named = set(re.findall(r"`([\w./-]+(?:/|\.\w+))`", PAGE))
    named |= set(re.findall(r"`(tests/[\w./-]+)`", PAGE))
    named = {name for name in named if "/" in name or name.endswith(".py")}
    assert len(named) > 40
    tops = ("tests/", "docs/", "odyssey/")
    missing = {n for n in named if not ((ROOT.parent if n.startswith(tops) else ROOT) / n).exists()}
    assert missing == set()


CLIENT_SIDE = [path for path in modules() if part_of(path) != "emulator"]


@pytest.mark.parametrize("path", CLIENT_SIDE, ids=lambda p: str(p.relative_to(ROOT)))
def test_imports_point_down(path: Path) -> None:
    part = part_of(path)
    for name, at_once in imports(path):
        reached = own(name)
        if reached is None or reached == part:
            continue
        if reached == "emulator":
            assert part in ("cli", "pytest_plugin"), f"{part} imports {name}"
            continue
        assert rank(reached) < rank(part), f"{part} imports {name}, which does not stand below it"
        if reached in LATE and part not in LATE:
            assert not at_once, f"{part} imports {name} as soon as it is imported"


@pytest.mark.parametrize("path", CLIENT_SIDE, ids=lambda p: str(p.relative_to(ROOT)))
def test_only_the_media_side_imports_what_is_heavy(path: Path) -> None:
    if part_of(path) in MAY_BE_HEAVY or path.name in ASYNCIO:
        return
    for name, at_once in imports(path):
        assert not at_once or name.split(".")[0] not in HEAVY, f"{path.name} imports {name}"


def test_the_protocol_has_no_socket_thread_or_clock() -> None:
    forbidden = {"socket", "threading", "time", "asyncio", "requests", "concurrent"}
    for path in (ROOT / "_protocol").glob("*.py"):
        for name, _ in imports(path):
            assert name.split(".")[0] not in forbidden | HEAVY, f"{path.name} imports {name}"
            assert own(name) in (None, "_protocol", "models", "errors")


#: What the emulator shares with the client: see ARCHITECTURE.md.
SHARED = (
    *("odyssey._video.writing.", "odyssey._rtc.window", "odyssey._rtc.wall_clock."),
    "odyssey._rtc.private_packets",
)


def test_the_emulator_never_imports_the_client() -> None:
    paths = list((ROOT / "emulator").rglob("*.py"))
    assert len(paths) > 5
    for path in paths:
        for name, _ in imports(path):
            assert own(name) in (None, "emulator", "_version") or name.startswith(SHARED), (
                f"{path.name} imports {name}"
            )


def emulator_room(part: str) -> int:
    for number, layer in enumerate(EMULATOR_LAYERS):
        if part in layer:
            return number
    raise AssertionError(f"odyssey.emulator.{part} has no layer yet: place it in ARCHITECTURE.md")


@pytest.mark.parametrize(
    "path", sorted((ROOT / "emulator").rglob("*.py")), ids=lambda p: str(p.relative_to(ROOT))
)
def test_the_emulators_imports_point_down(path: Path) -> None:
    part = path.relative_to(ROOT / "emulator").parts[0].removesuffix(".py")
    for name, _ in imports(path):
        reached = name.split(".")
        if reached[:2] == ["odyssey", "emulator"] and reached[2] != part:
            assert emulator_room(reached[2]) < emulator_room(part), f"{part} imports {name}"


def test_the_emulator_loads_nothing_of_the_client() -> None:
    """What it shares with the client brings no more of it along."""
    script = """
import odyssey, sys
before = set(sys.modules)
import odyssey.emulator.server
print(*(name for name in set(sys.modules) - before if name.startswith("odyssey.")))
"""
    shared = ("odyssey.emulator", "odyssey._video", *(name.strip(".") for name in SHARED))
    more = [name for name in python(script).split() if not name.startswith(shared)]
    assert more in ([], ["odyssey._rtc"])


def python(script: str) -> str:
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, timeout=60, check=True
    )
    return done.stdout.strip()


def test_importing_loads_nothing_heavy() -> None:
    heavy = [
        "aiortc",
        "aioice",
        "av",
        "websockets",
        "PIL",
        "asyncio",
        "tqdm",
        "aiohttp",
        "click",
        "numpy",
    ]
    script = f"import odyssey, sys; print([m for m in {heavy} if m in sys.modules])"
    assert python(script) == "[]"


def test_listing_recordings_loads_nothing_heavy() -> None:
    heavy = ["aiortc", "aioice", "av", "websockets", "PIL", "numpy"]
    script = f"""
import odyssey, sys
with odyssey.Odyssey("ody_key", api_url="http://127.0.0.1:1", timeout=0.2) as client:
    try:
        client.recordings.list()
    except odyssey.OdysseyConnectionError:
        print([m for m in {heavy} if m in sys.modules])
"""
    assert python(script) == "[]"


# What is public.


def test_all_is_sorted_and_whole() -> None:
    names = list(odyssey.__all__)
    assert len(names) == len(set(names))
    assert names == sorted(names)
    assert "__version__" in names


@pytest.mark.parametrize("package", [odyssey, odyssey.models])
def test_names_that_load_on_first_use_are_those_that_are_exported(package: ModuleType) -> None:
    tree = ast.parse(Path(package.__file__ or "").read_text(encoding="utf-8"))
    (choice,) = (node for node in tree.body if isinstance(node, ast.If))
    typed = {
        (str(node.module).removeprefix(f"{package.__name__}."), name.name)
        for node in choice.body
        if isinstance(node, ast.ImportFrom)
        for name in node.names
    }
    (table,) = (node for node in ast.walk(choice) if isinstance(node, ast.Dict))
    loaded = {(m, n) for m, names in ast.literal_eval(table).items() for n in names}
    assert loaded == typed
    at_once = {name for name in vars(package) if name in package.__all__} - {n for _, n in loaded}
    assert {name for _, name in loaded} | at_once == set(package.__all__)
    for module, name in loaded:
        assert getattr(package, name) is getattr(
            importlib.import_module(f"{package.__name__}.{module}"), name
        )
    with pytest.raises(AttributeError, match="no_such_name"):
        _ = package.no_such_name


@pytest.mark.parametrize("package", ["odyssey", "odyssey.models"])
def test_dir_lists_what_is_exported_before_it_is_loaded(package: str) -> None:
    """In a process of its own: here the tests have loaded the names already."""
    script = f"import {package} as package; print(set(package.__all__) - set(dir(package)))"
    assert python(script) == "set()"


#: Every name of the contract that exists so far.
CONTRACT = {
    *("Odyssey", "AdvancedConfig", "ClientCredentials", "ConnectionStatus", "StreamerCapabilities"),
    *("VideoFrame", "FrameQueue", "Stream", "BroadcastInfo", "Recording", "StreamRecordingInfo"),
    *("StreamRecordingsList", "OdysseyError", "OdysseyAuthError", "OdysseyConnectionError"),
    *("OdysseyTimeoutError", "OdysseyStreamError", "OdysseyAPIError", "OdysseyRequestError"),
    *("OdysseyNotFoundError", "OdysseyServerError", "SimulationFailedError", "OdysseyUsageError"),
    *("MonthlyLimitReachedError", "ConcurrentLimitReachedError", "AccountSuspendedError"),
    *("StreamDurationExceededError", "RateLimitError"),
    *("ClientConfig", "OdysseyEventHandlers", "raise_for_usage_error"),
}


def test_the_contracts_names_can_be_imported() -> None:
    assert set(odyssey.__all__) >= CONTRACT


def documented() -> Iterator[tuple[str, object]]:
    for name in odyssey.__all__:
        value = getattr(odyssey, name)
        if inspect.isclass(value):
            yield name, value
            for member, attribute in vars(value).items():
                if not member.startswith("_") and (
                    inspect.isfunction(attribute) or isinstance(attribute, (property, classmethod))
                ):
                    yield f"{name}.{member}", attribute
        elif inspect.isfunction(value):
            yield name, value


#: Described with the class's attributes.
UNNEEDED = {"VideoFrame.data"}
#: How the service's answers become the classes.
JSON_READERS = (".from_json", ".read")


def test_everything_public_has_a_docstring() -> None:
    found = dict(documented())
    assert len(found) > 50
    silent = {name for name, value in found.items() if not (inspect.getdoc(value) or "").strip()}
    assert {n for n in silent if not n.endswith(JSON_READERS)} - UNNEEDED == set()


def with_annotations() -> Iterator[tuple[str, Callable[..., object]]]:
    for name in odyssey.__all__:
        value = getattr(odyssey, name)
        if inspect.isfunction(value):
            yield name, value
        if not inspect.isclass(value):
            continue
        yield name, value
        for member in dir(value):
            if member.startswith("_") and member not in ("__init__", "__iter__", "__enter__"):
                continue
            attribute = inspect.getattr_static(value, member)
            if isinstance(attribute, property):
                attribute = attribute.fget
            function = getattr(attribute, "__func__", attribute)
            if inspect.isfunction(function) and function.__module__.startswith("odyssey"):
                yield f"{name}.{member}", function


def test_the_types_of_everything_public_can_be_looked_up() -> None:
    """What frameworks do that read signatures at run time."""
    found = dict(with_annotations())
    assert len(found) > 100
    assert {"Odyssey.connect", "Odyssey.simulate", "connect_to_stream"} <= set(found)
    for value in found.values():
        typing.get_type_hints(value)


def test_the_package_is_typed() -> None:
    assert (ROOT / "py.typed").exists()


def test_the_top_is_short() -> None:
    private = {p.name for p in ROOT.iterdir() if re.match(r"_[a-z]", p.name)}
    assert len(private) <= 12, sorted(private)
    assert len(LAYERS) <= 12


def code_lines(node: ast.AST, text: str) -> int:
    """Lines without docstrings, comments and blank ones."""
    lines = text.splitlines()
    first = getattr(node, "lineno", 1)
    last = getattr(node, "end_lineno", len(lines))
    kept = set(range(first, last + 1))
    for inner in ast.walk(node):
        body = getattr(inner, "body", None)
        if not isinstance(body, list) or not body or not isinstance(body[0], ast.Expr):
            continue
        if isinstance(inner, (ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)):
            value = body[0].value
            if isinstance(value, ast.Constant) and isinstance(value.value, str):
                kept -= set(range(value.lineno, (value.end_lineno or value.lineno) + 1))
    return sum(1 for n in kept if lines[n - 1].strip() and not lines[n - 1].strip().startswith("#"))


@pytest.mark.parametrize("path", modules(), ids=lambda p: str(p.relative_to(ROOT)))
def test_files_and_functions_are_short(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    tree = ast.parse(text)
    assert code_lines(tree, text) <= 400
    for node in ast.walk(tree):
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
            assert code_lines(node, text) <= 40, f"{node.name}: {code_lines(node, text)} lines"
