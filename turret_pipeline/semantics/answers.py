"""What became of requests: the kinds of answers, and which answers say again what was said before.

An answer has one kind:

- `refused`: it says that it cannot, may not or does not have what is asked for, apology or not.
- `apologised`: it apologises, or says that something failed or that it did not understand, and goes no further.
- `made_good`: it apologises, and then helps ("Sorry for the delay, here is your refund").
- `answered`: neither.

`analysis.answers.kinds` tells it by how the answer begins. Besides, an answer may be repeated: one that the session
got before (`repeated`). A request was not served where its answer refuses, apologises or is repeated, or where it has
none.
"""

from __future__ import annotations

import polars as pl

from turret_pipeline.semantics.friction import ANSWER_REPEATED, REPEATED

REFUSED, APOLOGISED, MADE_GOOD, ANSWERED = "refused", "apologised", "made_good", "answered"
ANSWER_KINDS = (REFUSED, APOLOGISED, MADE_GOOD, ANSWERED)

OPENING_CHARACTERS = 400
"""How much of an answer its kind is told from."""

_SAID_AGAIN = (ANSWER_REPEATED, REPEATED)


def repeated(answers: pl.DataFrame, signs: pl.DataFrame) -> pl.Series:
    """Return whether each answer says again what its session was told before, in the order of `answers`.

    answers: `field`, `session_id`, `place`, `text_id` (of the answer). signs: of friction, with `field`, `session_id`,
    `place`, `sign`, `evidence_place`. An answer is repeated if it has the sign `answer_repeated`, which is about
    requests in other words, or if the very same request, asked again, got the very same answer.
    """
    step = ["field", "session_id", "place"]
    found = signs.filter(pl.col("sign").is_in(_SAID_AGAIN)).select(*step, "sign", "evidence_place")
    earlier = answers.select("field", "session_id", evidence_place="place", earlier_id="text_id")
    met = found.join(answers, on=step).join(earlier, on=["field", "session_id", "evidence_place"], how="left")
    is_same = (pl.col("sign") == ANSWER_REPEATED) | (pl.col("text_id") == pl.col("earlier_id")).fill_null(False)
    said_again = met.filter(is_same).select(step).unique().with_columns(repeated=pl.lit(True))
    marked = answers.join(said_again, on=step, how="left", maintain_order="left")
    return marked.select(pl.col("repeated").fill_null(False)).to_series()
