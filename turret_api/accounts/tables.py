"""The tables in Postgres (schema `turret`, so that they share a database with Dagster's without meeting).

projects      one tenant with its plan
api_keys      one key, by its hash, with its name and when it was last used
quota_grants  how many events of a period one collector may accept, and how many it has accepted so far
deleted_projects  one project that there was; its id is never given again, for events with it may still be on their way
ended_sessions  one session of a browser that was signed out; its cookie is refused from then on
secrets       one secret that all hosts share, by its name: what signs the dashboard's cookies
alert_targets  where a project's alerts and digests go
alert_rules   what a project is told of
alerts        one thing that a rule found, from when it was found first until it was not found any more
alert_deliveries  one message to one target: to be sent, sent, or given up
alert_looks   which state of a project's tables its rules were last looked at in
privacy       one of a project's rules on what may be kept or shown, such as what is masked, by its name
people        one person who may sign in to a project by OpenID Connect, and as what
audit         one thing that was done: a sign-in, an export, an erasure, a change of a key or a setting
erasures      one erasure: what was asked for (as a keyed hash), how far it is, and its receipt
suppressed    one user who was erased, or one id that is being erased, as a keyed hash: events with it are refused
revision      one row: a number that grows with every change of all these, so that copies know when to reload
"""

from __future__ import annotations

from sqlalchemy import (
    BigInteger,
    Boolean,
    CheckConstraint,
    Column,
    Date,
    DateTime,
    Double,
    ForeignKey,
    Identity,
    Index,
    Integer,
    MetaData,
    String,
    Table,
    Text,
    func,
    text,
)

metadata = MetaData(schema="turret")

PROJECTS = Table(
    "projects",
    metadata,
    Column("project_id", String(63), primary_key=True),
    Column("name", String(200), nullable=False, unique=True),
    Column("plan", String(20), nullable=False),
    Column("limit", BigInteger, nullable=True),
    Column("created_at", DateTime(timezone=True), nullable=False, server_default=func.now()),
)

API_KEYS = Table(
    "api_keys",
    metadata,
    Column("key_id", String(40), primary_key=True),
    Column("project_id", ForeignKey(PROJECTS.c.project_id), nullable=False),
    Column("scope", String(10), nullable=False),
    Column("hint", String(10), nullable=False),
    Column("hash", String(64), nullable=False, unique=True),
    Column("created_at", DateTime(timezone=True), nullable=False, server_default=func.now()),
    Column("expires_at", DateTime(timezone=True), nullable=True),
    Column("revoked_at", DateTime(timezone=True), nullable=True),
    Column("name", String(100), nullable=True),
    Column("last_used_at", DateTime(timezone=True), nullable=True),
    Column("role", String(10), nullable=True),
)
"""role: one of `turret_api.roles.ROLES`; null: what the scope stands for."""
Index("api_keys_of_project", API_KEYS.c.project_id)

COLLECTORS = Table(
    "collectors",
    metadata,
    Column("collector_id", String(40), primary_key=True),
    Column("seen_at", DateTime(timezone=True), nullable=False, server_default=func.now()),
    Column("host", Text, nullable=True),
    Column("clock_off_s", Double, nullable=True),
    Column("brought_in", BigInteger, nullable=True),
)
"""host: its name. clock_off_s: by how many seconds its clock is ahead of that of Postgres, at least. brought_in: the
revision such that all that was taken before it is in the lake; null: not known."""

QUOTA_GRANTS = Table(
    "quota_grants",
    metadata,
    Column("project_id", ForeignKey(PROJECTS.c.project_id), primary_key=True),
    Column("period", String(10), primary_key=True),
    Column("collector_id", String(40), primary_key=True),
    Column("granted", BigInteger, nullable=False),
    Column("used", BigInteger, nullable=False),
    Column("wanted_at", DateTime(timezone=True), nullable=True),
    CheckConstraint("used >= 0 AND granted >= used", name="used_within_granted"),
)

DELETED_PROJECTS = Table(
    "deleted_projects",
    metadata,
    Column("project_id", String(63), primary_key=True),
    Column("name", String(200), nullable=False),
    Column("deleted_at", DateTime(timezone=True), nullable=False, server_default=func.now()),
    Column("finished_at", DateTime(timezone=True), nullable=True),
)

