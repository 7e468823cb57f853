// A website that signs people in with openid-client: prints where to send the person, reads where they came back to.
import { readFileSync } from "node:fs";
import { createInterface } from "node:readline/promises";
import * as client from "openid-client";

const told = JSON.parse(readFileSync(process.argv[2], "utf8"));
const issuer = new URL(`${told.authority}/${told.tenant_id}/v2.0`);
const config = await client.discovery(issuer, told.client_id, told.client_secret);
const pkceCodeVerifier = client.randomPKCECodeVerifier();
const expectedState = client.randomState();
const expectedNonce = client.randomNonce();
const address = client.buildAuthorizationUrl(config, {
  redirect_uri: told.redirect_uri,
  scope: "openid profile email offline_access User.Read",
  code_challenge: await client.calculatePKCECodeChallenge(pkceCodeVerifier),
  code_challenge_method: "S256",
  state: expectedState,
  nonce: expectedNonce,
});
console.log(address.href);

const input = createInterface({ input: process.stdin });
const back = (await input[Symbol.asyncIterator]().next()).value;
const checks = { pkceCodeVerifier, expectedState, expectedNonce, idTokenExpected: true };
const tokens = await client.authorizationCodeGrant(config, new URL(back), checks);
const claims = tokens.claims();
const person = await client.fetchUserInfo(config, tokens.access_token, claims.sub);
const again = await client.refreshTokenGrant(config, tokens.refresh_token);
console.log(JSON.stringify({ name: claims.preferred_username, same: person.sub === claims.sub, again: !!again.access_token }));
input.close();
