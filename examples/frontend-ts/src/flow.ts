// What the page does, without the page: list the projects, start a run, follow it, and say why it failed.

import { type Gateway, type Project, type Run, unwrap } from "./gateway.js";

/** All projects of an account, a page at a time. */
export async function* projectPages(gateway: Gateway, account: number, pageSize: number): AsyncGenerator<Project[]> {
  for (let page = 1; ; page += 1) {
    const query = { account_id: account, page, page_size: pageSize };
    const list = unwrap(await gateway.GET("/projects", { params: { query } }));
    yield list.results;
    // `next` is null or absent on the last page.
    if (!list.next) return;
  }
}

/** Starts a run. Sent once: after an error the run may have started, so look before you press again. */
export async function trigger(gateway: Gateway, account: number, job: number, cause: string): Promise<Run> {
  return unwrap(
    await gateway.POST("/jobs/{job_id}/runs", {
      params: { path: { job_id: job }, query: { account_id: account } },
      body: { cause },
    }),
  );
}

/** Reads the run every `intervalMs` until it has ended, or `attempts` times. */
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
    // A run that was started a moment ago may not be visible yet.
    if (answer.response.status !== 404 || attempt > 5) {
      const now = unwrap(answer);
      seen(now);
      if (now.is_complete) return now;
    }
    await new Promise((wake) => setTimeout(wake, intervalMs));
  }
  throw new Error(`run ${run} has not ended after ${attempts} looks`);
}

/** Why the run failed, line by line: the step, the nodes that failed in it, the end of its log, and what is not to be had. */
export async function failure(gateway: Gateway, account: number, run: number): Promise<string[]> {
  const params = { path: { run_id: run }, query: { account_id: account } };
  const why = unwrap(await gateway.GET("/runs/{run_id}/failure", { params }));
  const lines = [`Run ${why.run_id} ${why.verdict}${why.step?.name ? `: ${why.step.name}` : ""}`];
  for (const node of why.results?.failed ?? []) {
    lines.push(`${node.status ?? "failed"} ${node.unique_id ?? "a node"}: ${node.message?.text ?? "no message"}`);
  }
  const untold = (why.results?.failed_count ?? 0) - (why.results?.failed.length ?? 0);
  if (untold > 0) lines.push(`and ${untold} more`);
  lines.push(...(why.log_tail?.text.split("\n").slice(-20) ?? []));
  lines.push(...why.not_available.map((missing) => `(${missing.what}: ${missing.why})`));
  if (why.href) lines.push(why.href);
  return lines;
}
