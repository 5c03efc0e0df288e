"""A home in which erasures are tested."""

from __future__ import annotations

import subprocess
import sys

from tests.small_lake import DAYS, event, put
from tests.test_one_event import environment
from turret_api.accounts import Accounts
from turret_api.erasing.book import Book
from turret_api.erasing.work import Workplace
from turret_pipeline.settings import Settings


class Home:
    """A home with one project; `said` has what was told while something was erased."""

    def __init__(self, settings: Settings, url: str, project: str = "shop") -> None:
        self.settings, self.url, self.lake = settings, url, settings.open_lake()
        self.accounts = Accounts(url)
        self.accounts.migrate()
        self.project_id = self.accounts.create_project(project).project_id
        self.book = Book(self.accounts)
        self.said: list[str] = []
        self.place = Workplace(settings, self.accounts, url, self.said.append)

    def send(self, user: str, first: int, n: int) -> None:
        """Let the lake have `n` events of a user, from the number `first` on."""
        rows = [
            event(number, DAYS[0], f"{user} asks for the parcel number {number} again", user_id=user)
            for number in range(first, first + n)
        ]
        put(self.lake, DAYS[0], f"c0ffee-1-{first}", rows, self.project_id)

    def turret(self, *words: str, given: str = "") -> subprocess.CompletedProcess[str]:
        """Run a command to its end, with `given` on stdin."""
        command = [sys.executable, "-m", "turret_api", *words]
        env = environment(self.settings, self.url)
        return subprocess.run(command, env=env, input=given, capture_output=True, text=True, check=False)
