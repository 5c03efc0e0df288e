"""The views that statements share: edits of topics, messages that pass the filters, visits, moves and edges.

They say once more, as SQL, what `read.views` and `semantics.visits` do.
"""

from __future__ import annotations

from turret_api.read.engine.literals import pointer, text, texts, time
from turret_api.read.engine.queries import Views
from turret_api.read.views.cohorts import BETWEEN
from turret_api.read.views.filters import ALL_KINDS, NO_FILTERS, Filters
from turret_api.read.views.topics import MOVE_NODES, NODES
from turret_api.read.views.values import RANGE, Segments
from turret_pipeline.semantics.kinds import MOVES, REQUEST
from turret_pipeline.semantics.visits import END, GAPS, ONLY_MOVES, START, UNASSIGNED

EDITS: Views = {
    "edits_in_force": (
        "what people changed about topics: the latest edit of each kind, unless it takes the one before back",
        """
SELECT field, topic_id, action, value
FROM topic_edits
QUALIFY row_number() OVER (PARTITION BY field, topic_id, action ORDER BY decided_at DESC) = 1
    AND value IS NOT NULL""",
    ),
    "merged": (
        "topics that people merged into others, each with the topic that has its messages now (the end of the chain)",
        """
WITH RECURSIVE merges AS (
    SELECT field, topic_id, value AS into_topic FROM edits_in_force WHERE action = 'merge'
), chain AS (
    SELECT field, topic_id, into_topic, [topic_id] AS way FROM merges
    UNION ALL
    SELECT chain.field, chain.topic_id, merges.into_topic, list_append(chain.way, chain.into_topic)
    FROM chain JOIN merges ON merges.field = chain.field AND merges.topic_id = chain.into_topic
    WHERE NOT list_contains(chain.way, chain.into_topic)
), ends AS (
    SELECT field, topic_id,
        -- Of a ring of merges the topic with the least id keeps the messages.
        CASE WHEN list_contains(way, into_topic) THEN list_min(way[list_position(way, into_topic):])
            ELSE into_topic END AS into_topic
    FROM chain
    WHERE list_contains(way, into_topic)
        OR (field, into_topic) NOT IN (SELECT (field, topic_id) FROM merges)
)
SELECT field, topic_id, into_topic FROM ends WHERE into_topic <> topic_id""",
    ),
    "shown_topics": (
        "topics (level 0) and themes (level 1) with the names that people gave, without those merged into others",
        """
SELECT topics.field, topics.topic_id, topics.level, topics.parent_id,
    coalesce(renamed.value, defined.value ->> '$.label', topics.label) AS label,
    topics.summary, topics.keywords, topics.examples, topics.n_texts, topics.x, topics.y, topics.centroid
FROM topics
LEFT JOIN edits_in_force AS renamed
    ON renamed.field = topics.field AND renamed.topic_id = topics.topic_id AND renamed.action = 'rename'
LEFT JOIN edits_in_force AS defined
    ON defined.field = topics.field AND defined.topic_id = topics.topic_id AND defined.action = 'define'
WHERE (topics.field, topics.topic_id) NOT IN (SELECT (field, topic_id) FROM merged)
    AND (NOT starts_with(topics.topic_id, 'd_') OR defined.topic_id IS NOT NULL)""",
    ),
    "hidden": (
        "topics that people have hidden",
        """
SELECT field, topic_id FROM edits_in_force WHERE action = 'hide'""",
    ),
}
"""Views of what people edited, of all fields."""


