// Leads a program for Node through the proxy of the environment, which Node before 22.21 does not look at by itself.
import https from "node:https";
import { HttpsProxyAgent } from "https-proxy-agent";

https.globalAgent = new HttpsProxyAgent(process.env.HTTPS_PROXY);
