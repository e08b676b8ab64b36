import base64
import hmac
import json
import warnings
from typing import Any

import pytest
from joserfc import jwt
from joserfc.jwk import ECKey, KeySet, OctKey, RSAKey
from joserfc.jws import JWSRegistry

from documents.access.issuer import InvalidTokenError, Issuer, read_claims, usable_keys

RSA = RSAKey.generate_key(2048, parameters={"kid": "r"})
OTHER = RSAKey.generate_key(2048, parameters={"kid": "r"})
EC = ECKey.generate_key("P-256", parameters={"kid": "e"})
KEYS = usable_keys(json.loads(json.dumps({"keys": [RSA.as_dict(private=False), EC.as_dict(private=False)]})))
NOW = 1_800_000_000
ISSUER = Issuer.model_validate(
    {
        "issuer": "https://id.example",
        "audience": ["sheaf"],
        "algorithms": ["RS256", "ES256"],
        "jwks": "keys.json",
        "roles_claim": "realm.roles",
        "roles": {"warehouse": "clerk"},
        "variables": {"sub": "sub", "tenant": "https://example/tenant"},
    }
)
CLAIMS = {
    "iss": "https://id.example",
    "aud": "sheaf",
    "sub": "ann",
    "exp": NOW + 60,
    "realm": {"roles": ["warehouse", "reader"]},
    "https://example/tenant": "t1",
}


def signed(claims: dict[str, Any] | None = None, *, key: Any = RSA, alg: str = "RS256", **header: Any) -> str:
    lax = JWSRegistry(algorithms=[alg], strict_check_header=False)
    lax.max_header_length = 10**6
    return jwt.encode({"alg": alg, "kid": "r", **header}, {**CLAIMS, **(claims or {})}, key, registry=lax)


def raw(header: dict[str, Any], payload: str, signature: bytes = b"x") -> str:
    parts = (json.dumps(header).encode(), payload.encode(), signature)
    return ".".join(base64.urlsafe_b64encode(part).rstrip(b"=").decode() for part in parts)


def verify(token: str) -> Any:
    return ISSUER.verify(token, KEYS, now=lambda: NOW)


def test_a_token_is_a_principal() -> None:
    principal = verify(signed())
    assert principal.id == "jwt:https://id.example#ann"
    assert principal.roles == ("clerk", "reader")
    assert principal.variables == {"sub": "ann", "tenant": "t1"}
    assert principal.expires == NOW + 90


@pytest.mark.parametrize(
    "token",
    [
        pytest.param(signed(key=EC, alg="ES256", kid="e"), id="elliptic"),
        pytest.param(signed({"aud": ["x", "sheaf"]}), id="several audiences"),
        pytest.param(signed({"exp": NOW - 20}), id="within the leeway"),
        pytest.param(signed(typ="at+jwt"), id="access token"),
        pytest.param(signed(nonce="x", x5c=["y" * 4000]), id="header members that are not looked at"),
    ],
)
def test_good_ones_are_taken(token: str) -> None:
    assert verify(token).variables["sub"] == "ann"


def _confused() -> str:
    """Return a token signed with the text of the public key as if it were a shared secret."""
    unsigned, _, _ = raw({"alg": "HS256", "kid": "r"}, json.dumps(CLAIMS)).rpartition(".")
    digest = hmac.digest(RSA.as_pem(private=False), unsigned.encode(), "sha256")
    return f"{unsigned}.{base64.urlsafe_b64encode(digest).rstrip(b'=').decode()}"


HOSTILE = {
    "none": raw({"alg": "none"}, json.dumps(CLAIMS), b""),
    "None": raw({"alg": "None", "kid": "r"}, json.dumps(CLAIMS), b""),
    "algorithm confusion": _confused(),
    "algorithm not pinned": signed(alg="RS512"),
    "another key": signed(key=OTHER),
    "unknown kid": signed(kid="zzz"),
    "kid that is a path": signed(kid="../../dev/null"),
    "kid that is no text": raw({"alg": "RS256", "kid": {"$ne": ""}}, json.dumps(CLAIMS)),
    "no kid and two keys": jwt.encode({"alg": "RS256"}, CLAIMS, RSAKey.import_key(RSA.as_dict(private=True))),
    "a key in the header": signed(key=OTHER, kid="zzz", jwk=OTHER.as_dict(private=False)),
    "an address in the header": signed(key=OTHER, kid="zzz", jku="http://127.0.0.1/keys"),
    "unknown crit": raw({"alg": "RS256", "kid": "r", "crit": ["x"], "x": 1}, json.dumps(CLAIMS)),
    "no aud": signed({"aud": None}),
    "another aud": signed({"aud": "other"}),
    "no exp": signed({"exp": None}),
    "expired": signed({"exp": NOW - 31}),
    "exp not a number": signed({"exp": "never"}),
    "not yet": signed({"nbf": NOW + 100}),
    "issued in the future": signed({"iat": NOW + 100}),
    "no sub": signed({"sub": None}),
    "sub not a text": signed({"sub": {"$ne": 1}}),
    "another issuer": signed({"iss": "https://evil.example"}),
    "id token": signed(typ="id+jwt"),
    "64 KB header": signed(x="y" * 65536),
    "two parts": "a.b",
    "not base64": "\u00e9.\u00e9.\u00e9",
    "empty": "",
    "payload is a list": raw({"alg": "RS256", "kid": "r"}, "[]"),
}


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_ones_are_refused(name: str) -> None:
    with pytest.raises(InvalidTokenError) as refused:
        verify(HOSTILE[name])
    assert "ann" not in str(refused.value)


def test_a_claim_that_stands_twice_is_refused() -> None:
    with pytest.raises(ValueError, match="twice"):
        read_claims(raw({}, '{"sub": "a", "sub": "b"}'))


def test_short_and_shared_keys_are_not_used() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        short = RSAKey.generate_key(1024, parameters={"kid": "s"}).as_dict(private=False)
    shared = OctKey.generate_key(256, parameters={"kid": "o"}).as_dict(private=True)
    usable = usable_keys({"keys": [short, shared, RSA.as_dict(private=False)]})
    assert [key.kid for key in usable] == ["r"]
    with pytest.raises(InvalidTokenError):
        usable_keys({"keys": [short, shared]})


@pytest.mark.parametrize("jwks", [None, [], {}, {"keys": []}, {"keys": [1]}, {"keys": [{"kty": "RSA"}]}, "x"])
def test_what_is_no_key_set_is_refused(jwks: Any) -> None:
    with pytest.raises(InvalidTokenError):
        usable_keys(jwks)


def test_a_key_set_with_a_name_twice_is_refused() -> None:
    with pytest.raises(InvalidTokenError):
        usable_keys({"keys": [RSA.as_dict(private=False), OTHER.as_dict(private=False)]})


def test_a_set_of_one_key_needs_no_name() -> None:
    token = jwt.encode({"alg": "RS256"}, CLAIMS, RSA)
    assert ISSUER.verify(token, KeySet([RSA]), now=lambda: NOW).id
