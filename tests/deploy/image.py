"""The steps of the Dockerfile, done in a folder: what an engine would do, as far as it can be done without one.

Both stages share the folder. `COPY` copies what `.dockerignore` lets through, `RUN` runs by `sh`, and paths outside of
it lead into it. Left out are `apt-get` and `useradd`, which would change this machine, and with them tini. pip finds
the libraries that this Python has, and so downloads none; all else that it does and checks, it does.
"""

from __future__ import annotations

import json
import os
import pwd
import re
import shlex
import shutil
import stat
import subprocess
import sys
import sysconfig
from dataclasses import dataclass, field
from pathlib import Path

ROOT = Path(__file__).parents[2]
USER = pwd.getpwnam("nobody").pw_uid
"""Stands for the image's user: Postgres wants one that the system knows, and nobody is added to this one."""
_ELSEWHERE = ("/opt/turret", "/var/lib/turret")
_SKIPPED = ("apt-get", "useradd")


@dataclass
class Image:
    """An image, built in `folder`: its environment, its commands, and where its volume is."""

    folder: Path
    environment: dict[str, str] = field(default_factory=dict)
    commands: dict[str, list[str]] = field(default_factory=dict)

    @property
    def other_user(self) -> int | None:
        """The user to run as, where we may become another and that one may run this Python; None: ourselves."""
        return USER if os.geteuid() == 0 and base() is not None else None

    @property
    def volume(self) -> Path:
        """Where `/var/lib/turret` is."""
        return self.folder / "var" / "lib" / "turret"

    def popen(self, words: list[str], **settings: str) -> subprocess.Popen[bytes]:
        """Start a command as the image's user, in its environment alone, with some more of it."""
        user = self.other_user
        return subprocess.Popen(
            words,
            cwd=self.volume,
            env={**self.environment, **settings},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            start_new_session=True,
            user=user,
            group=user,
            extra_groups=None if user is None else [],
        )

    def run(self, words: list[str], **settings: str) -> tuple[int, str]:
        """Run a command as the image's user; return its exit status and what it says."""
        process = self.popen(words, **settings)
        said, _ = process.communicate(timeout=120)
        return process.returncode, said.decode()


def instructions() -> list[tuple[str, str]]:
    """Return the instructions of the Dockerfile: each with what stands behind it, in one line."""
    text = re.sub(r"\\\n(\s*#.*\n)*", " ", (ROOT / "Dockerfile").read_text())
    lines = [line for line in text.splitlines() if line.strip() and not line.startswith("#")]
    return [(line.split(None, 1)[0], line.split(None, 1)[1].strip()) for line in lines]


def build(folder: Path) -> Image:
    """Return the image that the Dockerfile describes, made in `folder`, which must be open to all."""
    image = Image(folder, {"PATH": os.defpath})
    source = folder / "src"
    source.mkdir()
    image.volume.mkdir(parents=True)
    for name, rest in instructions():
        if name == "COPY" and not rest.startswith("--from"):
            *copied, target = rest.split()
            for each in copied:
                _copy(ROOT / each, source / target if target != "./" else source / each)
        elif name == "RUN" and not any(word in rest for word in _SKIPPED):
            _run(image, source, rest)
        elif name == "ENV":
            for pair in shlex.split(rest):
                variable, _, value = pair.partition("=")
                image.environment[variable] = _inside(folder, value).replace("$PATH", image.environment["PATH"])
        elif name in ("ENTRYPOINT", "CMD"):
            image.commands[name] = json.loads(rest)
        elif name == "HEALTHCHECK":
            image.commands[name] = json.loads(rest.partition("CMD ")[2])
    if image.other_user is not None:
        os.chown(image.volume, USER, USER)
    return image


def base() -> str | None:
    """Return a Python of our version that every user may run; None: there is none."""
    name = f"python{sys.version_info.major}.{sys.version_info.minor}"
    for found in (str(Path(sys._base_executable).resolve()), f"/usr/bin/{name}", f"/usr/local/bin/{name}"):
        if Path(found).exists() and all(each.stat().st_mode & stat.S_IXOTH for each in Path(found).resolve().parents):
            return found
    return None


def _copy(source: Path, target: Path) -> None:
    if source.is_dir():
        shutil.copytree(source, target, symlinks=True, ignore=shutil.ignore_patterns("__pycache__"))
    else:
        shutil.copy(source, target)


def _run(image: Image, source: Path, command: str) -> None:
    programs = image.folder / "base"
    if not programs.exists():
        programs.mkdir()
        (programs / "python").symlink_to(base() or sys.executable)
    environment = {**image.environment, "PATH": f"{programs}{os.pathsep}{os.defpath}"}
    done = subprocess.run(
        ["sh", "-euc", _inside(image.folder, command)], cwd=source, env=environment, capture_output=True, text=True
    )
    assert done.returncode == 0, (command, done.stdout + done.stderr)
    if "-m venv" in command:
        (packages,) = (image.folder / "opt" / "turret" / "lib").glob("python*/site-packages")
        # This checkout itself must not be found there: what runs is to be what was installed.
        ours = Path(sysconfig.get_path("purelib"))
        for each in ours.iterdir():
            if not re.match(
                r"(__editable__|turret[-_.]|turret$|pip|setuptools|_distutils|distutils|pkg_resources)", each.name
            ):
                (packages / each.name).symlink_to(each)


def _inside(folder: Path, text: str) -> str:
    """Return the text with the image's own paths led into the folder."""
    for path in _ELSEWHERE:
        text = text.replace(path, f"{folder}{path}")
    return text.replace("HOME=/tmp", f"HOME={folder}/tmp")