def field_views(field: str, filters: Filters, level: int = 0, prefix: str = "") -> Views:
    """Return the views of the messages of `field` that pass, and of their journeys, at the level of topics.

    prefix: of their names, where a statement has two sides.
    """
    visits, moves = f"{prefix}visits", f"{prefix}session_moves"
    views = {**EDITS, **value_views(field, [name for name, _ in filters.segments]), **_cohort_views(filters, prefix)}
    nodes = ", ".join(f"({text(name)}, {text(label)})" for name, label in NODES.items())
    views["labels"] = (
        "the name of each node of journeys: topics, themes, and what is neither",
        f"""
SELECT topic_id, label FROM shown_topics WHERE field = {text(field)}
UNION ALL
VALUES {nodes}""",
    )
    views |= _visit_views(field, filters, level, prefix)
    views["session_users"] = (
        "the user of each session: that of its first message",
        f"""
SELECT session_id, user_id FROM journey_steps WHERE field = {text(field)} AND place = 0""",
    )
    views[moves] = (
        "moves from visit to visit, from `start` to each session's first visit and from its last to `end`",
        f"""
SELECT session_id, coalesce(before, {text(START)}) AS from_topic, topic_id AS to_topic,
    date_diff('microsecond', left_at, started_at) / 1e6 AS gap_s, started_at AS moved_at
FROM (  -- No named window: DuckDB 1.5 takes those of two views for one.
    SELECT *, lag(topic_id) OVER (PARTITION BY session_id ORDER BY visit) AS before,
        lag(ended_at) OVER (PARTITION BY session_id ORDER BY visit) AS left_at
    FROM {visits}
)
UNION ALL
SELECT session_id, arg_max(topic_id, visit), {text(END)}, NULL, max(ended_at) FROM {visits} GROUP BY session_id""",
    )
    gaps = ",\n    ".join(f"quantile_cont(gap_s, {share}) AS {name}" for name, share in GAPS.items())
    views[f"{prefix}edges"] = (
        "edges of journeys: how often sessions make each move",
        f"""
SELECT from_topic, to_topic, count(*) AS "count", count(DISTINCT session_id) AS sessions,
    count(DISTINCT user_id) AS users, count(*) / sum(count(*)) OVER (PARTITION BY from_topic) AS probability,
    {gaps}
FROM {moves} JOIN session_users USING (session_id) GROUP BY from_topic, to_topic""",
    )
    views[f"{prefix}node_units"] = (
        "how many sessions visit each node of journeys, and how many users have such a session; start and end: all",
        f"""
SELECT topic_id, count(DISTINCT session_id) AS sessions, count(DISTINCT user_id) AS users
FROM (
    SELECT session_id, topic_id FROM {visits}
    UNION ALL
    SELECT session_id, unnest([{text(START)}, {text(END)}]) FROM {visits}
) JOIN session_users USING (session_id)
GROUP BY topic_id""",
    )
    return views


def _visit_views(field: str, filters: Filters, level: int, prefix: str) -> Views:
    """Return the views of the messages of `field` that pass, and of their visits, last."""
    steps, walked = f"{prefix}steps", f"{prefix}walked_steps"
    counts = "moves of conversation too" if filters.has_moves else "without moves of conversation"
    return {
        steps: (_said_of_steps(filters, level), _steps(field, filters, level, prefix)),
        f"{prefix}counted_steps": (
            f"the messages that count, {counts}",
            f"""
SELECT * FROM {steps}{"" if filters.has_moves else " WHERE NOT is_move"}""",
        ),
        walked: ("the same messages, each with the node of the visit that it is part of", _walked(steps, filters)),
        f"{prefix}visits": (
            "visits: runs of consecutive messages of a session with one topic",
            f"""
WITH changes AS (
    SELECT *, topic_id IS DISTINCT FROM lag(topic_id) OVER (PARTITION BY session_id ORDER BY place) AS begins
    FROM {walked}
), numbered AS (
    SELECT *, sum(begins::INTEGER) OVER (PARTITION BY session_id ORDER BY place) - 1 AS visit FROM changes
)
SELECT session_id, visit, any_value(topic_id) AS topic_id,
    min(timestamp) AS started_at, max(timestamp) AS ended_at, count(*) AS n_messages
FROM numbered GROUP BY session_id, visit""",
        ),
    }


