"""Converted models in the lake: whole or not there at all, whatever the key is called."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from turret_pipeline import failpoint
from turret_pipeline.embedder.kept import read_model, write_model
from turret_pipeline.embedder.runtime import ConvertedModel, ModelFacts
from turret_pipeline.lake.damage import DamageError
from turret_pipeline.lake.paths import Lake

MODEL = ConvertedModel(b"<net/>", bytes(range(256)) * 50, b"{}", ModelFacts(384, 256, 0, "query: "))


def files(lake: Lake) -> list[Path]:
    return sorted((Path(lake.root) / "models").iterdir())


@pytest.mark.parametrize(
    "key", ["all-MiniLM-L6-v2@53aa51172d14", "BAAI/bge-small-en", "../../etc/passwd", "…", "a" * 500]
)
def test_a_model_is_read_as_it_was_written_and_lies_in_its_folder(tmp_path: Path, key: str) -> None:
    lake = Lake(str(tmp_path / "a lake"))
    assert read_model(lake, key) is None
    write_model(lake, key, MODEL)
    assert read_model(lake, key) == MODEL
    assert len(files(lake)) == 1
    assert list(tmp_path.iterdir()) == [tmp_path / "a lake"]


def test_keys_that_look_alike_are_kept_apart(tmp_path: Path) -> None:
    lake = Lake(str(tmp_path))
    write_model(lake, "a/b", MODEL)
    assert read_model(lake, "a-b") is None


def test_a_writer_that_dies_leaves_what_was_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    lake = Lake(str(tmp_path))
    write_model(lake, "m", MODEL)

    def die(name: str) -> None:
        raise KeyboardInterrupt(name)

    monkeypatch.setattr(failpoint, "on_reached", die)
    with pytest.raises(KeyboardInterrupt):
        write_model(lake, "m", ConvertedModel(b"<other/>", b"", b"", MODEL.facts))
    assert read_model(lake, "m") == MODEL
    assert len(files(lake)) == 1


@pytest.mark.parametrize("damage", [b"", b"PK", b"x" * 100_000])
@pytest.mark.parametrize("has_checksum", [True, False])
def test_a_damaged_file_is_named_until_it_is_written_anew(tmp_path: Path, damage: bytes, has_checksum: bool) -> None:
    lake = Lake(str(tmp_path))
    write_model(lake, "m", MODEL)
    files(lake)[0].write_bytes(damage)
    if not has_checksum:
        shutil.rmtree(tmp_path / "sums")
    with pytest.raises(DamageError, match=r"The embedding model is damaged: models/m-.* `turret doctor --mend`"):
        read_model(lake, "m")
    write_model(lake, "m", MODEL)
    assert read_model(lake, "m") == MODEL


def test_a_flipped_bit_is_found(tmp_path: Path) -> None:
    lake = Lake(str(tmp_path))
    write_model(lake, "m", MODEL)
    content = bytearray(files(lake)[0].read_bytes())
    content[content.index(MODEL.weights) + 1000] ^= 1
    files(lake)[0].write_bytes(content)
    with pytest.raises(DamageError):
        read_model(lake, "m")


def test_openvino_is_loaded_without_what_reports_its_use() -> None:
    script = (
        "import sys; from turret_pipeline.embedder.runtime import load_openvino; load_openvino();"
        "print(*(name for name, module in sys.modules.items() if module and name.startswith('openvino_telemetry')))"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout.split() == []
