"""A Postgres of one's own, as `TURRET_DATABASE_URL` names it: Debian's with TLS, and a server behind PgBouncer."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from pathlib import Path

import psycopg2
import pytest
from sqlalchemy.engine import make_url

from tests.command.test_serve import make_certificate
from tests.command.test_up import turret
from tests.ports import free_ports
from tests.processes.conftest import until
from tests.small_lake import DAYS, event, put
from turret_api.command.status import status
from turret_api.processes.postgres import AwayError, check_server
from turret_api.processes.postgres_keeper import own_command, unprivileged_user
from turret_pipeline.lake.paths import Lake
from turret_pipeline.settings import Settings

INSTALL = "is missing: install it with `apt-get install {}` (or the like of your system)"


def given_away(folder: Path) -> Path:
    """Return the folder, made, of the user who is to run a server in it."""
    folder.mkdir(mode=0o700)
    os.chown(folder, *unprivileged_user())
    return folder


@contextmanager
def server(program: Path, folder: Path, words: Sequence[str], port: int) -> Iterator[None]:
    """A server that runs in the folder as its owner, and listens on the port."""
    with (folder.parent / f"{program.name}.log").open("w") as log:
        command = [*own_command(program, folder), str(program), *words]
        process = subprocess.Popen(command, cwd=folder, stdout=log, stderr=log, env={"LC_ALL": "C"})
    try:

        def listens() -> bool:
            assert process.poll() is None, Path(log.name).read_text()
            with socket.socket() as probe:
                return probe.connect_ex(("127.0.0.1", port)) == 0

        until(listens)
        yield
    finally:
        process.terminate()
        process.wait(30)


@pytest.fixture(scope="module")
def postgres() -> Path:
    """The folder of the newest programs of Debian's Postgres."""
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/postgres"), key=lambda path: int(path.parts[4]))
    if not found:
        pytest.fail(f"a Postgres with TLS {INSTALL.format('postgresql')}")
    return found[-1].parent


@pytest.fixture(scope="module")
def tls(postgres: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, Path]]:
    """URL of a server that lets in nobody who does not speak TLS, without words on TLS; and its certificate."""
    base = tmp_path_factory.mktemp("tls")
    data, port = given_away(base / "data"), free_ports(1)[0]
    (base / "password").write_text("secret")
    os.chown(base / "password", *unprivileged_user())
    words = ["-D", str(data), "-U", "turret", f"--pwfile={base / 'password'}", "--auth=scram-sha-256"]
    subprocess.run(
        [*own_command(postgres / "initdb", data), str(postgres / "initdb"), *words, "--no-sync"],
        check=True,
        capture_output=True,
        env={"LC_ALL": "C"},
    )
    make_certificate(base / "server.crt", base / "server.key")
    for name in ("server.crt", "server.key"):
        shutil.copy(base / name, data / name)
        (data / name).chmod(0o600)
        os.chown(data / name, *unprivileged_user())
    (data / "pg_hba.conf").write_text("hostssl all all 127.0.0.1/32 scram-sha-256\n")
    options = {
        "ssl": "on",
        "listen_addresses": "127.0.0.1",
        "port": port,
        "unix_socket_directories": "",
        "fsync": "off",
    }
    words = [word for name, value in options.items() for word in ("-c", f"{name}={value}")]
    with server(postgres / "postgres", data, ["-D", str(data), *words], port):
        yield f"postgresql://turret:secret@localhost:{port}/postgres", base / "server.crt"


