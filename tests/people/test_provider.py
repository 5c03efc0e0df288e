"""What of a provider is believed: everything but one thing is right, and the sign-in ends."""

from __future__ import annotations

import socketserver
import threading
import time
from collections.abc import Iterator
from typing import Any

import pytest
from joserfc.jwk import ECKey, RSAKey

from tests.people.own_provider import CLIENT_ID, SECRET, OwnProvider
from turret_api.accounts.people import subject_of
from turret_api.people import discovery
from turret_api.people.discovery import AwayError, ProviderError
from turret_api.people.provider import Account, GroupsError, Provider, Started
from turret_pipeline.settings import GroupRole, Oidc

BACK = "https://turret.example.com/sign-in/callback"


@pytest.fixture(scope="module")
def running() -> Iterator[OwnProvider]:
    provider = OwnProvider()
    yield provider
    provider.end()


@pytest.fixture
def theirs(running: OwnProvider) -> OwnProvider:
    """Return the provider, which keeps to all rules again."""
    running.about, running.keys = {}, running.keys[:1]
    running.key, running.head = running.keys[0], {"alg": "RS256", "kid": "first"}
    running.user = {"sub": "ada-1", "email": "ada@example.com", "email_verified": True}
    running.claim, running.userinfo, running.asked = lambda claims: None, None, []
    return running


def ours(theirs: OwnProvider, **more: Any) -> Provider:
    return Provider(Oidc(theirs.address, CLIENT_ID, SECRET, **more), BACK)


def sign_in(theirs: OwnProvider, client: Provider | None = None, **more: Any) -> Account:
    client = client or ours(theirs, **more)
    address, started = client.start()
    return client.finish(theirs.authorize(address)["code"], started)


def test_an_account_comes_back_with_its_verified_address(theirs: OwnProvider) -> None:
    assert sign_in(theirs) == Account(subject_of(theirs.address, "ada-1"), "ada@example.com")


@pytest.mark.parametrize("method", ["client_secret_post", "client_secret_basic"])
def test_the_secret_is_shown_as_the_provider_wishes(theirs: OwnProvider, method: str) -> None:
    theirs.about = {"token_endpoint_auth_methods_supported": [method]}
    assert sign_in(theirs).email == "ada@example.com"


WRONG_CLAIMS = {
    "another provider's": {"iss": "https://elsewhere.example"},
    "for another client": {"aud": "another"},
    "for several, of whom another asked": {"aud": [CLIENT_ID, "another"], "azp": "another"},
    "for several, and nobody asked": {"aud": [CLIENT_ID, "another"]},
    "of another sign-in": {"nonce": "another"},
    "expired": {"exp": int(time.time()) - 120},
    "of the future": {"iat": int(time.time()) + 86_400},
    "not valid yet": {"nbf": int(time.time()) + 86_400},
    "of another access token": {"at_hash": "another"},
}


@pytest.mark.parametrize("claims", WRONG_CLAIMS.values(), ids=WRONG_CLAIMS)
def test_a_token_that_is_not_for_this_sign_in_is_refused(theirs: OwnProvider, claims: dict[str, Any]) -> None:
    theirs.claim = lambda true: true.update(claims)
    with pytest.raises(ProviderError, match="is not for this sign-in"):
        sign_in(theirs)


@pytest.mark.parametrize("name", ["iss", "aud", "exp", "iat", "nonce", "sub"])
def test_a_token_that_leaves_out_what_it_has_to_say_is_refused(theirs: OwnProvider, name: str) -> None:
    theirs.claim = lambda claims: claims.pop(name) and None
    with pytest.raises(ProviderError, match="is not for this sign-in"):
        sign_in(theirs)


def test_a_provider_whose_clock_is_half_a_minute_off_is_believed(theirs: OwnProvider) -> None:
    theirs.claim = lambda claims: claims.update(iat=claims["iat"] + 30, exp=int(time.time()) - 30)
    assert sign_in(theirs).email == "ada@example.com"


def test_a_token_without_a_signature_is_refused(theirs: OwnProvider) -> None:
    theirs.head = {"alg": "none"}
    with pytest.raises(ProviderError, match="not signed as it should be"):
        sign_in(theirs)