def _cohort_views(filters: Filters, prefix: str) -> Views:
    """Return the views `cohort_1` and so on of the cohorts' users; what they read has no filter (`views.cohorts`)."""
    views: Views = {}
    for name, cohort in zip(_cohort_names(filters, prefix), filters.cohorts, strict=True):
        # By itself a move of conversation is no visit, unless the path names its kind.
        names_moves = any(each in MOVE_NODES and each != ONLY_MOVES for each in cohort.topics)
        everyone = ALL_KINDS if names_moves else NO_FILTERS
        views |= _visit_views(cohort.text_field, everyone, cohort.level, f"{name}_")
        if len(cohort.topics) == 1:
            (topic,) = cohort.topics
            has = "is_move" if topic == ONLY_MOVES else f"topic_id = {text(topic)}"
            views[name] = (
                "the users who sent a message that has the topic",
                f"""
SELECT DISTINCT user_id FROM {name}_steps WHERE {has}""",
            )
        else:
            path = BETWEEN.join(("", *cohort.topics, ""))
            views[name] = (
                "the users of sessions with visits that follow one another as the path says",
                f"""
WITH ways AS (
    SELECT session_id, concat_ws({text(BETWEEN)}, '', {text(START)},
        string_agg(topic_id, {text(BETWEEN)} ORDER BY visit), {text(END)}, '') AS way
    FROM {name}_visits GROUP BY session_id
)
SELECT DISTINCT user_id FROM journey_steps JOIN ways USING (session_id)
WHERE field = {text(cohort.text_field)} AND place = 0
    AND contains(way, {text(path)})""",
            )
    return views


def _cohort_names(filters: Filters, prefix: str) -> list[str]:
    return [f"{prefix}cohort_{n}" for n in range(1, len(filters.cohorts) + 1)]


def value_views(field: str, names: list[str]) -> Views:
    """Return the view `event_values` of what events have in the fields `names` of metadata.

    field: the text field of the steps that the numbers of values stand beside.
    """
    if not names:
        return {}
    sent = "\n    UNION ALL\n    ".join(
        f"SELECT event_id, {text(name)} AS field, json_extract(metadata, {pointer(name)}) AS sent FROM events"
        for name in sorted(set(names))
    )
    return {
        "event_values": (
            "what events have in fields of metadata: as text (true, false, 10 for 10.0), and the number that it says",
            f"""
WITH sent AS (
    {sent}
), spelled AS (
    SELECT event_id, field,
        CASE WHEN json_type(sent) = 'VARCHAR' THEN sent ->> '$'
            WHEN json_type(sent) = 'DOUBLE' THEN regexp_replace(sent::VARCHAR, '\\.0$', '')
            WHEN json_type(sent) IN ('BOOLEAN', 'BIGINT', 'UBIGINT') THEN sent::VARCHAR END AS value
    FROM sent
), read AS (  -- Amounts of money, percentages and grouped digits are numbers as well; see docs/model.md.
    SELECT DISTINCT segment AS field, unnest("values") AS value, unnest(numbers) AS number
    FROM step_values WHERE field = {text(field)}
)
SELECT spelled.event_id, spelled.field, spelled.value,
    CASE WHEN read.value IS NULL THEN try_cast(spelled.value AS DOUBLE) ELSE read.number END AS number
FROM spelled LEFT JOIN read ON read.field = spelled.field AND read.value = spelled.value
WHERE spelled.value IS NOT NULL""",
        )
    }


def conditions(filters: Filters, prefix: str) -> list[str]:
    """Return the conditions on rows of `journey_steps` under which messages pass."""
    found = []
    if filters.since is not None:
        found.append(f"step.timestamp >= {time(filters.since)}")
    if filters.until is not None:
        found.append(f"step.timestamp < {time(filters.until)}")
    if filters.name is not None:
        found.append(f"step.name = {text(filters.name)}")
    for name, cohort in zip(_cohort_names(filters, prefix), filters.cohorts, strict=True):
        found.append(f"step.user_id {'NOT IN' if cohort.is_out else 'IN'} (SELECT user_id FROM {name})")
    return found + segment_conditions(filters.segments)


