"""From a question to its bytes: one state of the tables, and each answer made once while that state holds.

unknown ──> being worked out ──> kept by (state, question, format), until newer answers need the room
                                 a newer state of the tables has keys of its own
"""

from __future__ import annotations

import datetime as dt
import hashlib
import logging
from collections.abc import Callable
from functools import partial

import numpy as np
import polars as pl

from turret_api.errors import ApiError, AwayError, DamagedError, UnavailableError, invalid
from turret_api.read.engine.cache import CACHED_BYTES, Cache
from turret_api.read.engine.calculator import Calculator
from turret_api.read.engine.encoding import WORDS, Content, Encoded, made
from turret_api.read.engine.library import Library
from turret_api.read.engine.question import Question, Spoken
from turret_pipeline.lake import heads
from turret_pipeline.lake.damage import Damage, DamageError, note
from turret_pipeline.lake.inspection import blamed
from turret_pipeline.lake.objects import UnreachableError
from turret_pipeline.lake.paths import Lake
from turret_pipeline.lake.tables import BUILDS

log = logging.getLogger(__name__)

# polars binds numpy when it first sees an array, and of two threads that make it do so one may fail: so here, at once.
pl.DataFrame({"": np.empty(0)})


class Engine:
    """Answers questions from one lake, for any number of threads.

    Args:
        lake: what it answers from.
        calculator: the process in which answers are worked out; None: they are worked out in this one.
    """

    def __init__(self, lake: Lake, calculator: Calculator | None = None) -> None:
        self.library = Library(lake)
        self._calculator = calculator
        self._answers = Cache(CACHED_BYTES // 4)

    def ask(
        self,
        project_id: str,
        question: Question,
        form: str = "json",
        as_of: dt.datetime | None = None,
        is_known: Callable[[str], bool] = lambda fingerprint: False,
    ) -> Encoded:
        """Return the answer to the project's question; raise an `ApiError` if there is none.

        form: `json`; `csv` or `parquet` for the answer's list alone; `sql` for what counts it; `text` or `markdown`
        if it can be said so. as_of: an earlier time, in UTC, to answer from the tables of. is_known: tells whether the
        client has the answer of a fingerprint already.
        """
        if form in WORDS and not issubclass(question.answers, Spoken):
            raise invalid("This answer is not said in words; ask for it as JSON.", field="format")
        if form in ("csv", "parquet") and question.row() is None:
            raise invalid("This answer is no list, so it comes as JSON or SQL alone.", field="format")
        if form == "sql" and as_of is not None:
            raise invalid("The SQL is over the tables as they are now; leave out `as_of`.", field="as_of")
        ask = partial(self._ask, project_id, question, form, as_of, is_known)
        try:
            return self._ask_twice(project_id, question, as_of, ask)
        except ApiError:
            raise
        except BaseException as error:
            # A panic in a library's Rust code, which a damaged file may cause, is no `Exception`.
            if isinstance(error, MemoryError | KeyboardInterrupt | SystemExit):
                raise
            try:
                heads.look(self.library.lake)  # what cannot be read is not damaged where nothing can be read
                damage = self._damage(error, project_id, question, as_of)
            except UnreachableError as away:
                log.error("the lake cannot be reached", extra={"reason": str(away)})
                raise AwayError from error
            if damage is None:
                raise
            note(self.library.lake, damage)
            log.error("damage was found", extra={"reason": damage.words})
            raise DamagedError(damage.words) from error

    def _damage(
        self, error: BaseException, project_id: str, question: Question, as_of: dt.datetime | None
    ) -> Damage | None:
        """Return the damage for which the question could not be answered; None: there is none."""
        # What an earlier time was answered from may be gone since.
        tables = (*question.tables, BUILDS) if as_of is None else ()
        return blamed(self.library.lake, error, project_id, tables)

    def _ask_twice(
        self, project_id: str, question: Question, as_of: dt.datetime | None, ask: Callable[[], Encoded]
    ) -> Encoded:
        try:
            return ask()
        except FileNotFoundError:
            # An old file was cleaned away between the look at the table and the look into it.
            if as_of is not None:
                words = "The tables of that time are no longer kept; ask for a later one."
                raise invalid(words, field="as_of") from None
        try:
            return ask()
        except FileNotFoundError as error:
            if (damage := self._damage(error, project_id, question, as_of)) is not None:
                raise DamageError(damage) from error
            raise UnavailableError("The tables are being cleaned up; ask again.") from None

    def _ask(
        self,
        project_id: str,
        question: Question,
        form: str,
        as_of: dt.datetime | None,
        is_known: Callable[[str], bool],
    ) -> Encoded:
        snapshot = self.library.snapshot(project_id, as_of)
        state = snapshot.state(*question.tables, BUILDS)
        fingerprint = hashlib.blake2b(f"{state} {form} {question!r}".encode(), digest_size=12).hexdigest()
        if is_known(fingerprint):
            return Encoded(fingerprint, snapshot.generation)

        def work_out() -> Content:
            with self.library.working():
                if self._calculator is not None:
                    found = self._calculator.ask(project_id, question, form, as_of, self.library.last_look).made
                    assert found is not None
                    return found
                return made(question, snapshot, form)

        key = (state, question, form)
        content = self._answers.get(key, work_out, lambda made: len(made.sent))
        return Encoded(fingerprint, snapshot.generation, content)
