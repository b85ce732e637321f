// The client of the gateway: its types are generated from /openapi.json, so a call that the document does not have, or a
// field that an answer does not have, does not compile.

import createClient, { type Client } from "openapi-fetch";
import type { components, paths } from "./generated/gateway.js";

export type Project = components["schemas"]["ProjectView"];
export type Run = components["schemas"]["RunView"];
export type Problem = components["schemas"]["Problem"];
export type Gateway = Client<paths>;

/** What went wrong, with the gateway's own words. */
export class GatewayError extends Error {
  constructor(readonly problem: Problem) {
    super(`${problem.title}: ${problem.detail} (request ${problem.request_uuid})`);
  }
}

/** A client for the gateway at that address, with that key. */
export function gatewayAt(baseUrl: string, key: string): Gateway {
  return createClient<paths>({ baseUrl, headers: { Authorization: `Bearer ${key}` } });
}

/** The answer's data, or its problem as an error. */
export function unwrap<T>(answer: { data?: T; error?: Problem }): T {
  if (answer.error !== undefined) throw new GatewayError(answer.error);
  if (answer.data === undefined) throw new Error("the gateway answered without data");
  return answer.data;
}