def segment_conditions(segments: Segments) -> list[str]:
    """Return the conditions under which the event of a step passes `segments`."""
    return [
        f"step.event_id IN (SELECT event_id FROM event_values WHERE field = {text(name)} AND ({_any_of(values)}))"
        for name, values in segments
    ]


def _any_of(values: tuple[str, ...]) -> str:
    exact = [value for value in values if not RANGE.fullmatch(value)]
    found = [f"value IN {texts(exact)}"] if exact else []
    for value in values:
        if RANGE.fullmatch(value):
            least, _, most = value.partition("..")
            ends = [f"number >= {float(least)!r}"] if least else []
            ends += [f"number < {float(most)!r}"] if most else []
            found.append(" AND ".join(ends))
    return " OR ".join(found)


def _said_of_steps(filters: Filters, level: int) -> str:
    topics = "themes" if level else "topics"
    passing = "that pass the filters" if filters else "of the field"
    return (
        f"the messages {passing}, in their places in sessions, with their {topics}; a move of conversation has its kind"
    )


def _steps(field: str, filters: Filters, level: int, prefix: str) -> str:
    named, theme = "coalesce(merged.into_topic, step.topic_id)", ""
    topic = f"coalesce(merged.into_topic, step.topic_id, {text(UNASSIGNED)})"
    if level:
        topic = f"coalesce(topic.parent_id, {named}, {text(UNASSIGNED)})"
        theme = f"""
LEFT JOIN shown_topics AS topic ON topic.field = step.field AND topic.topic_id = {named} AND topic.level = 0"""
    where = "\n    AND ".join([f"step.field = {text(field)}", *conditions(filters, prefix)])
    return f"""
SELECT step.session_id, step.place, step.event_id, step.user_id, step.name, step.timestamp, step.received_at, step.seq,
    step.text_id, coalesce(step.kind, {text(REQUEST)}) AS kind, coalesce(step.kind IN {texts(MOVES)}, false) AS is_move,
    CASE WHEN step.kind IN {texts(MOVES)} THEN step.kind ELSE {topic} END AS topic_id,
    coalesce(step.topic_id = step.text_topic_id, false) AS is_own
FROM journey_steps AS step
LEFT JOIN merged ON merged.field = step.field AND merged.topic_id = step.topic_id{theme}
WHERE {where}"""


def _walked(steps: str, filters: Filters) -> str:
    if filters.has_moves:
        return f"\nSELECT * FROM {steps}"
    return f"""
SELECT * REPLACE (coalesce(
    -- A move of conversation is part of the visit before it, at a session's start of the one after.
    last_value(CASE WHEN NOT is_move THEN topic_id END IGNORE NULLS)
        OVER (PARTITION BY session_id ORDER BY place ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW),
    first_value(CASE WHEN NOT is_move THEN topic_id END IGNORE NULLS)
        OVER (PARTITION BY session_id ORDER BY place ROWS BETWEEN CURRENT ROW AND UNBOUNDED FOLLOWING),
    {text(ONLY_MOVES)}) AS topic_id)
FROM {steps}"""


def with_topic(topic_id: str | None) -> str:
    """Return the condition under which a row of `steps` has the topic that is asked for (see `messages_of`)."""
    if topic_id is None:
        return "true"
    if topic_id == ONLY_MOVES:
        return "is_move"
    if topic_id in MOVE_NODES or topic_id == UNASSIGNED:
        return f"topic_id = {text(topic_id)}"
    return f"NOT is_move AND topic_id = {now(topic_id)}"


def now(topic_id: str) -> str:
    """Return the topic that has the messages of `topic_id` now, as an expression."""
    return f"coalesce((SELECT any_value(into_topic) FROM merged WHERE topic_id = {text(topic_id)}), {text(topic_id)})"


def how_many(unit: str) -> str:
    """Return how many messages, sessions or users a group of steps has, as an aggregate."""
    return {"messages": "count(*)", "sessions": "count(DISTINCT session_id)", "users": "count(DISTINCT user_id)"}[unit]
