"""The image, its steps done in a folder: it is built from what it says, runs as its user, and outlives a restart."""

from __future__ import annotations

import re
import shutil
import signal
import tempfile
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from tests.deploy.image import ROOT, USER, Image, build, instructions
from tests.ports import free_ports
from turret_pipeline.settings import SETTINGS

UP_S = 170.0


@pytest.fixture(scope="module")
def image() -> Iterator[Image]:
    """The image in a folder that its user may enter."""
    folder = Path(tempfile.mkdtemp(prefix="turret-image-"))
    folder.chmod(0o755)
    yield build(folder)
    shutil.rmtree(folder, ignore_errors=True)


class Container:
    """The image's command, running: what it says, and its ends."""

    def __init__(self, image: Image, **settings: str) -> None:
        tini, *command = [*image.commands["ENTRYPOINT"], *image.commands["CMD"]]
        assert tini == "tini" and command[0] == "--"
        self.process = image.popen([f"{image.folder}/opt/turret/bin/{command[1]}", *command[2:]], **settings)
        self.said = b""
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def _read(self) -> None:
        assert self.process.stdout is not None
        while block := self.process.stdout.read1(4096):
            self.said += block

    def wait_until_up(self) -> None:
        deadline = time.monotonic() + UP_S
        while b"Turret is up" not in self.said:
            assert self.process.poll() is None and time.monotonic() < deadline, self.said.decode()
            time.sleep(0.2)

    def stop(self) -> int:
        """Do what `docker stop` does; return the exit status."""
        self.process.send_signal(signal.SIGTERM)
        status = self.process.wait(60)
        self._reader.join(10)
        assert self.process.stdout is not None
        self.process.stdout.close()
        return status


@pytest.mark.long
@pytest.mark.timeout(3 * UP_S)
def test_it_starts_as_its_user_says_that_it_is_healthy_and_goes_on_after_a_restart(image: Image) -> None:
    port, dagster_port = free_ports(2)
    settings = {"TURRET_PORT": str(port), "TURRET_DAGSTER_PORT": str(dagster_port)}
    status, reason = image.run(image.commands["HEALTHCHECK"], **settings)
    assert status == 1 and "no `turret up` runs" in reason
    first = Container(image, **settings)
    try:
        first.wait_until_up()
        keys = dict(re.findall(r"(write|read) key +(\S+)", first.said.decode()))
        assert image.run(image.commands["HEALTHCHECK"], **settings) == (0, "")
        if image.other_user is not None:
            assert {each.stat().st_uid for each in image.volume.iterdir()} == {USER}
        url = f"http://127.0.0.1:{port}"
        event = {"name": "asked", "session_id": "s", "event_id": "once", "metadata": {"prompt": "where is my parcel"}}
        httpx.post(f"{url}/track", json=event, headers={"X-API-Key": keys["write"]}, timeout=60).raise_for_status()
    finally:
        assert first.stop() == 0, first.said.decode()
    assert image.run(image.commands["HEALTHCHECK"], **settings)[0] == 1
    second = Container(image, **settings)
    try:
        second.wait_until_up()
        again = httpx.post(f"{url}/track", json=event, headers={"X-API-Key": keys["write"]}, timeout=60)
        assert again.json()["duplicate"] is True
    finally:
        assert second.stop() == 0, second.said.decode()


@pytest.mark.long
def test_what_it_runs_is_what_it_installed_and_that_is_compiled(image: Image) -> None:
    python = f"{image.folder}/opt/turret/bin/python"
    status, said = image.run([python, "-c", "import turret_api; print(turret_api.__file__, turret_api.__cached__)"])
    assert status == 0, said
    assert all(word.startswith(str(image.folder)) for word in said.split())
    assert Path(said.split()[1]).exists()


def test_it_runs_as_a_user_of_its_own_that_the_system_knows() -> None:
    (user,) = (rest for name, rest in instructions() if name == "USER")
    assert user == "10001:10001"
    assert any("useradd --uid 10001 " in rest for name, rest in instructions() if name == "RUN")


def test_the_build_gets_all_that_it_copies_and_nothing_else() -> None:
    lets_through = {line[1:] for line in (ROOT / ".dockerignore").read_text().splitlines() if line.startswith("!")}
    copied = {
        each for name, rest in instructions() if name == "COPY" and "--from" not in rest for each in rest.split()[:-1]
    }
    assert copied == lets_through


def test_files_that_deploy_name_settings_that_there_are() -> None:
    known = {each.variable for each in SETTINGS}
    files = [ROOT / name for name in ("Dockerfile", "compose.yaml", "compose.split.yaml")]
    files += [each for each in (ROOT / "deploy").rglob("*") if each.is_file()]
    for file in files:
        assert set(re.findall(r"TURRET_[A-Z0-9_]+\b", file.read_text())) <= known, file
