// The page: a form with the gateway's address and a key, the projects, and a run.

import { failure, follow, projectPages, trigger } from "./flow.js";
import { gatewayAt } from "./gateway.js";

function element<T extends HTMLElement>(id: string, kind: new () => T): T {
  const found = document.getElementById(id);
  if (!(found instanceof kind)) throw new Error(`the page has no ${id}`);
  return found;
}

const form = element("form", HTMLFormElement);
const list = element("projects", HTMLUListElement);
const status = element("status", HTMLParagraphElement);
const reason = element("failure", HTMLPreElement);

function field(name: string): string {
  return String(new FormData(form).get(name) ?? "").trim();
}

function connection() {
  return { gateway: gatewayAt(field("gateway"), field("key")), account: Number(field("account")) };
}

function say(text: string): void {
  status.textContent = text;
}

async function guarded(work: () => Promise<void>): Promise<void> {
  try {
    await work();
  } catch (error) {
    say(error instanceof Error ? error.message : String(error));
  }
}

async function showProjects(): Promise<void> {
  const { gateway, account } = connection();
  list.replaceChildren();
  for await (const page of projectPages(gateway, account, 50)) {
    for (const project of page) {
      const entry = document.createElement("li");
      entry.textContent = `${project.name ?? "(no name)"} (${project.id})`;
      list.append(entry);
    }
    say(`${list.childElementCount} projects`);
  }
}

async function run(): Promise<void> {
  const { gateway, account } = connection();
  reason.textContent = "";
  const started = await trigger(gateway, account, Number(field("job")), "Started from the example page");
  const ended = await follow(gateway, account, started.id, (now) => say(`Run ${now.id}: ${now.status_humanized ?? "?"}`));
  if (!ended.is_success) reason.textContent = (await failure(gateway, account, ended.id)).join("\n");
}

element("list", HTMLButtonElement).addEventListener("click", () => void guarded(showProjects));
element("trigger", HTMLButtonElement).addEventListener("click", () => void guarded(run));
