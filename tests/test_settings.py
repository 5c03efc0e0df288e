import importlib
import re
import sys
from dataclasses import fields
from pathlib import Path

import pytest

from turret_pipeline.settings import SETTINGS, Oidc, SettingError, Settings


def test_without_any_variable_everything_lies_in_one_folder_here(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.chdir(tmp_path)
    settings = Settings.from_environment({})
    assert settings.home == tmp_path / ".turret"
    assert settings.lake == str(tmp_path / ".turret" / "lake")
    assert (settings.port, settings.dagster_port, settings.database_url) == (8000, 3000, None)


@pytest.mark.parametrize("lake", ["s3://bucket/a/b", "s3://bucket/a/b/", "s3://bucket//a//b//", "S3://bucket/a/b"])
def test_a_bucket_stays_an_address_of_one_spelling(lake: str) -> None:
    assert Settings.from_environment({"TURRET_LAKE": lake}).lake == "s3://bucket/a/b"
    assert Settings.from_environment({"TURRET_LAKE": "s3://bucket/"}).lake == "s3://bucket"


@pytest.mark.parametrize("scheme", ["postgresql", "postgres", "postgresql+psycopg2", "postgresql+psycopg"])
def test_the_database_is_always_spoken_to_through_the_installed_driver(scheme: str) -> None:
    settings = Settings.from_environment({"TURRET_DATABASE_URL": f"{scheme}://u:p@h:5432/d"})
    assert settings.database_url == "postgresql+psycopg2://u:p@h:5432/d"


@pytest.mark.parametrize(
    ("variable", "value"),
    [
        ("TURRET_PORT", "http"),
        ("TURRET_PORT", "0"),
        ("TURRET_PORT", "65536"),
        ("TURRET_DAGSTER_PORT", "-1"),
        ("TURRET_MAX_TEXT", "many"),
        ("TURRET_DATABASE_URL", "mysql://x"),
        ("TURRET_DATABASE_URL", "x"),
        ("TURRET_LAKE", "/data/100%25"),
        ("TURRET_LAKE", "gs://bucket/prefix"),
        ("TURRET_LAKE", "s3://"),
        ("TURRET_LAKE", "s3:///prefix"),
        ("TURRET_LAKE", "s3://bucket?x=y/prefix"),
        ("TURRET_CLUSTERS", "kmeans"),
        ("TURRET_TLS_CERT", "cert.pem"),
        ("TURRET_TLS_KEY", "key.pem"),
        ("TURRET_LATE_SECONDS", "0"),
        ("TURRET_RAY_ADDRESS", "ray://127.0.0.1:10001"),
        ("TURRET_RAY_ADDRESS", "127.0.0.1:6379"),
        ("TURRET_RAY_ADDRESS", "http://127.0.0.1:8265/path"),
        ("TURRET_RAY_ADDRESS", "auto"),
        ("TURRET_PUBLIC_URL", "turret.example.com"),
        ("TURRET_ALERTS_PRIVATE", "yes"),
        ("TURRET_MASK_NAMES", "spacy"),
        ("TURRET_SMTP_URL", "smtp://mail.example.com"),
        ("TURRET_SMTP_FROM", "turret@example.com"),
    ],
)
def test_a_value_that_cannot_be_used_is_refused(variable: str, value: str) -> None:
    with pytest.raises(SettingError):
        Settings.from_environment({variable: value})


def test_a_job_server_is_refused_where_ray_is_not_installed(monkeypatch: pytest.MonkeyPatch) -> None:
    there = {"TURRET_RAY_ADDRESS": "https://head.example:8265/"}
    assert Settings.from_environment(there).ray_address == "https://head.example:8265"
    monkeypatch.setattr(sys, "path", [path for path in sys.path if "site-packages" not in path])
    importlib.invalidate_caches()
    with pytest.raises(SettingError, match=r"pip install 'turret\[ray\]'"):
        Settings.from_environment(there)


def test_a_run_on_ray_is_given_every_setting_that_the_pipeline_reads() -> None:
    given = (Path(__file__).parents[1] / "dagster_home" / "ray.yaml").read_text()
    of_the_api = {
        "TURRET_PORT",
        "TURRET_DAGSTER_PORT",
        "TURRET_TLS_CERT",
        "TURRET_TLS_KEY",
        "TURRET_MASK_NAMES",
        "TURRET_ROLL_SECONDS",
        "TURRET_DISK_RESERVE_MB",
        "TURRET_QUESTION_SECONDS",
        "TURRET_QUESTION_MEMORY_MB",
        "TURRET_READ_KEY",
        "TURRET_OIDC_ISSUER",
        "TURRET_OIDC_CLIENT_ID",
        "TURRET_OIDC_CLIENT_SECRET",
        "TURRET_OIDC_NAME",
        "TURRET_OIDC_TRUST_EMAIL",
        "TURRET_OIDC_ROLES",
        "TURRET_OIDC_ROLES_CLAIM",
        "TURRET_OIDC_SCOPES",
    }
    names = set(re.findall(r"^        - (TURRET_\w+)$", given, re.MULTILINE))
    assert {setting.variable for setting in SETTINGS} - names == of_the_api


def test_every_setting_is_documented_and_read() -> None:
    folder = Path(__file__).parents[1] / "turret_pipeline" / "settings"
    source = "".join(each.read_text() for each in folder.glob("*.py"))
    assert all(source.count(f'"{setting.variable}"') >= 2 for setting in SETTINGS)
    assert len(SETTINGS) == len(fields(Settings)) - 1 + len(fields(Oidc))


@pytest.mark.parametrize(
    ("model", "is_missing"),
    [
        ("", False),
        ("all-MiniLM-L6-v2", False),
        ("org/name", False),
        ("/no/where", True),
        ("~/no/where", True),
        ("./x", True),
    ],
)
def test_a_folder_of_a_model_that_is_not_there_is_told_without_loading_it(model: str, is_missing: bool) -> None:
    assert (Settings.from_environment({"TURRET_MODEL": model}).model_problem is not None) is is_missing


def test_a_folder_of_a_model_that_is_there_is_no_problem(tmp_path: Path) -> None:
    assert Settings.from_environment({"TURRET_MODEL": str(tmp_path)}).model_problem is None


PROVIDER = {"TURRET_OIDC_ISSUER": "https://id.example.com/realm", "TURRET_OIDC_CLIENT_ID": "turret"}
PUBLIC = {"TURRET_PUBLIC_URL": "https://turret.example.com"}


def test_a_provider_of_sign_ins_is_named_by_its_address_and_what_turret_is_there() -> None:
    found = Settings.from_environment({**PROVIDER, **PUBLIC, "TURRET_OIDC_CLIENT_SECRET": "s3cret"})
    assert found.oidc is not None and (found.oidc.issuer, found.oidc.client_id) == tuple(PROVIDER.values())
    assert found.oidc.client_secret == "s3cret" and not found.oidc.trusts_email
    assert "s3cret" not in repr(found)


@pytest.mark.parametrize(
    ("environment", "words"),
    [
        ({"TURRET_OIDC_ISSUER": "https://id.example.com", **PUBLIC}, "belong together"),
        ({"TURRET_OIDC_CLIENT_ID": "turret", **PUBLIC}, "belong together"),
        (PROVIDER, "needs TURRET_PUBLIC_URL"),
        ({**PROVIDER, **PUBLIC, "TURRET_OIDC_ISSUER": "http://id.example.com"}, "http only for a provider on this"),
        ({**PROVIDER, **PUBLIC, "TURRET_OIDC_ISSUER": "id.example.com"}, "expected an address like"),
        ({**PROVIDER, **PUBLIC, "TURRET_OIDC_TRUST_EMAIL": "yes"}, "TURRET_OIDC_TRUST_EMAIL is 'yes'"),
    ],
    ids=str,
)
def test_a_provider_of_sign_ins_that_cannot_be_used_is_refused(environment: dict[str, str], words: str) -> None:
    with pytest.raises(SettingError, match=words):
        Settings.from_environment(environment)
