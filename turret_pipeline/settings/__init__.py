"""Every setting, read once from the environment at an entry point and passed down from there."""

from __future__ import annotations

import importlib.util
import os
import re
import urllib.parse
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from turret_pipeline.lake.paths import Lake
from turret_pipeline.settings.oidc import OIDC_SETTINGS, GroupRole, Oidc, oidc_of
from turret_pipeline.settings.setting import Setting, SettingError, integer

__all__ = ["SETTINGS", "GroupRole", "Oidc", "Setting", "SettingError", "Settings"]

_BUCKET = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{1,253}[A-Za-z0-9]")
_FUNCTION = re.compile(r"[A-Za-z_][\w.]*:[A-Za-z_]\w*")
_JOB_SERVER = re.compile(r"https?://[^/?#\s]+/?")


SETTINGS: tuple[Setting, ...] = (
    Setting("TURRET_HOME", ".turret", "folder for the spool, the lake, the databases and the logs"),
    Setting("TURRET_LAKE", "$TURRET_HOME/lake", "folder or `s3://bucket/prefix` for raw events and tables"),
    Setting("TURRET_DATABASE_URL", "embedded", "`postgresql://…` of a Postgres server, for more than one host"),
    Setting("TURRET_PORT", "8000", "port of the API and the dashboard"),
    Setting("TURRET_DAGSTER_PORT", "3000", "port of the Dagster UI"),
    Setting(
        "TURRET_TLS_CERT",
        "unset",
        "file with the certificate (chain) in PEM format; with it and its key the API and the dashboard speak HTTPS",
    ),
    Setting("TURRET_TLS_KEY", "unset", "file with the certificate's key in PEM format, without a password"),
    Setting(
        "TURRET_MODEL",
        "turret-multilingual",
        "sentence-transformers name or folder of the embedding model; `all-MiniLM-L6-v2` is the default's English part",
    ),
    Setting(
        "TURRET_CLUSTERS",
        "graph",
        "how topics are found: `graph` (communities of nearest neighbours) or `hdbscan` (by density, after UMAP, as "
        "BERTopic does it; slower)",
    ),
    Setting(
        "TURRET_LLM_URL",
        "unset",
        "OpenAI-compatible address (`http://127.0.0.1:11434/v1`) of a language model that names new topics; it is sent "
        "some of their messages",
    ),
    Setting("TURRET_LLM_MODEL", "unset", "the model's name there; has to be set with `TURRET_LLM_URL`"),
    Setting("TURRET_LLM_KEY", "unset", "bearer token for that address, if it wants one"),
    Setting(
        "TURRET_RAY_ADDRESS",
        "unset",
        "job server of the Ray cluster that executes the runs (`http://head:8265`); unset: this host does",
    ),
    Setting(
        "TURRET_MASK_NAMES",
        "unset",
        "`module:function` that finds names of people and places, for projects that mask them; "
        "`turret_api.masking.spacy_names:recognise` asks spaCy",
    ),
    Setting("TURRET_MAX_TEXT", "100000", "longest text in an event's metadata, in characters"),
    Setting(
        "TURRET_ROLL_SECONDS",
        "2",
        "age at which events go from the spool into the lake; up to fifteen times that under lasting traffic",
    ),
    Setting(
        "TURRET_DISK_RESERVE_MB",
        "256, at most a tenth of the disk",
        "free MiB on the disks of spool and lake below which no event is taken",
    ),
    Setting(
        "TURRET_LATE_SECONDS",
        "600",
        "how long events may wait until they are in all tables; past that `turret status`, `GET /readyz/pipeline` and "
        "the dashboard show red",
    ),
    Setting(
        "TURRET_QUESTION_SECONDS",
        "30",
        "longest time to wait for one answer of the read API; its work is ended after four times that",
    ),
    Setting(
        "TURRET_QUESTION_MEMORY_MB",
        "half of the machine's",
        "memory in MiB that the process which works out the read API's answers may hold",
    ),
    Setting("TURRET_READ_KEY", "unset", "read key with which `turret mcp --url` asks another server"),
    Setting(
        "TURRET_PUBLIC_URL",
        "unset",
        "address at which people find the dashboard (`https://turret.example.com`); messages of alerts link to it, and "
        "sign-in by OpenID Connect comes back to it",
    ),
    *OIDC_SETTINGS,
    Setting(
        "TURRET_ALERTS_PRIVATE",
        "0",
        "`1`: alerts may go to webhooks at private addresses, those of this machine and its network among them",
    ),
    Setting(
        "TURRET_SMTP_URL",
        "unset",
        "mail server of alerts by e-mail: `smtps://user:password@host:465`, or `smtp://host:587` (STARTTLS where the "
        "server has it); percent-encode what is special in the password",
    ),
    Setting("TURRET_SMTP_FROM", "unset", "sender of these mails (`turret@example.com`); has to be set with the server"),
)