def run(environment: dict[str, str], *words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(turret(*words), env=os.environ | environment, capture_output=True, text=True, check=False)


@pytest.mark.slow
def test_every_connection_of_a_build_and_a_backup_is_one_of_tls_whose_certificate_was_checked(
    tls: tuple[str, Path], tmp_path: Path
) -> None:
    url, certificate = tls
    environment = {
        "TURRET_HOME": str(tmp_path / "home"),
        "TURRET_DATABASE_URL": f"{url}?sslmode=verify-full&sslrootcert={certificate}",
    }
    made = run(environment, "project", "create", "shop")
    assert made.returncode == 0, made.stderr
    lake = Lake(str(tmp_path / "home" / "lake"))
    put(lake, DAYS[0], "a", [event(number, DAYS[0]) for number in range(10)], project="shop")
    built = run(environment, "build")
    assert built.returncode == 0, built.stderr + built.stdout
    (project,) = status(Settings.from_environment(environment))["projects"]
    assert (project["project_id"], project["events"]) == ("shop", 10)
    backed_up = run(environment, "backup", str(tmp_path / "backup.tar"))
    assert backed_up.returncode == 0, backed_up.stderr
    no_client = run(environment | {"PATH": str(tmp_path)}, "backup", str(tmp_path / "none.tar"))
    assert no_client.returncode == 1 and "Postgres's client programs" in no_client.stderr.splitlines()[-1]


@pytest.mark.parametrize(
    ("words", "reason"),
    [
        ("sslmode=verify-full&sslrootcert={other}", "certificate verify failed"),
        ("sslmode=disable", "no pg_hba.conf entry"),
    ],
)
def test_a_server_whose_certificate_is_not_trusted_or_that_wants_one_is_one_line(
    tls: tuple[str, Path], tmp_path: Path, words: str, reason: str
) -> None:
    make_certificate(tmp_path / "other.crt", tmp_path / "other.key")
    url = f"{tls[0]}?{words.format(other=tmp_path / 'other.crt')}"
    for command in (["up"], ["build"]):
        done = run({"TURRET_HOME": str(tmp_path / "home"), "TURRET_DATABASE_URL": url}, *command)
        assert done.returncode == 1
        assert done.stderr.splitlines()[-1].startswith("Error: cannot use the database of TURRET_DATABASE_URL: ")
        assert reason in done.stderr and "Traceback" not in done.stderr


@pytest.fixture
def pooler(request: pytest.FixtureRequest, database_url: str, tmp_path: Path) -> Iterator[str]:
    """URL of a PgBouncer, in the mode of the parameter, before the embedded server."""
    program = shutil.which("pgbouncer", path=f"{os.environ['PATH']}:/usr/sbin")
    if program is None:
        pytest.fail(f"PgBouncer {INSTALL.format('pgbouncer')}")
    behind, port, folder = make_url(database_url), free_ports(1)[0], given_away(tmp_path / "pooler")
    settings = {
        "listen_addr": "127.0.0.1",
        "listen_port": port,
        "unix_socket_dir": "",
        "auth_type": "any",
        "pool_mode": request.param,
        "ignore_startup_parameters": "options,extra_float_digits",
    }
    server_words = f"host={behind.host} port={behind.port} user={behind.username} password={behind.password}"
    lines = ["[databases]", f"turret = {server_words} dbname={behind.database}", "[pgbouncer]"]
    (folder / "pgbouncer.ini").write_text("\n".join([*lines, *(f"{name} = {of}" for name, of in settings.items())]))
    os.chown(folder / "pgbouncer.ini", *unprivileged_user())
    with server(Path(program), folder, [str(folder / "pgbouncer.ini")], port):
        yield f"postgresql://turret@127.0.0.1:{port}/turret"


@pytest.mark.parametrize("pooler", ["session", "transaction"], indirect=True)
def test_a_pooler_is_refused_in_one_line_that_says_what_to_do(pooler: str, tmp_path: Path) -> None:
    with closing(psycopg2.connect(pooler)) as connection, connection.cursor() as sql:
        sql.execute("SELECT 1")
        assert sql.fetchall() == [(1,)], "it works as a pooler"
    for command in (["up"], ["serve"]):
        done = run({"TURRET_HOME": str(tmp_path / "home"), "TURRET_DATABASE_URL": pooler}, *command)
        assert done.returncode == 1
        line = done.stderr.splitlines()[-1]
        assert line.startswith("Error: TURRET_DATABASE_URL leads to a connection pooler (such as PgBouncer)")
        assert "name the Postgres server itself" in line


def test_a_server_itself_is_taken_and_an_address_without_one_is_away(database_url: str) -> None:
    check_server(database_url)
    with pytest.raises(AwayError, match="Connection refused"):
        check_server(f"postgresql+psycopg2://turret@127.0.0.1:{free_ports(1)[0]}/turret")
