"""`docs/configuration.md` is made from the settings, so that it cannot say anything else than they do."""

import re
import subprocess
import sys
from pathlib import Path

from edge_agent import config, reference
from edge_agent.validation import table_of

REPO = Path(__file__).resolve().parents[2]
PAGE = REPO / "docs" / "configuration.md"


def test_the_committed_page_is_what_the_settings_say():
    """Whoever changes a setting without running `make docs` is told here."""
    assert PAGE.read_text(encoding="utf-8") == reference.markdown(), "docs/configuration.md is stale: run make docs"


def test_the_command_writes_the_page(tmp_path):
    """`make docs` runs this command."""
    target = tmp_path / "configuration.md"
    subprocess.run([sys.executable, "-m", "edge_agent.reference", target], cwd=REPO, check=True)
    assert target.read_text(encoding="utf-8") == reference.markdown()


def test_every_key_has_a_row_with_a_value_a_default_and_a_meaning():
    """No key of the file is left out, and none is left unexplained."""
    page = reference.markdown()
    for title, model, _ in reference._tables(config.Settings, ()):
        table = page.split(f"## {title}\n", 1)[1].split("\n## ", 1)[0]
        for name, field in model.model_fields.items():
            if table_of(field.annotation) is None:
                assert field.description
                assert len(re.findall(rf"^\| `{name}` \| .+ \| .+ \| .+ \|$", table, re.MULTILINE)) == 1


def test_the_example_on_the_page_is_a_configuration(tmp_path):
    """The example can be copied as it is."""
    shown = re.search(r"```toml\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL)
    assert shown
    path = tmp_path / "agent.toml"
    path.write_text(shown[1], encoding="utf-8")
    settings = config.load(path, labels=("cola-can", "still-water", "empty", "occluded"))
    assert [slot.id for slot in settings.shelves_of("cam1")[0].slots] == ["r1c1", "r1c2", "r1c3", "r1c4"]
