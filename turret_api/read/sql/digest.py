"""What the last whole days brought, as SQL: what `questions.digest` tells, beside the days before them."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Sequence

from turret_api.read.engine.literals import text, time
from turret_api.read.engine.queries import Views
from turret_api.read.sql.notebook import in_force_views, note_views
from turret_api.read.sql.views import field_views, value_views
from turret_api.read.views.filters import Filters
from turret_pipeline.lake.tables import ANNOTATIONS
from turret_pipeline.semantics.friction import SIGNS
from turret_pipeline.semantics.visits import UNASSIGNED


def digest_views(field: str, now: Filters, before: Filters | None, n_topics: int, numbers: Sequence[str]) -> Views:
    """Return the views of the window and of the one before it. before: None where the data do not reach over it.

    n_topics: how many topics are listed. numbers: the number fields that are added up.
    """
    views: Views = {**note_views(), **in_force_views(ANNOTATIONS)}
    for name, filters in (("now", now), ("before", before)):
        if filters is not None:
            views |= field_views(field, filters, 0, f"{name}_")
            views[f"{name}_signs"] = (
                "the signs of friction of the window's messages, and beside each `any`",
                f"""
SELECT session_id, event_id, unnest([sign, 'any']) AS sign
FROM {name}_steps JOIN friction USING (event_id, session_id) WHERE friction.field = {text(field)}""",
            )
    views["top_topics"] = (
        "the largest topics of the window",
        f"""
SELECT topic_id, count(*) AS size FROM now_counted_steps
WHERE topic_id <> {text(UNASSIGNED)}
    AND topic_id NOT IN (SELECT topic_id FROM hidden WHERE field = {text(field)})
GROUP BY topic_id ORDER BY size DESC, topic_id LIMIT {n_topics}""",
    )
    for what, select in value_views(field, list(numbers)).values():
        views["number_values"] = (what, select)
    return views


def digest_parts(
    field: str, first: dt.date, last: dt.date, *, has_before: bool, numbers: Sequence[str], n_signs: int
) -> dict[str, str]:
    """Return the statements of all that the digest counts, but for what changed.

    first, last: the days of the window. n_signs: how many signs of friction are told beside `any`.
    """

    def then(expression: str) -> str:
        return expression if has_before else "NULL"

    sizes = "SELECT topic_id, count(*) AS n FROM before_counted_steps GROUP BY topic_id"
    then_join = f" LEFT JOIN ({sizes}) USING (topic_id)" if has_before else ""
    counts = {
        "messages": "(SELECT count(*) FROM {}_counted_steps)",
        "sessions": "(SELECT count(DISTINCT session_id) FROM {}_steps)",
        "users": "(SELECT count(DISTINCT users.user_id) FROM {}_steps JOIN session_users AS users USING (session_id))",
    }
    both = ",\n    ".join(
        f'{count.format("now")} AS "{name}.now", {then(count.format("before"))}::BIGINT AS "{name}.before"'
        for name, count in counts.items()
    )
    changes = ",\n    ".join(
        f'("{name}.now" - "{name}.before") / nullif("{name}.before", 0) AS "{name}.change"' for name in counts
    )
    parts = {
        "totals": f"""
WITH counted AS (
    SELECT {both},
    (SELECT count(*) FROM now_counted_steps WHERE topic_id = {text(UNASSIGNED)}) AS n_unassigned,
    (SELECT coalesce(sum(size), 0) FROM top_topics) AS n_listed
)
SELECT * EXCLUDE n_listed, {changes},
    "messages.now" - n_unassigned - n_listed AS n_other
FROM counted""",
        "topics": f"""
SELECT topic_id, coalesce(label, topic_id) AS label, size, size / (SELECT count(*) FROM now_counted_steps) AS share,
    {then("coalesce(n, 0)")} AS size_before,
    {then("coalesce(n / (SELECT nullif(count(*), 0) FROM before_counted_steps), 0)")} AS share_before
FROM top_topics LEFT JOIN labels USING (topic_id){then_join} ORDER BY size DESC, topic_id""",
        "friction": _friction(then, n_signs),
        "annotations": f"""
SELECT annotation_id, date, until, kind, text, author, written_at FROM annotations_in_force
WHERE date <= DATE '{last}' AND coalesce(until, date) >= DATE '{first}' ORDER BY date, written_at, annotation_id""",
        "notes": f"""
SELECT note_id, field, topic_id, on_topic, text, author, written_at FROM placed_notes
WHERE field = {text(field)} AND written_at >= {time(dt.datetime.combine(first, dt.time(), dt.UTC))}
ORDER BY written_at DESC, note_id""",
    }
    if numbers:
        parts["numbers"] = _numbers(then, numbers)
    return parts


def _friction(then: Callable[[str], str], n_signs: int) -> str:
    listed = ", ".join(f"({place}, {text(sign)})" for place, sign in enumerate(("any", *SIGNS)))
    share = """(SELECT count(DISTINCT session_id) FROM {0}_signs AS found WHERE found.sign = kinds.sign)
        / (SELECT nullif(count(DISTINCT session_id), 0) FROM {0}_steps)"""
    return f"""
SELECT kinds.sign, count(DISTINCT session_id) AS n_sessions,
    {share.format("now")} AS share,
    {then(share.format("before"))} AS share_before
FROM (VALUES {listed}) AS kinds (place, sign) LEFT JOIN now_signs USING (sign)
GROUP BY kinds.place, kinds.sign HAVING kinds.sign = 'any' OR n_sessions > 0
ORDER BY kinds.place <> 0, n_sessions DESC, count(DISTINCT event_id) DESC, kinds.place LIMIT {1 + n_signs}"""


def _numbers(then: Callable[[str], str], numbers: Sequence[str]) -> str:
    listed = ", ".join(f"({place}, {text(name)})" for place, name in enumerate(numbers))
    of_before = """(SELECT coalesce(sum(sent.number), 0) FROM before_counted_steps JOIN number_values AS sent
        USING (event_id) WHERE sent.field = names.field)"""
    return f"""
SELECT names.field, sum(number) AS sum, avg(number) AS mean, count(number) AS n, {then(of_before)} AS sum_before
FROM (VALUES {listed}) AS names (place, field) JOIN number_values AS sent USING (field)
JOIN now_counted_steps USING (event_id)
GROUP BY names.place, names.field HAVING n > 0 ORDER BY names.place"""
