// Runs the page's logic in Node against a gateway (`./dev frontend`). Prints the results, or fails.

import { strict as assert } from "node:assert";
import { artifact, exported, failure, follow, projectPages, trigger } from "./flow.js";
import { GatewayError, gatewayAt } from "./gateway.js";

function setting(name: string): string {
  const value = process.env[name];
  assert.ok(value, `${name} is not set`);
  return value;
}

const [account, job, failingJob] = ["ACCOUNT", "JOB", "FAILING_JOB"].map((name) => Number(setting(name)));
assert.ok(account !== undefined && job !== undefined && failingJob !== undefined);
const gateway = gatewayAt(setting("GATEWAY"), setting("KEY"));

const sizes: number[] = [];
const ids = new Set<number>();
for await (const page of projectPages(gateway, account, 4)) {
  sizes.push(page.length);
  for (const project of page) ids.add(project.id);
}
assert.ok(sizes.length > 1 && sizes.slice(0, -1).every((size) => size === 4), `pages of ${sizes}`);
console.log(`projects: ${ids.size} on pages of ${sizes.join(", ")}`);

for (const [which, succeeds] of [[job, true], [failingJob, false]] as const) {
  const started = await trigger(gateway, account, which, "the check of the example frontend");
  const seen: string[] = [];
  const options = { intervalMs: 100, attempts: 1200 };
  const ended = await follow(gateway, account, started.id, (run) => seen.push(run.status_humanized ?? "?"), options);
  assert.equal(ended.is_success, succeeds, `run ${ended.id}: ${seen.join(" ")}`);
  console.log(`run ${ended.id}: ${[...new Set(seen)].join(", ")}`);
  if (!succeeds) {
    const lines = await failure(gateway, account, ended.id);
    assert.ok(lines.some((line) => line.startsWith("fail test.")), lines.join("\n"));
    console.log(lines.join("\n"));
    const bytes = await artifact(gateway, account, ended.id, "run_results.json");
    assert.ok(JSON.parse(new TextDecoder().decode(bytes)).results.length > 0);
    const rows = await exported(gateway, ended.id);
    assert.ok(rows.some((row) => row.request_type === "trigger_job" && row.outcome === "succeeded"));
    console.log(`artifact: ${bytes.length} bytes; log: ${rows.length} lines`);
  }
}

await assert.rejects(
  trigger(gatewayAt(setting("GATEWAY"), "dgw_wrong"), account, job, "without a key"),
  (error) => error instanceof GatewayError && error.problem.status === 401,
);
console.log("a wrong key is refused with a problem");