@dataclass(frozen=True)
class Settings:
    """The settings as values.

    Args:
        home: absolute folder of this installation.
        lake: the lake's absolute folder, or its `s3://` address.
        database_url: `postgresql+psycopg2://…`, or None for the embedded server.
        port: TCP port of the API.
        dagster_port: TCP port of the Dagster UI.
        tls_cert, tls_key: absolute files of certificate and key; None: the API speaks HTTP.
        model: name or folder of the embedding model, or None for the one that ships with Turret.
        clusters: how topics are found, `graph` or `hdbscan`.
        llm_url, llm_model, llm_key: language model that names topics; None: none does.
        ray_address: `http(s)://` of the job server of the Ray cluster that executes the runs; None: this host does.
        mask_names: `module:function` that finds names and places; None: none are found.
        max_text: longest text in characters (code points).
        roll_after_s: age in seconds at which spooled events are rolled into the lake.
        disk_reserve_bytes: free bytes below which no event is taken; None: 256 MiB, at most a tenth of the disk.
        late_s: seconds that events may wait until they are in all tables.
        question_s: seconds that one waits for an answer of the read API; its work is ended after four times that.
        question_bytes: memory that the process which answers them may hold; None: half of the machine's.
        read_key: key with which another server is asked; None: none is.
        public_url: where people find the dashboard, without a slash at the end; None: not known.
        alerts_private: whether alerts may go to private addresses.
        smtp_url, smtp_from: mail server and sender of alerts; None: there are no mails.
        oidc: with what people sign in; None: with keys alone.
    """

    home: Path
    lake: str
    database_url: str | None = None
    port: int = 8000
    dagster_port: int = 3000
    tls_cert: Path | None = None
    tls_key: Path | None = None
    model: str | None = None
    clusters: str = "graph"
    llm_url: str | None = None
    llm_model: str | None = None
    llm_key: str | None = field(default=None, repr=False)
    ray_address: str | None = None
    mask_names: str | None = None
    max_text: int = 100_000
    roll_after_s: float = 2.0
    disk_reserve_bytes: int | None = None
    late_s: float = 600.0
    question_s: float = 30.0
    question_bytes: int | None = None
    read_key: str | None = field(default=None, repr=False)
    public_url: str | None = None
    alerts_private: bool = False
    smtp_url: str | None = field(default=None, repr=False)
    smtp_from: str | None = None
    oidc: Oidc | None = None

    @classmethod
    def from_environment(cls, environment: Mapping[str, str] | None = None) -> Settings:
        """Return the settings that `environment` (default: the process's) asks for; raise `SettingError` otherwise."""
        env = os.environ if environment is None else environment
        home = Path(env.get("TURRET_HOME") or ".turret").expanduser().absolute()
        lake = env.get("TURRET_LAKE") or str(home / "lake")
        if "://" in lake:
            lake = _s3_address(lake)
        else:
            lake = str(Path(lake).expanduser().absolute())
            if "%" in lake:
                # deltalake reads a local folder as an address and decodes what looks like %20.
                raise SettingError(f"the lake's folder {lake!r} has a '%' in its name; choose one without")
        tls_cert, tls_key = _file(env, "TURRET_TLS_CERT"), _file(env, "TURRET_TLS_KEY")
        if (tls_cert is None) != (tls_key is None):
            raise SettingError("TURRET_TLS_CERT and TURRET_TLS_KEY belong together: set both, or neither")
        model = env.get("TURRET_MODEL") or None
        clusters = env.get("TURRET_CLUSTERS") or "graph"
        if clusters not in ("graph", "hdbscan"):
            raise SettingError(f"TURRET_CLUSTERS is {clusters!r}; expected graph or hdbscan")
        llm_url, llm_model = env.get("TURRET_LLM_URL") or None, env.get("TURRET_LLM_MODEL") or None
        if llm_url and not (llm_url.startswith(("http://", "https://")) and llm_model):
            raise SettingError(
                "TURRET_LLM_URL has to be an http(s) address, and TURRET_LLM_MODEL to name a model there"
            )
        public_url = _public_url(env.get("TURRET_PUBLIC_URL") or None)
        smtp_url, smtp_from = _smtp(env.get("TURRET_SMTP_URL") or None, env.get("TURRET_SMTP_FROM") or None)
        return cls(
            home=home,
            lake=lake,
            database_url=_database_url(env.get("TURRET_DATABASE_URL") or None),
            port=integer(env, "TURRET_PORT", 8000, 1, 65535),
            dagster_port=integer(env, "TURRET_DAGSTER_PORT", 3000, 1, 65535),
            tls_cert=tls_cert,
            tls_key=tls_key,
            model=None if model == "turret-multilingual" else model,
            clusters=clusters,
            llm_url=llm_url,
            llm_model=llm_model,
            llm_key=env.get("TURRET_LLM_KEY") or None,
            ray_address=_ray_address(env.get("TURRET_RAY_ADDRESS") or None),
            mask_names=_function(env.get("TURRET_MASK_NAMES") or None),
            max_text=integer(env, "TURRET_MAX_TEXT", 100_000, 1, 10_000_000),
            roll_after_s=float(integer(env, "TURRET_ROLL_SECONDS", 2, 1, 3600)),
            disk_reserve_bytes=_mebibytes(env, "TURRET_DISK_RESERVE_MB"),
            late_s=float(integer(env, "TURRET_LATE_SECONDS", 600, 1, 10_000_000)),
            question_s=float(integer(env, "TURRET_QUESTION_SECONDS", 30, 1, 3600)),
            question_bytes=_mebibytes(env, "TURRET_QUESTION_MEMORY_MB"),
            read_key=env.get("TURRET_READ_KEY") or None,
            public_url=public_url,
            alerts_private=bool(integer(env, "TURRET_ALERTS_PRIVATE", 0, 0, 1)),
            smtp_url=smtp_url,
            smtp_from=smtp_from,
            oidc=oidc_of(env, public_url),
        )

    @property
    def scheme(self) -> str:
        """How the API's addresses begin: `http` or `https`."""
        return "http" if self.tls_cert is None else "https"

    @property
    def model_problem(self) -> str | None:
        """What is wrong with `TURRET_MODEL` as far as can be seen without loading it: a folder that is not there.

        The collector takes events all the same, so this is no reason not to start.
        """
        if self.model is None or Path(self.model).expanduser().is_dir():
            return None
        if not self.model.startswith(("/", ".", "~")) and self.model.count("/") < 2:
            return None
        return f"there is no folder {self.model!r}, which TURRET_MODEL names: nothing is embedded until it is there"

    def open_lake(self) -> Lake:
        """Return the lake that these settings name."""
        return Lake(self.lake)


