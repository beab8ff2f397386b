"""Settings of rooms: a wrong one is refused with one sentence when the process starts."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from warmxfer.adapters.rooms import RoomSettings
from warmxfer.schemas import InvalidRequest

MODULE = """
NO_FUNCTION = 7

class Makers:
    @staticmethod
    def make():
        return None
"""


@pytest.fixture
def factories(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Two modules of a user; the framework counts as installed, and is never called."""
    (tmp_path / "our_factories.py").write_text(MODULE, encoding="utf-8")
    (tmp_path / "our_broken_factories.py").write_text(
        "import os; os.environ['NO_SUCH_KEY']", encoding="utf-8"
    )
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setattr("warmxfer.adapters.rooms.settings._prepare_framework", lambda: None)


def settings_for(pipeline: str | None) -> RoomSettings:
    env = {"WARMXFER_VOICE": "videosdk"}
    return RoomSettings.from_env(env if pipeline is None else {**env, "WARMXFER_BRIEFING_PIPELINE": pipeline})


def test_the_sandbox_is_the_default_and_needs_no_pipeline() -> None:
    assert RoomSettings.from_env({}) == RoomSettings()
    assert RoomSettings.from_env({"WARMXFER_BRIEFING_PIPELINE": "none:such"}) == RoomSettings()


def test_an_unknown_room_kind_is_refused() -> None:
    with pytest.raises(InvalidRequest, match="WARMXFER_VOICE is 'zoom'; use one of sandbox, videosdk"):
        RoomSettings.from_env({"WARMXFER_VOICE": "zoom"})


def test_a_missing_extra_is_refused_with_the_install_command(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in sys.modules if name.startswith("warmxfer.adapters.rooms.videosdk.client")]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "videosdk", None)
    for name in [name for name in sys.modules if name.startswith("videosdk.")]:
        monkeypatch.delitem(sys.modules, name)
    with pytest.raises(InvalidRequest) as refusal:
        settings_for("our_factories:Makers.make")
    assert str(refusal.value).startswith("WARMXFER_VOICE is 'videosdk', but videosdk")
    assert str(refusal.value).endswith(
        "; in the clone, pip install '.[videosdk]' or uv sync --extra videosdk"
    )


@pytest.mark.usefixtures("factories")
def test_a_pipeline_factory_is_imported_by_name() -> None:
    settings = settings_for("our_factories:Makers.make")
    factory = settings.pipeline
    assert factory is not None
    assert settings.kind == "videosdk"
    assert (factory.name, factory.make()) == ("our_factories:Makers.make", None)


@pytest.mark.usefixtures("factories")
@pytest.mark.parametrize(
    ("pipeline", "sentence"),
    [
        (None, "WARMXFER_BRIEFING_PIPELINE is '', not a function; write module:function"),
        ("our_factories", "WARMXFER_BRIEFING_PIPELINE is 'our_factories', not a function"),
        ("no_such_module:make", "but No module named 'no_such_module'; install it, or put its folder into"),
        ("our_factories:remake", "but our_factories has no remake; name a function of that module"),
        ("our_factories:NO_FUNCTION", "but it is of type int; name a function"),
        (
            "our_broken_factories:make",
            "but importing our_broken_factories raised KeyError; make it importable",
        ),
    ],
)
def test_an_invalid_pipeline_factory_is_refused(pipeline: str | None, sentence: str) -> None:
    with pytest.raises(InvalidRequest) as refusal:
        settings_for(pipeline)
    assert sentence in str(refusal.value)
    assert refusal.value.field == "WARMXFER_BRIEFING_PIPELINE"
