"""Converted embedding models as the lake keeps them: one file a model under `models/`, written whole."""

from __future__ import annotations

import hashlib
import io
import re
import zipfile
from dataclasses import asdict

import orjson

from turret_pipeline.embedder.runtime import ConvertedModel, ModelFacts
from turret_pipeline.lake import files, sums
from turret_pipeline.lake.paths import Lake

_STAMP = (1980, 1, 1, 0, 0, 0)  # equal models give equal files


def write_model(lake: Lake, key: str, model: ConvertedModel) -> None:
    """After this call the lake holds `model` under `key`, whole and durable; until then what it held before."""
    sink = io.BytesIO()
    with zipfile.ZipFile(sink, "w", zipfile.ZIP_STORED) as packed:
        for name, content in (
            ("facts.json", orjson.dumps(asdict(model.facts))),
            ("tokenizer.json", model.tokenizer),
            ("graph.xml", model.graph),
            ("weights.bin", model.weights),
        ):
            packed.writestr(zipfile.ZipInfo(name, _STAMP), content)
    address = _address(lake, key)
    sums.unseal(lake, address)
    files.write(lake, address, sink.getbuffer())
    sums.seal(lake, address)


def keeps_model(lake: Lake, key: str) -> bool:
    """Return whether the lake holds a model under `key`; its content is not looked at."""
    return files.exists(lake, _address(lake, key))


def read_model(lake: Lake, key: str) -> ConvertedModel | None:
    """Return the model that the lake holds under `key`; None where it holds none.

    Raise `DamageError` where the file is damaged.
    """
    address = _address(lake, key)
    try:
        with (
            sums.reading(lake, address),
            files.open_input(lake, address) as stream,
            zipfile.ZipFile(stream) as packed,
        ):
            facts = ModelFacts(**orjson.loads(packed.read("facts.json")))
            return ConvertedModel(
                packed.read("graph.xml"), packed.read("weights.bin"), packed.read("tokenizer.json"), facts
            )
    except FileNotFoundError:
        return None


def _address(lake: Lake, key: str) -> str:
    """Return the address of the file: the letters and digits of `key`, which may have slashes, and a digest of it."""
    digest = hashlib.blake2b(key.encode(), digest_size=8).hexdigest()
    return lake.model(f"{re.sub(r'[^A-Za-z0-9.-]+', '-', key).strip('.-')[:80]}-{digest}")