def _function(place: str | None) -> str | None:
    if place is not None and not _FUNCTION.fullmatch(place):
        raise SettingError(f"TURRET_MASK_NAMES is {place!r}; expected module:function")
    return place


def _s3_address(lake: str) -> str:
    """Return the one spelling of an address of a lake on S3; raise `SettingError` if it is none.

    `s3://bucket//prefix/` and `s3://bucket/prefix` would otherwise be two lakes to whatever compares addresses.
    """
    scheme, _, rest = lake.partition("://")
    bucket, _, prefix = rest.partition("/")
    if scheme.lower() != "s3" or not _BUCKET.fullmatch(bucket):
        raise SettingError(f"TURRET_LAKE is {lake!r}; expected a folder or s3://bucket/prefix")
    return "/".join([f"s3://{bucket}", *filter(None, prefix.split("/"))])


def _ray_address(address: str | None) -> str | None:
    """Return the address of a Ray job server as it is given; raise `SettingError` if it is none, or Ray is missing.

    Job servers alone (`http://head:8265`): `ray://` and `head:6379` lead to a cluster too, but take no jobs.
    """
    if address is None:
        return None
    if not _JOB_SERVER.fullmatch(address):
        raise SettingError(f"TURRET_RAY_ADDRESS is {address!r}; expected the cluster's job server, http://HEAD:8265")
    if importlib.util.find_spec("ray") is None or importlib.util.find_spec("dagster_ray") is None:
        raise SettingError("TURRET_RAY_ADDRESS is set, but Ray is not installed: pip install 'turret[ray]'")
    return address.rstrip("/")


def _public_url(address: str | None) -> str | None:
    if address is None:
        return None
    if not re.fullmatch(r"https?://[^\s?#\"<>]+", address):
        raise SettingError(f"TURRET_PUBLIC_URL is {address!r}; expected one like https://turret.example.com")
    return address.rstrip("/")


def _smtp(server: str | None, sender: str | None) -> tuple[str | None, str | None]:
    """Return server and sender of mails; the message of an error has no password."""
    if server is None and sender is None:
        return None, None
    if server is None or sender is None:
        raise SettingError("TURRET_SMTP_URL and TURRET_SMTP_FROM belong together: set both, or neither")
    try:
        parts = urllib.parse.urlsplit(server)
        is_right = parts.scheme in ("smtp", "smtps") and bool(parts.hostname) and (parts.port or 1) > 0
    except ValueError:
        is_right = False
    if not is_right:
        raise SettingError("TURRET_SMTP_URL is no mail server; expected smtps://user:password@host:465 or smtp://host")
    if not re.fullmatch(r"[^@\s,;:<>\"]+@[^@\s,;:<>\"]+", sender):
        raise SettingError(f"TURRET_SMTP_FROM is {sender!r}; expected an address like turret@example.com")
    return server, sender


def _file(env: Mapping[str, str], variable: str) -> Path | None:
    text = env.get(variable)
    return Path(text).expanduser().absolute() if text else None


def _mebibytes(env: Mapping[str, str], variable: str) -> int | None:
    return integer(env, variable, 0, 0, 2**30) * 2**20 if env.get(variable) else None


def _database_url(url: str | None) -> str | None:
    """Name the driver: with SQLAlchemy 2.1 a bare `postgresql://` picks psycopg 3, which is not installed."""
    if url is None:
        return None
    scheme, separator, rest = url.partition("://")
    if not separator or scheme.split("+")[0] not in ("postgresql", "postgres"):
        raise SettingError("TURRET_DATABASE_URL is not a postgresql:// address")
    return f"postgresql+psycopg2://{rest}"
