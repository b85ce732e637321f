"""Renews the artifacts in this folder by running dbt on `project/` in a temporary directory.

Needs `dbt` (dbt-core and dbt-duckdb) on the PATH; nothing else of the repository uses Python. Local paths and the built-in
macros of dbt are removed: the manifest shrinks from half a megabyte to a tenth.
"""

import json
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

HERE = Path(__file__).resolve().parent
ENV = {**os.environ, "DBT_PROFILES_DIR": ".", "DBT_SEND_ANONYMOUS_USAGE_STATS": "false", "NO_COLOR": "1"}


def main() -> None:
    with tempfile.TemporaryDirectory() as scratch:
        shop = Path(scratch) / "shop"
        shutil.copytree(HERE / "project", shop)

        def dbt(*args: str, fails: bool = False) -> None:
            done = subprocess.run(["dbt", "--no-use-colors", *args], cwd=shop, env=ENV, capture_output=True, text=True)
            if (done.returncode != 0) != fails:
                sys.exit(f"dbt {' '.join(args)} ended with {done.returncode}\n{done.stdout}{done.stderr}")

        def keep(name: str, to: str) -> None:
            text = (shop / "target" / name).read_text()
            (HERE / to).write_text(json.dumps(trimmed(json.loads(text), str(shop)), indent=1, sort_keys=True) + "\n")

        dbt("seed")
        dbt("source", "freshness")
        keep("sources.json", "sources.json")
        dbt("build", fails=True)
        keep("run_results.json", "run_results.failed.json")
        dbt("build", "--exclude", "not_null_stg_customers_email")
        keep("run_results.json", "run_results.build.json")
        keep("manifest.json", "manifest.json")
        compiled = shop / "target" / "compiled" / "acme_shop" / "models" / "marts" / "customers.sql"
        shutil.copy(compiled, HERE / "customers.sql")
        dbt("docs", "generate")
        keep("run_results.json", "run_results.docs.json")
        keep("catalog.json", "catalog.json")


def trimmed(found: dict, shop: str) -> dict:
    found.get("metadata", {}).pop("user_id", None)
    found.get("metadata", {})["env"] = {}
    for name in ("macros", "docs"):
        if name in found:
            found[name] = {key: value for key, value in found[name].items() if ".acme_shop." in key}
    found.get("args", {}).pop("invocation_command", None)
    text = json.dumps(found).replace(str(Path(shop).resolve()), ".").replace(shop, ".")
    return json.loads(text)


if __name__ == "__main__":
    main()
