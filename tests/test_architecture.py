"""The shape of the project: imports point one way, and a device needs neither TensorFlow nor a desktop."""

import ast
import subprocess
import sys
import tomllib

import pytest

from tests.conftest import REPO

SHARED = {"shelf", "bundle", "regions", "inference", "exits", "signature"}
"""What the converter and the trainer may import of the agent."""
CORE = (
    *("shelf", "regions", "counting", "pipeline", "outcome", "messages", "annotate", "privacy", "home_assistant"),
    *("pictures/picture", "pictures/viewpoint", "history/series", "history/steady", "review/crop", "review/choosing"),
    *(f"planogram/{part}" for part in ("edit", "layout", "merge", "places")),
    *(
        f"alerts/{part}"
        for part in ("levels", "policy", "hours", "book", "due", "telling", "records", "bodies", "looks")
    ),
)
"""Modules that take values and return values."""
OUTSIDE = {"time", "os", "socket", "sqlite3", "logging", "threading", "random", "paho", "subprocess"} | {
    *("pathlib", "queue", "asyncio", "requests")
}


def imported(path):
    """The dotted names that a file imports, wherever in it."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield node.module
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def sources(package):
    """The Python files of a package."""
    return sorted((REPO / package).rglob("*.py"))


@pytest.mark.parametrize("path", sources("edge_agent"), ids=lambda path: str(path.relative_to(REPO)))
def test_the_agent_imports_neither_converter_nor_trainer_nor_tensorflow(path):
    """Nothing on the device reaches for what only a developer's machine has."""
    roots = {name.split(".")[0] for name in imported(path)}
    assert not roots & {"converter", "trainer", "tensorflow", "keras", "matplotlib"}


@pytest.mark.parametrize("package", ["converter", "trainer"])
def test_the_others_import_only_the_agents_shared_parts(package):
    """Vocabulary, bundle, signature, regions, inference and exit statuses are shared; nothing else of the agent is."""
    for path in sources(package):
        parts = {name.split(".")[1] for name in imported(path) if name.startswith("edge_agent.")}
        assert parts <= SHARED, f"{path} imports {parts - SHARED}"
    if package == "trainer":
        assert not any(name.startswith("converter") for path in sources(package) for name in imported(path))


@pytest.mark.parametrize(
    ("below", "above"),
    [
        ("running.py", ("control",)),
        ("doctor/*.py", ("dashboard.server", "dashboard.app", "dashboard.views")),
    ],
)
def test_what_stands_below_does_not_reach_up(below, above):
    """What runs knows nobody who changes it, and the doctor nothing of the page that shows what it finds."""
    never = tuple(f"edge_agent.{part}" for part in above)
    for path in (REPO / "edge_agent").glob(below):
        assert not [name for name in imported(path) if name.startswith(never)], path


def test_the_benchmarks_import_no_test():
    """Tests share the real parts of the benchmarks, never the other way round."""
    assert not [path for path in sources("benchmarks") for name in imported(path) if name.split(".")[0] == "tests"]


def test_each_system_test_lies_where_make_looks_for_it():
    """`make system` collects two folders, and one for tests that must be alone: all would take half a minute."""
    marked = {kind: f"pytest.mark.{kind}" for kind in ("system", "alone")}
    found = {
        kind: {path.relative_to(REPO / "tests").parts[0] for path in sources("tests") if mark in path.read_text()}
        for kind, mark in marked.items()
    }
    assert found == {"system": {"edge_agent", "system"}, "alone": {"system"}}


@pytest.mark.parametrize("name", CORE)
def test_the_core_touches_no_clock_disk_network_or_log(name):
    """The core takes values and returns values."""
    roots = {imported_name.split(".")[0] for imported_name in imported(REPO / "edge_agent" / f"{name}.py")}
    assert not roots & OUTSIDE


def test_the_base_install_is_the_agent_alone():
    """The distribution without extras brings no TensorFlow, no matplotlib and no OpenCV with windows."""
    project = tomllib.loads((REPO / "pyproject.toml").read_text())["project"]
    base = {requirement.split(">")[0].split(";")[0].strip() for requirement in project["dependencies"]}
    assert "opencv-python-headless" in base
    assert not base & {"tensorflow", "matplotlib", "opencv-python", "keras"}
    locked = (REPO / "deploy" / "lock" / "agent.txt").read_text()
    assert "tensorflow" not in locked
    assert "matplotlib" not in locked


@pytest.mark.parametrize(
    ("module", "more"), [("edge_agent.cli", {"cv2"}), ("converter.cli", {"cv2"}), ("trainer.cli", set())]
)
def test_help_is_instant_because_heavy_parts_load_late(module, more):
    """Asking for help loads no TensorFlow, and for the agent and the converter no OpenCV either."""
    heavy = {"tensorflow", "keras", "matplotlib", "ai_edge_litert"} | more
    script = f"import sys, {module}\nheavy = {heavy} & set(sys.modules)\nsys.exit(f'loaded {{heavy}}' if heavy else 0)"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
