"""How well answers that refuse, or that apologise and go no further, are told.

    python benchmarks/answers.py [DATA]

Reads `answers.tsv` (set, kind, language, answer: written for this, in 20 languages), and `answers_real.tsv` (set, kind,
`text_id`: answers of sgd_train and taskmaster4, labelled by reading; the texts come from DATA, the folder with those
Parquet files). None is an example that the classifier learns from. The set `tuned` was looked at while it was made; of
`held`, see `answers.md`. Prints one JSON object a set and kind: precision and recall, of Turret and of a yardstick:
words that apologise, regret or deny an ability anywhere in the answer. Last come the answers a second.
"""

from __future__ import annotations

import argparse
import json
import re
import time
from pathlib import Path

import polars as pl

from turret_pipeline.analysis.answers.kinds import answer_kinds
from turret_pipeline.analysis.kinds.words import plain
from turret_pipeline.semantics.answers import APOLOGISED, MADE_GOOD, REFUSED
from turret_pipeline.semantics.values import text_id

HERE = Path(__file__).parent
SETS = ("sgd_train", "taskmaster4")
UNSERVED = (REFUSED, APOLOGISED)
KEYWORDS = re.compile(
    r"\bsorry|apolog|unfortunately|\bafraid|unable|not able|can't|cannot|couldn't|could not|don't have|"
    + "|".join(
        plain(line.split("\t")[2])
        for line in (HERE.parent / "turret_pipeline/analysis/answers/cues.tsv").read_text(encoding="utf-8").splitlines()
        if line.startswith(("sorry", "pity"))
    )
)


def written() -> pl.DataFrame:
    """Return `set`, `kind`, `answer` of the answers that were written for this."""
    rows = [line.split("\t") for line in (HERE / "answers.tsv").read_text(encoding="utf-8").splitlines()]
    return pl.DataFrame(
        [(each, kind, said) for each, kind, _, said in rows], schema=["set", "kind", "answer"], orient="row"
    )


def real(data: Path) -> tuple[pl.DataFrame, list[str]]:
    """Return the same of answers of real conversations, and all answers that the sets have."""
    said = [pl.read_parquet(data / f"{name}.parquet")["extra_json"].str.json_path_match("$.response") for name in SETS]
    answers = pl.concat(said).drop_nulls().unique().sort()
    ids = pl.DataFrame({"text_id": [text_id(answer) for answer in answers], "answer": answers})
    labels = [line.split("\t") for line in (HERE / "answers_real.tsv").read_text().splitlines()]
    labelled = pl.DataFrame(labels, schema=["set", "kind", "text_id"], orient="row")
    return labelled.join(ids, on="text_id").select("set", "kind", "answer"), answers.to_list()


def score(name: str, rows: pl.DataFrame) -> None:
    """Print precision and recall over the answers of `rows` (`kind`, `answer`), by kind."""
    told = [each.kind for each in answer_kinds(rows["answer"].to_list())]
    by_words = [REFUSED if KEYWORDS.search(plain(answer)) else "" for answer in rows["answer"]]
    for label, kinds in (
        ("refused", (REFUSED,)),
        ("apologised", (APOLOGISED,)),
        ("made good", (MADE_GOOD,)),
        ("unserved", UNSERVED),
    ):
        wanted = [kind in kinds for kind in rows["kind"]]
        print(
            json.dumps({"set": name, "kind": label, "n": sum(wanted), "of": len(wanted), **_rates(told, kinds, wanted)})
        )
    wanted = [kind in UNSERVED for kind in rows["kind"]]
    print(
        json.dumps(
            {"set": name, "kind": "unserved, by keywords", "n": sum(wanted), **_rates(by_words, UNSERVED, wanted)}
        )
    )


def _rates(told: list[str], kinds: tuple[str, ...], wanted: list[bool]) -> dict[str, float | None]:
    found = [kind in kinds for kind in told]
    right = sum(one and other for one, other in zip(found, wanted, strict=True))
    return {
        "precision": round(right / sum(found), 3) if any(found) else None,
        "recall": round(right / sum(wanted), 3) if any(wanted) else None,
    }


def main() -> None:
    """Print the measures."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", nargs="?", type=Path, help="folder with sgd_train.parquet and taskmaster4.parquet")
    data = parser.parse_args().data
    for (name,), rows in written().group_by("set", maintain_order=True):
        score(f"written, {name}", rows)
    if data is not None:
        labelled, answers = real(data)
        for (name,), rows in labelled.sort("set", "answer").group_by("set", maintain_order=True):
            score(f"real, {name}", rows)
        before = time.perf_counter()
        answer_kinds(answers)
        print(json.dumps({"answers a second": round(len(answers) / (time.perf_counter() - before))}))


if __name__ == "__main__":
    main()
