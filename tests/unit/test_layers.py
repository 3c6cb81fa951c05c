"""The layers of lab_helpers: an upper one imports a lower one, never the other way."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

import lab_helpers

PACKAGE = Path(lab_helpers.__file__).parent

# From the bottom up; what stands beside each other must not import each other.
LAYERS: tuple[tuple[str, ...], ...] = (
    ("errors",),
    ("settings",),
    ("processes", "database"),
    ("broker",),
    ("cluster",),
    ("record",),
    ("draw",),
    ("exercises",),
    ("notebook", "recording"),
    ("accounting", "guidance", "overview"),
    ("lab",),
    ("build", "workspace"),
    ("doctor",),
    ("cli",),
    ("__main__",),
)
LEVEL = {unit: level for level, units in enumerate(LAYERS) for unit in units}

# draw/ takes plain dataclasses, and these are where they live.
DATA_FOR_PICTURES = {
    "lab_helpers.broker.placement",
    "lab_helpers.broker.topology",
    "lab_helpers.cluster.haproxy",
    "lab_helpers.cluster.status",
    "lab_helpers.record.events",
    "lab_helpers.record.failover",
    "lab_helpers.record.ledger",
    "lab_helpers.record.story",
}


def imported(module: str, is_package: bool, source: str) -> Iterator[tuple[int, str]]:
    """Every module of lab_helpers that a module imports, also inside functions, with the line."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            for alias in node.names:
                yield node.lineno, alias.name
        elif isinstance(node, ast.ImportFrom):
            base = node.module or ""
            if node.level:
                above = module.split(".")
                above = above[: len(above) - node.level + is_package]
                base = ".".join([*above, base] if base else above)
            for alias in node.names:
                yield node.lineno, f"{base}.{alias.name}" if base == "lab_helpers" else base


def violations(module: str, source: str, *, is_package: bool = False) -> list[str]:
    """What a module imports and should not."""
    own = module.split(".")[1]
    found = []
    if own not in LEVEL:
        found.append(f"{module}: {own} has no layer; give it one in LAYERS")
    for line, target in imported(module, is_package, source):
        parts = target.split(".")
        if parts[0] != "lab_helpers":
            continue
        unit = parts[1] if len(parts) > 1 else ""
        if unit == own or LEVEL.get(unit, len(LAYERS)) < LEVEL.get(own, len(LAYERS)):
            continue
        found.append(f"{module}:{line} imports {target}")
    return found


def modules() -> Iterator[tuple[str, Path]]:
    for file in sorted(PACKAGE.rglob("*.py")):
        parts = file.relative_to(PACKAGE.parent).with_suffix("").parts
        name = ".".join(parts[:-1] if parts[-1] == "__init__" else parts)
        if name != "lab_helpers":
            yield name, file


def test_every_module_imports_only_lower_layers() -> None:
    found = list(modules())
    assert len(found) > 30
    wrong = [
        sentence
        for name, file in found
        for sentence in violations(name, file.read_text(encoding="utf-8"), is_package=file.name == "__init__.py")
    ]
    assert wrong == []


def test_every_layer_exists() -> None:
    assert {name.split(".")[1] for name, _ in modules()} == set(LEVEL)


def test_pictures_take_plain_data_only() -> None:
    wrong = [
        f"{name}:{line} imports {target}"
        for name, file in modules()
        if name.startswith("lab_helpers.draw")
        for line, target in imported(name, file.name == "__init__.py", file.read_text(encoding="utf-8"))
        if target.startswith("lab_helpers") and not target.startswith("lab_helpers.draw")
        if target not in DATA_FOR_PICTURES
    ]
    assert wrong == []


@pytest.mark.parametrize(
    ("module", "source"),
    [
        ("lab_helpers.broker.made_up", "from lab_helpers.cluster import Cluster"),
        ("lab_helpers.broker.made_up", "import lab_helpers.cluster.ports"),
        ("lab_helpers.broker.made_up", "from lab_helpers import cluster"),
        ("lab_helpers.broker.made_up", "from ..cluster import ports"),
        ("lab_helpers.broker.made_up", "from .. import cluster"),
        ("lab_helpers.broker.made_up", "def later():\n    from lab_helpers.cli import app"),
        ("lab_helpers.workspace", "from lab_helpers.build import check"),
        ("lab_helpers.build.made_up", "from lab_helpers.workspace import fill"),
        ("lab_helpers.workspace", "from lab_helpers import doctor"),
        # The front of the package is above everything.
        ("lab_helpers.cli", "from lab_helpers import Lab"),
        ("lab_helpers.cli", "import lab_helpers"),
        ("lab_helpers.cli", "from lab_helpers.made_up import thing"),
        ("lab_helpers.made_up", ""),
    ],
)
def test_a_violation_is_found(module: str, source: str) -> None:
    assert len(violations(module, source)) == 1


@pytest.mark.parametrize(
    ("module", "source"),
    [
        ("lab_helpers.cluster.made_up", "from lab_helpers.broker.management import Management"),
        ("lab_helpers.cluster.made_up", "from lab_helpers import broker, settings"),
        (
            "lab_helpers.cluster.made_up",
            "from .engine import Engine\nfrom . import faults\nfrom ..errors import LabsError",
        ),
        ("lab_helpers.cli", "from lab_helpers import doctor\nimport lab_helpers.workspace"),
        ("lab_helpers.errors", "import json\nfrom collections.abc import Mapping"),
    ],
)
def test_a_lower_layer_may_be_imported(module: str, source: str) -> None:
    assert violations(module, source) == []


def test_a_package_resolves_its_own_relative_imports() -> None:
    assert violations("lab_helpers.broker", "from .topology import Topology", is_package=True) == []
    assert violations("lab_helpers.broker", "from ..cluster import ports", is_package=True) != []
