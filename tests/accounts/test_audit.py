import contextlib
from collections.abc import Callable, Iterator

import pytest

from turret_api.accounts import Accounts, audit
from turret_api.accounts.directory import Directory
from turret_api.accounts.privacy import FEW, MASKING, rules_of, set_rule


@pytest.fixture
def accounts(make_database: Callable[[], str]) -> Iterator[Accounts]:
    """Accounts with the project `shop`."""
    with contextlib.closing(Accounts(make_database())) as opened:
        opened.migrate()
        opened.create_project("shop")
        yield opened


def test_the_log_tells_what_was_done_in_a_project_latest_first(accounts: Accounts) -> None:
    for number in range(3):
        audit.record(accounts, "shop", "key:key_1", "export", {"table": "messages", "rows": number})
    audit.record(accounts, "other", "command:root", "backup", {})
    found = audit.entries(accounts, "shop", most=2)
    assert [each.about["rows"] for each in found] == [2, 1]
    assert [each.about["rows"] for each in audit.entries(accounts, "shop", before=found[-1].audit_id)] == [0]
    assert (found[0].actor, found[0].action) == ("key:key_1", "export")


def test_an_act_that_the_log_does_not_know_is_refused(accounts: Accounts) -> None:
    with pytest.raises(ValueError, match="'exprot' is no action of the audit log"):
        audit.record(accounts, "shop", "key:key_1", "exprot", {})


def test_a_rule_counts_in_every_process_until_it_is_taken_back(accounts: Accounts) -> None:
    directory = Directory(accounts)
    set_rule(accounts, "shop", MASKING, {"email": True})
    set_rule(accounts, "shop", FEW, 5)
    set_rule(accounts, "shop", FEW, 7)
    directory.refresh()
    assert (directory.privacy("shop", MASKING), directory.privacy("shop", FEW)) == ({"email": True}, 7)
    assert directory.privacy("other", FEW) is None
    set_rule(accounts, "shop", FEW, None)
    directory.refresh()
    assert directory.privacy("shop", FEW) is None
    assert rules_of(accounts, "shop") == {MASKING: {"email": True}}