def test_a_token_signed_with_a_secret_that_both_know_is_refused(theirs: OwnProvider) -> None:
    theirs.head, theirs.key = {"alg": "HS256", "kid": "first"}, theirs.shared_secret()
    theirs.about = {"id_token_signing_alg_values_supported": ["RS256", "HS256"]}
    with pytest.raises(ProviderError, match="not signed as it should be"):
        sign_in(theirs)


def test_an_algorithm_that_the_provider_does_not_use_is_refused(theirs: OwnProvider) -> None:
    theirs.about = {"id_token_signing_alg_values_supported": ["ES256"]}
    with pytest.raises(ProviderError, match="not signed as it should be"):
        sign_in(theirs)


@pytest.mark.parametrize("kid", ["first", "unknown", None])
def test_a_token_that_another_key_has_signed_is_refused(theirs: OwnProvider, kid: str | None) -> None:
    theirs.key, theirs.head = RSAKey.generate_key(2048), {"alg": "RS256", **({"kid": kid} if kid else {})}
    with pytest.raises(ProviderError, match="not signed with one of its keys"):
        sign_in(theirs)


def test_a_key_for_encryption_signs_nothing(theirs: OwnProvider) -> None:
    theirs.key, theirs.head = RSAKey.generate_key(2048), {"alg": "RS256"}
    for_encryption = RSAKey.import_key(theirs.key.as_dict(private=False), {"kid": "enc", "use": "enc"})
    theirs.keys = [*theirs.keys, for_encryption]
    with pytest.raises(ProviderError, match="not signed with one of its keys"):
        sign_in(theirs)


