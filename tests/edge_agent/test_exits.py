"""How a command ends when something goes wrong."""

import pytest

from edge_agent.exits import reported
from edge_agent.shelf import ConfigError


def test_an_error_of_ours_is_its_message_and_its_status(capsys):
    """Square brackets are words, as in the name of a table, not markup."""
    with pytest.raises(SystemExit) as caught, reported("shelf-x"):
        raise ConfigError("mend [broker] and [/b]")
    assert caught.value.code == 78
    assert capsys.readouterr().err == "error: mend [broker] and [/b]\n"


def test_anything_else_is_one_line_and_70(capsys):
    """It says which program failed, with what, and how to see where."""
    with pytest.raises(SystemExit) as caught, reported("shelf-x"):
        raise ZeroDivisionError("a[/b]")
    assert caught.value.code == 70
    shown = capsys.readouterr().err
    assert shown.startswith("shelf-x failed unexpectedly (ZeroDivisionError: a[/b]). Set SHELFWATCH_TRACEBACK=1")
    assert len(shown.splitlines()) == 1


def test_whoever_asks_sees_where(monkeypatch):
    """With SHELFWATCH_TRACEBACK set the error comes through as it is."""
    monkeypatch.setenv("SHELFWATCH_TRACEBACK", "1")
    with pytest.raises(ZeroDivisionError), reported("shelf-x"):
        raise ZeroDivisionError
