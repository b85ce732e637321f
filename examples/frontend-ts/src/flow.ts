// The page's logic without its elements: list projects, start a run, follow it, explain a failure.

import { type Gateway, type LoggedRequest, type Project, type Run, unwrap } from "./gateway.js";

/** The projects of an account, page by page. */
export async function* projectPages(gateway: Gateway, account: number, pageSize: number): AsyncGenerator<Project[]> {
  for (let page = 1; ; page += 1) {
    const query = { account_id: account, page, page_size: pageSize };
    const list = unwrap(await gateway.GET("/projects", { params: { query } }));
    yield list.results;
    // `next` is null or absent on the last page.
    if (!list.next) return;
  }
}

/** Starts a run. A repeat with the same `key` gets the first answer and starts nothing. */
export async function trigger(
  gateway: Gateway,
  account: number,
  job: number,
  cause: string,
  key: string = crypto.randomUUID(),
): Promise<Run> {
  const started = unwrap(
    await gateway.POST("/jobs/{job_id}/runs", {
      params: { path: { job_id: job }, query: { account_id: account }, header: { "idempotency-key": key } },
      body: { cause },
    }),
  );
  // Only a request with `dry_run` gets a preview.
  if (!("id" in started)) throw new Error("a preview instead of a run");
  return started;
}

/** Reads the run every `intervalMs` until it has ended, at most `attempts` times. */
export async function follow(
  gateway: Gateway,
  account: number,
  run: number,
  seen: (run: Run) => void,
  { intervalMs = 2000, attempts = 1800 } = {},
): Promise<Run> {
  for (let attempt = 0; attempt < attempts; attempt += 1) {
    const params = { path: { run_id: run }, query: { account_id: account } };
    const answer = await gateway.GET("/runs/{run_id}", { params });
    // A new run may not be visible yet.
    if (answer.response.status !== 404 || attempt > 5) {
      const now = unwrap(answer);
      seen(now);
      if (now.is_complete) return now;
    }
    await new Promise((wake) => setTimeout(wake, intervalMs));
  }
  throw new Error(`run ${run} has not ended after ${attempts} reads`);
}

/** Why the run failed, as lines: the step, its failed nodes, the end of its log, and what is not available. */
export async function failure(gateway: Gateway, account: number, run: number): Promise<string[]> {
  const params = { path: { run_id: run }, query: { account_id: account } };
  const why = unwrap(await gateway.GET("/runs/{run_id}/failure", { params }));
  const lines = [`Run ${why.run_id} ${why.verdict}${why.step?.name ? `: ${why.step.name}` : ""}`];
  for (const node of why.results?.failed ?? []) {
    lines.push(`${node.status ?? "failed"} ${node.unique_id ?? "a node"}: ${node.message?.text ?? "no message"}`);
  }
  const omitted = (why.results?.failed_count ?? 0) - (why.results?.failed.length ?? 0);
  if (omitted > 0) lines.push(`and ${omitted} more`);
  lines.push(...(why.log_tail?.text.split("\n").slice(-20) ?? []));
  lines.push(...why.not_available.map((missing) => `(${missing.what}: ${missing.why})`));
  if (why.href) lines.push(why.href);
  return lines;
}

/** A file that the run wrote, byte for byte. */
export async function artifact(gateway: Gateway, account: number, run: number, path: string): Promise<Uint8Array> {
  const params = { path: { run_id: run, path }, query: { account_id: account, step: "results" } };
  const answer = await gateway.GET("/runs/{run_id}/artifacts/{path}", { params, parseAs: "arrayBuffer" });
  if (!answer.response.ok || answer.data === undefined) throw new Error(`no ${path}: ${answer.response.status}`);
  return new Uint8Array(answer.data as unknown as ArrayBuffer);
}

/** The rows of the request log about a run, as lines of JSON. */
export async function exported(gateway: Gateway, run: number): Promise<LoggedRequest[]> {
  const params = { query: { run_id: run } };
  const lines = unwrap(await gateway.GET("/request-logs/export", { params, parseAs: "text" }));
  return lines.split("\n").filter(Boolean).map((line) => JSON.parse(line) as LoggedRequest);
}