def test_keys_that_change_are_asked_for_again(theirs: OwnProvider, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(discovery, "AGAIN_S", 0.0)
    client = ours(theirs)
    sign_in(theirs, client)
    theirs.keys = [*theirs.keys, ECKey.generate_key("P-256", {"kid": "second", "use": "sig"})]
    theirs.key, theirs.head = theirs.keys[1], {"alg": "ES256", "kid": "second"}
    assert sign_in(theirs, client).email == "ada@example.com"
    sign_in(theirs, client)
    assert theirs.asked.count("/keys") == 2 and theirs.asked.count("/.well-known/openid-configuration") == 1


def test_of_several_keys_the_one_counts_that_fits_though_the_token_names_none(theirs: OwnProvider) -> None:
    theirs.keys = [*theirs.keys, RSAKey.generate_key(2048), ECKey.generate_key("P-256")]
    theirs.key, theirs.head = theirs.keys[1], {"alg": "RS256"}
    assert sign_in(theirs).email == "ada@example.com"


@pytest.mark.parametrize(
    ("verified", "trusts", "counts"),
    [(True, False, True), ("true", False, True), (None, True, True), (None, False, False), (False, True, False),
     ("false", False, False), (1, False, True), ("yes", True, False)],
)  # fmt: skip
def test_an_address_counts_only_where_the_provider_has_verified_it(
    theirs: OwnProvider, verified: object, trusts: bool, counts: bool
) -> None:
    theirs.user = {"sub": "ada-1", "email": "ada@example.com", "email_verified": verified}
    if verified is None:
        del theirs.user["email_verified"]
    found = sign_in(theirs, trusts_email=trusts)
    assert (found.email, found.refused_email) == (("ada@example.com", None) if counts else (None, "ada@example.com"))


def test_an_address_that_is_not_in_the_token_is_asked_for(theirs: OwnProvider) -> None:
    theirs.user = {"sub": "ada-1"}
    assert sign_in(theirs).email is None
    theirs.userinfo = {"sub": "ada-1", "email": "\ud800\x1b[2J\x00@example.com", "email_verified": False}
    assert sign_in(theirs).refused_email is None
    theirs.userinfo = {"sub": "ada-1", "email": "ada@example.com", "email_verified": True}
    assert sign_in(theirs).email == "ada@example.com"
    theirs.userinfo = {"sub": "bob-2", "email": "bob@example.com", "email_verified": True}
    assert sign_in(theirs).email is None


STAFF = (GroupRole("staff", "viewer"),)


@pytest.mark.parametrize(
    ("claim", "claims", "userinfo"),
    [
        ("groups", {"groups": ["staff"]}, None),
        ("realm_access.roles", {"realm_access": {"roles": ["staff"]}}, None),
        ("https://example.com/roles", {"https://example.com/roles": ["staff"]}, None),
        ("hd", {"hd": "staff"}, None),
        ("groups", {}, {"groups": ["staff"]}),
        ("groups", {"groups": ["staff"]}, {"groups": ["admins"]}),
        ("realm_access.roles", {"realm_access": {}}, {"realm_access": {"roles": ["staff"]}}),
    ],
    ids=str,
)
def test_groups_are_taken_from_the_claim_that_is_set_wherever_the_provider_tells_it(
    theirs: OwnProvider, claim: str, claims: dict[str, Any], userinfo: dict[str, Any] | None
) -> None:
    theirs.user |= claims
    theirs.userinfo = None if userinfo is None else {"sub": "ada-1", **userinfo}
    assert sign_in(theirs, roles=STAFF, roles_claim=claim).groups == {"staff"}
    assert sign_in(theirs, roles_claim=claim).groups is None


def test_groups_are_asked_for_only_where_they_count_and_the_token_has_none(theirs: OwnProvider) -> None:
    sign_in(theirs)
    theirs.user |= {"groups": []}
    assert sign_in(theirs, roles=STAFF).groups == frozenset() and "/me" not in theirs.asked
    del theirs.user["groups"]
    assert sign_in(theirs, roles=STAFF).groups is None and "/me" in theirs.asked


def test_groups_that_were_left_out_end_the_sign_in_unless_the_provider_tells_them_elsewhere(
    theirs: OwnProvider,
) -> None:
    theirs.user |= {"_claim_names": {"groups": "src1"}}
    with pytest.raises(GroupsError, match="the claim groups was left out"):
        sign_in(theirs, roles=STAFF)
    theirs.userinfo = {"sub": "ada-1", "groups": ["staff"]}
    assert sign_in(theirs, roles=STAFF).groups == {"staff"}


def test_the_scopes_that_are_set_are_asked_for(theirs: OwnProvider) -> None:
    assert "&scope=openid+email+groups&" in ours(theirs, scopes="openid email groups").start()[0]


def test_a_provider_signs_out_at_the_address_that_it_names(theirs: OwnProvider) -> None:
    theirs.about = {"end_session_endpoint": f"{theirs.address}/bye"}
    assert ours(theirs).address_of_sign_out("https://turret.example.com/sign-in", "a.b.c") == (
        f"{theirs.address}/bye?client_id={CLIENT_ID}"
        "&post_logout_redirect_uri=https%3A%2F%2Fturret.example.com%2Fsign-in&id_token_hint=a.b.c"
    )


@pytest.mark.parametrize("address", [None, 1, "", "javascript:alert(1)", "ftp://elsewhere.example/bye"])
def test_a_provider_without_an_address_for_it_signs_nobody_out(theirs: OwnProvider, address: object) -> None:
    theirs.about = {"end_session_endpoint": address}
    assert ours(theirs).address_of_sign_out("https://turret.example.com/sign-in", None) is None


def test_a_code_is_worth_nothing_without_the_verifier_that_the_browser_kept(theirs: OwnProvider) -> None:
    client = ours(theirs)
    address, started = client.start()
    code = theirs.authorize(address)["code"]
    with pytest.raises(ProviderError, match="refused the code"):
        client.finish(code, Started(started.state, started.nonce, "another verifier, of sufficient length 0123456789"))


@pytest.mark.parametrize(
    "about",
    [
        {"issuer": "https://elsewhere.example"},
        {"token_endpoint": "ftp://elsewhere.example"},
        {"jwks_uri": None},
        {"authorization_endpoint": "javascript:alert(1)"},
    ],
    ids=str,
)
def test_a_provider_that_describes_itself_wrongly_is_not_used(theirs: OwnProvider, about: dict[str, Any]) -> None:
    theirs.about = about
    with pytest.raises(AwayError):
        sign_in(theirs)


def test_a_provider_that_is_away_is_not_asked_by_each_visitor_anew(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[object] = []

    class HangsUp(socketserver.BaseRequestHandler):
        def handle(self) -> None:
            asked.append(self.client_address)

    monkeypatch.setattr(discovery, "AGAIN_S", 600)
    with socketserver.TCPServer(("127.0.0.1", 0), HangsUp) as away:
        threading.Thread(target=away.serve_forever, args=(0.02,), daemon=True).start()
        client = Provider(Oidc(f"http://127.0.0.1:{away.server_address[1]}", CLIENT_ID, SECRET), BACK)
        for _ in range(100):
            with pytest.raises(AwayError, match="does not answer"):
                client.start()
        away.shutdown()
    assert len(asked) == 1