ENDED_SESSIONS = Table(
    "ended_sessions",
    metadata,
    Column("session_id", String(64), primary_key=True),
    Column("ended_at", DateTime(timezone=True), nullable=False, server_default=func.now()),
)

SECRETS = Table(
    "secrets",
    metadata,
    Column("name", String(40), primary_key=True),
    Column("value", String(200), nullable=False),
)

REVISION = Table(
    "revision",
    metadata,
    Column("one", BigInteger, primary_key=True),
    Column("number", BigInteger, nullable=False),
)


def _of_project() -> Column[str]:
    """Return the column that names the project, with which the row goes."""
    return Column("project_id", ForeignKey(PROJECTS.c.project_id, ondelete="CASCADE"), nullable=False)


def _made_at(name: str = "created_at") -> Column[object]:
    return Column(name, DateTime(timezone=True), nullable=False, server_default=func.now())


ALERT_TARGETS = Table(
    "alert_targets",
    metadata,
    Column("target_id", String(40), primary_key=True),
    _of_project(),
    Column("kind", String(10), nullable=False),
    Column("name", String(100), nullable=False),
    Column("address", Text, nullable=False),
    Column("secret", String(200), nullable=True),
    Column("has_texts", Boolean, nullable=False),
    Column("quiet", Text, nullable=True),
    Column("digest", Text, nullable=True),
    Column("digest_at", DateTime(timezone=True), nullable=True),
    _made_at(),
    Column("disabled_at", DateTime(timezone=True), nullable=True),
    Column("disabled_for", String(200), nullable=True),
)
"""secret: what signs a webhook's messages. quiet, digest: JSON of `turret_api.alerts.hours`. digest_at: the next."""
Index("alert_targets_of_project", ALERT_TARGETS.c.project_id)

ALERT_RULES = Table(
    "alert_rules",
    metadata,
    Column("rule_id", String(40), primary_key=True),
    _of_project(),
    Column("name", String(100), nullable=False),
    Column("kind", String(20), nullable=False),
    Column("filters", Text, nullable=False),
    Column("targets", Text, nullable=True),
    Column("urgent", Boolean, nullable=False),
    Column("look_at", DateTime(timezone=True), nullable=True),
    _made_at(),
)
"""filters: JSON of `turret_api.alerts.rules.Filters`. targets: JSON list of ids; null: all of the project. look_at:
when the clock alone may make the rule find something."""
Index("alert_rules_of_project", ALERT_RULES.c.project_id)

ALERTS = Table(
    "alerts",
    metadata,
    Column("alert_id", String(40), primary_key=True),
    _of_project(),
    Column("rule_id", ForeignKey(ALERT_RULES.c.rule_id, ondelete="CASCADE"), nullable=False),
    Column("subject", String(40), nullable=False),
    Column("sentence", Text, nullable=False),
    Column("finding", Text, nullable=False),
    Column("last_day", Date, nullable=True),
    Column("found_at", DateTime(timezone=True), nullable=False),
    Column("seen_at", DateTime(timezone=True), nullable=False),
    Column("ended_at", DateTime(timezone=True), nullable=True),
)
"""subject: what it is about, as a hash. finding: JSON. last_day: of the data in which it was seen last."""
Index("alerts_of_project", ALERTS.c.project_id, ALERTS.c.found_at)
Index("alerts_open", ALERTS.c.rule_id, ALERTS.c.subject, unique=True, postgresql_where=text("ended_at IS NULL"))

ALERT_DELIVERIES = Table(
    "alert_deliveries",
    metadata,
    Column("delivery_id", String(40), primary_key=True),
    _of_project(),
    Column("target_id", ForeignKey(ALERT_TARGETS.c.target_id, ondelete="CASCADE"), nullable=False),
    Column("kind", String(10), nullable=False),
    Column("alerts", Text, nullable=False),
    Column("state", String(10), nullable=False),
    Column("n_attempts", Integer, nullable=False),
    Column("next_at", DateTime(timezone=True), nullable=False),
    Column("error", String(500), nullable=True),
    _made_at(),
    Column("sent_at", DateTime(timezone=True), nullable=True),
)
"""alerts: JSON list of ids. next_at: when it is to be sent, or tried again."""
Index("alert_deliveries_waiting", ALERT_DELIVERIES.c.state, ALERT_DELIVERIES.c.next_at)
Index("alert_deliveries_of_project", ALERT_DELIVERIES.c.project_id, ALERT_DELIVERIES.c.created_at)

