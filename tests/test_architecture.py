"""The layers, read from the imports; what importing loads; what is public."""

from __future__ import annotations

import ast
import importlib
import inspect
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import pytest

import odyssey
import odyssey.models

ROOT = Path(odyssey.__file__).parent

# From the bottom up: a module imports modules of its own group and of those before it.
LAYERS = (
    {"_version", "_deadline", "_lazy"},
    {"_background"},
    {"errors", "config", "_redact", "_tls", "_progress", "_debug", "_exit", "_html", "stats"},
    {"_process", "_feed"},
    {"_json", "_path_segment"},
    {"_pages"},
    {"models", "_events_log"},
    {"frames"},
    {"frame_queue"},
    {"_transport", "_fanout", "_callbacks", "_images", "_scripts", "_polling", "_protocol"},
    {"_answer"},
    {"_http", "_rtc"},
    {"_sessions", "_artifact", "_telemetry", "_whep"},
    {"_range_reader"},
    {"_download"},
    {"_recording_frames"},
    {"recordings", "spectator", "_live"},
    {"simulations", "_preview", "stream", "capture"},
    {"_flat_names", "_state", "_views"},
    {"client"},
    {"__init__"},
    {"integrations"},
    {"viewer"},
    {"cli", "__main__", "pytest_plugin"},
)

#: The client connects from inside a function, and nobody else knows of asyncio and WebRTC.
LATE = {"_live", "spectator", "_recording_frames"}
HEAVY = {"aiortc", "aioice", "av", "websockets", "asyncio"}
MAY_BE_HEAVY = {"_rtc", "emulator", "cli", "pytest_plugin", "integrations"}


def rank(part: str) -> int:
    for number, layer in enumerate(LAYERS):
        if part in layer:
            return number
    raise AssertionError(f"odyssey.{part} has no layer yet: place it in LAYERS")


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
    found = dict(imports(ROOT / "_live.py"))
    assert found["odyssey._http.HttpClient"] is True
    assert found["odyssey._rtc.loop.MediaLoop"] is False
    assert own("odyssey._rtc.loop.MediaLoop") == "_rtc"
    assert own("odyssey.Odyssey") == "__init__"
    assert any(own(name) == "emulator" for name, _ in imports(ROOT / "emulator" / "server.py"))


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
        if part == "stream" and not at_once and reached in ("client", "_images"):
            continue  # types only
        assert rank(reached) <= rank(part), f"{part} imports {name}, which stands above it"
        if reached == "_rtc" and part != "_rtc":
            assert part in LATE, f"{part} imports {name}"
            assert not at_once, f"{part} imports {name} as soon as it is imported"


@pytest.mark.parametrize("path", CLIENT_SIDE, ids=lambda p: str(p.relative_to(ROOT)))
def test_only_the_media_side_imports_what_is_heavy(path: Path) -> None:
    if part_of(path) in MAY_BE_HEAVY:
        return
    for name, at_once in imports(path):
        assert not at_once or name.split(".")[0] not in HEAVY, f"{path.name} imports {name}"


def test_the_protocol_has_no_socket_thread_or_clock() -> None:
    forbidden = {"socket", "threading", "time", "asyncio", "requests", "concurrent"}
    for path in (ROOT / "_protocol").glob("*.py"):
        for name, _ in imports(path):
            assert name.split(".")[0] not in forbidden | HEAVY, f"{path.name} imports {name}"
            assert own(name) in (None, "_protocol", "models", "errors")


def test_the_emulator_never_imports_the_client() -> None:
    paths = list((ROOT / "emulator").rglob("*.py"))
    assert len(paths) > 5
    for path in paths:
        for name, _ in imports(path):
            assert own(name) in (None, "emulator", "_version"), f"{path.name} imports {name}"


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


#: Every name of the contract that exists so far.
CONTRACT = {
    *("Odyssey", "AdvancedConfig", "ClientCredentials", "ConnectionStatus", "StreamerCapabilities"),
    *("VideoFrame", "FrameQueue", "Stream", "BroadcastInfo", "Recording", "StreamRecordingInfo"),
    *("StreamRecordingsList", "OdysseyError", "OdysseyAuthError", "OdysseyConnectionError"),
    *("OdysseyTimeoutError", "OdysseyStreamError", "OdysseyAPIError", "OdysseyRequestError"),
    *("OdysseyNotFoundError", "OdysseyServerError", "SimulationFailedError", "OdysseyUsageError"),
    *("MonthlyLimitReachedError", "ConcurrentLimitReachedError", "AccountSuspendedError"),
    *("StreamDurationExceededError", "RateLimitError"),
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


def test_the_package_is_typed() -> None:
    assert (ROOT / "py.typed").exists()
