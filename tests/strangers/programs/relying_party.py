"""A website that signs people in with Authlib: prints where to send the person, reads where they came back to."""

import json
import sys
from pathlib import Path

import httpx
from authlib.common.security import generate_token
from authlib.integrations.httpx_client import OAuth2Client
from authlib.oidc.core import CodeIDToken
from joserfc import jwt
from joserfc.jwk import KeySet

told = json.loads(Path(sys.argv[1]).read_text())
issuer = f"{told['authority']}/{told['tenant_id']}/v2.0"
client = OAuth2Client(
    told["client_id"],
    told["client_secret"],
    scope="openid profile email offline_access User.Read",
    redirect_uri=told["redirect_uri"],
    code_challenge_method="S256",
)
metadata = httpx.get(f"{issuer}/.well-known/openid-configuration").json()
verifier, nonce = generate_token(48), generate_token(20)
address, state = client.create_authorization_url(
    metadata["authorization_endpoint"], code_verifier=verifier, nonce=nonce
)
print(address, flush=True)
token = client.fetch_token(
    metadata["token_endpoint"], authorization_response=sys.stdin.readline().strip(), state=state, code_verifier=verifier
)
keys = KeySet.import_key_set(httpx.get(metadata["jwks_uri"]).json())
decoded = jwt.decode(token["id_token"], keys)
claims = CodeIDToken(
    decoded.claims,
    decoded.header,
    {"iss": {"value": metadata["issuer"]}, "aud": {"value": told["client_id"]}},
    {"nonce": nonce, "client_id": told["client_id"], "access_token": token["access_token"]},
)
claims.validate()
person = client.get(metadata["userinfo_endpoint"]).json()
again = client.refresh_token(metadata["token_endpoint"])
print(json.dumps({"name": claims["preferred_username"], "same": person["sub"] == claims["sub"], "again": bool(again)}))