ALERT_LOOKS = Table(
    "alert_looks",
    metadata,
    Column("project_id", ForeignKey(PROJECTS.c.project_id, ondelete="CASCADE"), primary_key=True),
    Column("built_at", DateTime(timezone=True), nullable=True),
    Column("looked_at", DateTime(timezone=True), nullable=True),
)
"""built_at: when the tables were last built at the last look; null: there was none, or rules came since."""

PRIVACY = Table(
    "privacy",
    metadata,
    Column("project_id", ForeignKey(PROJECTS.c.project_id, ondelete="CASCADE"), primary_key=True),
    Column("name", String(40), primary_key=True),
    Column("value", Text, nullable=False),
    _made_at("changed_at"),
)
"""value: JSON."""

PEOPLE = Table(
    "people",
    metadata,
    Column("person_id", String(40), primary_key=True),
    _of_project(),
    Column("email", String(320), nullable=False),
    Column("subject", String(64), nullable=True),
    Column("role", String(10), nullable=True),
    _made_at(),
    Column("signed_in_at", DateTime(timezone=True), nullable=True),
    Column("group_role", String(10), nullable=True),
    Column("group_name", Text, nullable=True),
)
"""email: in lower case. subject: of the account that signed in with the address first, as a hash; null: none has.
role: given by hand. group_role: given at the last sign-in by the provider's group `group_name`; one of the two
is there. signed_in_at: last."""
Index("people_of_project", PEOPLE.c.project_id, PEOPLE.c.email, unique=True)
Index("people_by_subject", PEOPLE.c.subject)

AUDIT = Table(
    "audit",
    metadata,
    Column("audit_id", BigInteger, Identity(), primary_key=True),
    Column("project_id", String(63), nullable=True),
    _made_at("at"),
    Column("actor", String(340), nullable=False),
    Column("action", String(40), nullable=False),
    Column("about", Text, nullable=False),
)
"""project_id: outlives the project; null: of the installation. actor: `key:ID`, `person:EMAIL` or `command:USER`.
about: JSON, never with texts of events."""
Index("audit_of_project", AUDIT.c.project_id, AUDIT.c.audit_id)

ERASURES = Table(
    "erasures",
    metadata,
    Column("erasure_id", String(40), primary_key=True),
    _of_project(),
    Column("kind", String(10), nullable=False),
    Column("hash", String(64), nullable=False),
    Column("wanted", Text, nullable=True),
    Column("state", String(10), nullable=False),
    _made_at(),
    Column("finished_at", DateTime(timezone=True), nullable=True),
    Column("receipt", Text, nullable=True),
)
"""kind: user, session, event or texts. wanted: JSON of what is to be erased, only until it is. state: waiting, running,
done or failed. receipt: JSON."""
Index("erasures_of_project", ERASURES.c.project_id, ERASURES.c.created_at)

SUPPRESSED = Table(
    "suppressed",
    metadata,
    Column("project_id", ForeignKey(PROJECTS.c.project_id, ondelete="CASCADE"), primary_key=True),
    Column("hash", String(64), primary_key=True),
    Column("held_for", String(20), primary_key=True, server_default=""),
    _made_at(),
)
"""hash: keyed, of the `user_id`, or of what is held. held_for: the erasure during which it is so; empty: for good."""

ERASED_IDS = Table(
    "erased_ids",
    metadata,
    Column("project_id", ForeignKey(PROJECTS.c.project_id, ondelete="CASCADE"), primary_key=True),
    Column("hash", String(64), primary_key=True),
    Column("before", DateTime(timezone=True), nullable=False),
)
"""hash: keyed, of the id of a user, a session or an event that was erased. before: events of it that were received
before then are erased."""
