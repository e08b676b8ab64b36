"""Bearer tokens of an identity provider: verified against its keys, and read as a principal.

Only signatures with a private key are taken, with algorithms that the configuration names; nothing in a token says
where its key is to be found.
"""

import warnings
from base64 import urlsafe_b64decode
from collections.abc import Callable, Mapping, Sequence
from functools import cached_property
from typing import Annotated, Any, Final, Literal, cast

from joserfc import jwt
from joserfc.errors import JoseError, SecurityWarning
from joserfc.jwk import KeySet, RSAKey
from joserfc.jws import JWSRegistry
from joserfc.jwt import JWTClaimsRegistry
from pydantic import BaseModel, ConfigDict, Field

from documents.access.principal import Principal
from documents.query.filter.values import decode_json
from documents.query.shapes import is_array, is_object
from documents.types import MISSING

MAX_TOKEN_BYTES: Final = 16 * 1024
MIN_RSA_BITS: Final = 2048
Algorithm = Literal["RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "Ed25519", "EdDSA"]


class InvalidTokenError(Exception):
    """A token is not to be trusted. The message says why, and has nothing of the token in it."""


class Issuer(BaseModel):
    """An identity provider whose tokens are taken."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    issuer: str = Field(min_length=1, description="What `iss` says, exactly.")
    audience: tuple[str, ...] = Field(min_length=1, description="`aud` names one of these.")
    algorithms: tuple[Algorithm, ...] = Field(min_length=1, description="Of signatures; no others are taken.")
    jwks: str = Field(min_length=1, description="Its keys: a file, or an https address.")
    types: tuple[str, ...] = Field(("at+jwt", "JWT"), description="What the header `typ` may say.")
    leeway: int = Field(30, ge=0, le=300, description="Seconds that clocks may differ by.")
    roles_claim: str = Field("roles", description="Dotted path of the claim that names roles.")
    roles: dict[str, str] = Field(default_factory=dict, description="Role of Sheaf for a value of that claim.")
    variables: dict[Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]{0,63}$")], str] = Field(
        default={"sub": "sub"}, description="Variables of policies, each with the dotted path of a claim."
    )

    @cached_property
    def _registry(self) -> JWSRegistry:
        registry = JWSRegistry(algorithms=list(self.algorithms), strict_check_header=False)
        registry.max_header_length = MAX_TOKEN_BYTES  # certificates in the header are common, and are not looked at
        return registry

    def verify(self, token: str, keys: KeySet, *, now: Callable[[], int] | None = None) -> Principal:
        """Return the principal that a token names.

        Raises:
            InvalidTokenError: Its signature, its claims or its form is not as it should be.
        """
        try:
            decoded = jwt.decode(token, keys, registry=self._registry)
            read_claims(token)  # refuses a claim that stands twice, of which readers take different ones
            self._claims(now).validate(decoded.claims)
        except (JoseError, ValueError, OverflowError) as error:
            raise InvalidTokenError(_reason(error)) from None
        if str(decoded.header.get("typ", "JWT")).lower().removeprefix("application/") not in map(str.lower, self.types):
            raise InvalidTokenError("It is a token of another type.")
        return self._principal(decoded.claims)

    def _claims(self, now: Callable[[], int] | None) -> JWTClaimsRegistry:
        return JWTClaimsRegistry(
            now=now,
            leeway=self.leeway,
            iss={"essential": True, "value": self.issuer},
            aud={"essential": True, "values": list(self.audience)},
            exp={"essential": True},
            sub={"essential": True},
        )

    def _principal(self, claims: Mapping[str, Any]) -> Principal:
        named = _claim(claims, self.roles_claim)
        values: Sequence[object] = named if is_array(named) else named.split() if isinstance(named, str) else ()
        roles = dict.fromkeys(self.roles.get(value, value) for value in values if isinstance(value, str))
        found = {name: _claim(claims, path) for name, path in self.variables.items()}
        return Principal(
            id=f"jwt:{self.issuer}#{claims['sub']}",
            roles=tuple(roles),
            variables={name: value for name, value in found.items() if value is not MISSING},
            expires=float(claims["exp"]) + self.leeway,
        )


def usable_keys(jwks: object) -> KeySet:
    """Return the keys of a JWK set that signatures are checked with: public, of a safe size, with no name twice.

    Raises:
        InvalidTokenError: It is no key set, or has none of these.
    """
    try:
        with warnings.catch_warnings(category=SecurityWarning, action="ignore"):  # short keys are left out below
            keys = KeySet.import_key_set(cast("Any", jwks))
        chosen = [key for key in keys if key.key_type != "oct" and _is_long_enough(key) and _is_for_signatures(key)]
    except (JoseError, KeyError, TypeError, ValueError) as error:
        raise InvalidTokenError("The key set cannot be read.") from error
    names = [key.kid for key in chosen]
    if not chosen or len(set(names)) != len(names):
        raise InvalidTokenError("The key set has no usable key, or a name twice.")
    return KeySet(chosen)


def _is_long_enough(key: object) -> bool:
    return not isinstance(key, RSAKey) or key.raw_value.key_size >= MIN_RSA_BITS


def _is_for_signatures(key: Any) -> bool:  # noqa: ANN401  # a key of any type
    return key.get("use", "sig") == "sig"


def read_claims(token: str) -> dict[str, Any]:
    """Return the claims of a token without trusting them: only to find out whose keys to ask.

    Raises:
        ValueError: It is no token, is too large, or has a claim twice.
    """
    if len(token) > MAX_TOKEN_BYTES or token.count(".") != 2:  # noqa: PLR2004  # three parts
        raise ValueError("not a token")
    claims = decode_json(_decoded(token.split(".")[1]))
    if not is_object(claims):
        raise ValueError("not an object")
    return claims


def _decoded(part: str) -> str:
    return urlsafe_b64decode(part + "=" * (-len(part) % 4)).decode()


def _claim(claims: Mapping[str, Any], path: str) -> Any:  # noqa: ANN401  # whatever a claim holds
    if path in claims:  # names of claims are often addresses, with dots in them
        return claims[path]
    value: object = claims
    for name in path.split("."):
        value = value.get(name, MISSING) if is_object(value) else MISSING
    return value


def _reason(error: Exception) -> str:
    return f"It is refused ({getattr(error, 'error', 'malformed')})."
