// An administrator's script with @azure/msal-node and @microsoft/microsoft-graph-client: who is there, and a group's life.
import { readFileSync } from "node:fs";
import { ConfidentialClientApplication } from "@azure/msal-node";
import { Client, PageIterator } from "@microsoft/microsoft-graph-client";

const told = JSON.parse(readFileSync(process.argv[2], "utf8"));
const app = new ConfidentialClientApplication({
  auth: {
    clientId: told.client_id,
    clientSecret: told.client_secret,
    authority: `${told.authority}/${told.tenant_id}`,
    knownAuthorities: [new URL(told.authority).host],
  },
});
const scopes = ["https://graph.microsoft.com/.default"];
const { accessToken } = await app.acquireTokenByClientCredential({ scopes });
const client = Client.init({
  authProvider: (done) => done(null, accessToken),
  baseUrl: `${told.graph}/`,
  customHosts: new Set(["localhost"]),
});

let people = 0;
let first = "";
const page = await client.api("/users").select("id").top(120).get();
const each = (user) => { people += 1; first ||= user.id; return true; };
await new PageIterator(client, page, each).iterate();

const name = `strangers-${Date.now()}`;
const group = { displayName: name, mailNickname: name, mailEnabled: false, securityEnabled: true };
const { id } = await client.api("/groups").post(group);
await client.api(`/groups/${id}/members/$ref`).post({ "@odata.id": `${told.graph}/v1.0/directoryObjects/${first}` });
const members = (await client.api(`/groups/${id}/members`).get()).value.map((one) => one.id);
await client.api(`/groups/${id}`).delete();
let gone = "";
try {
  await client.api(`/groups/${id}`).get();
} catch (error) {
  gone = error.code;
}
console.log(JSON.stringify({ people, added: members.includes(first), gone, asked: app.getTokenCache() !== null }));
