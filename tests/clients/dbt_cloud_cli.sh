# dbt-cloud-cli through the gateway.
set -euo pipefail
export DBT_CLOUD_HOST=$GATEWAY_HOST DBT_CLOUD_API_TOKEN=$KEY DBT_CLOUD_ACCOUNT_ID=$ACCOUNT
has() { python3 -c 'import json, sys; assert eval(sys.argv[1], {"answer": json.load(sys.stdin)}), sys.argv[1]' "$1"; }

dbt-cloud account list | has 'len(answer["data"]) == 1'
dbt-cloud account get | has 'answer["data"]["static_subdomain"] is None'
dbt-cloud project list | has 'len(answer["data"]) > 1'
dbt-cloud job list | has 'len(answer["data"]) > 1'
dbt-cloud job run --job-id "$JOB" --cause 'dbt-cloud-cli through the gateway' --wait -f run.json 2>/dev/null
run=$(python3 -c 'import json; run = json.load(open("run.json"))["data"]; assert run["status"] == 10, run; print(run["id"])')
dbt-cloud run list --limit 5 | has 'len(answer["data"]) == 5'
dbt-cloud run list-artifacts --run-id "$run" | has '"manifest.json" in answer["data"]'
dbt-cloud run get-artifact --run-id "$run" --path manifest.json -f manifest.json
has '"nodes" in answer' <manifest.json
dbt-cloud job run --job-id "$SLOW_JOB" --cause 'to be cancelled' -f slow.json
slow=$(python3 -c 'import json; print(json.load(open("slow.json"))["data"]["id"])')
dbt-cloud run cancel --run-id "$slow" | has 'answer["status"]["is_success"]'
echo "{ environment(id: $ENVIRONMENT) { applied { models(first: 5) { totalCount } } } }" |
  dbt-cloud metadata query | has 'answer["data"]["environment"]["applied"]["models"]["totalCount"] > 0'
