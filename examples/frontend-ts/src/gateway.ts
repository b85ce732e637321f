// The client of the gateway. Its types are generated from /openapi.json: an unknown route or field does not compile.

import createClient, { type Client } from "openapi-fetch";
import type { components, paths } from "./generated/gateway.js";

export type Project = components["schemas"]["Project"];
export type Run = components["schemas"]["Run"];
export type LoggedRequest = components["schemas"]["RequestLog"];
export type Problem = components["schemas"]["Problem"];
export type Gateway = Client<paths>;

/** A problem that the gateway answered. */
export class GatewayError extends Error {
  constructor(readonly problem: Problem) {
    super(`${problem.title}: ${problem.detail} (request ${problem.request_uuid})`);
  }
}

/** A client for a gateway. */
export function gatewayAt(baseUrl: string, key: string): Gateway {
  return createClient<paths>({ baseUrl, headers: { Authorization: `Bearer ${key}` } });
}

/** Returns the answer's data or throws its problem. */
export function unwrap<T>(answer: { data?: T; error?: Problem }): T {
  if (answer.error !== undefined) throw new GatewayError(answer.error);
  if (answer.data === undefined) throw new Error("the gateway answered without data");
  return answer.data;
}
