"""The alert rules and the dashboard ask for metrics that there are, and the rules fire when they should."""

import json
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

PROMTOOL = shutil.which("promtool")
SERVED = re.compile(r'"(sheaf_[a-z_]+)"')
ASKED = re.compile(r"sheaf_[a-z_]+")
SUFFIXES = ("_total", "_bucket", "_count", "_sum")

CASES: list[tuple[str, str, list[str]]] = [
    ("SheafNoPrimary", "sheaf_mongodb_primary", ["0x20"]),
    ("SheafDeadlines", 'sheaf_problems_total{code="deadline-exceeded"}', ["0+60x20"]),
    ("SheafQuarantineGrows", 'sheaf_quarantined_records{collection="a"}', ["0+100x120"]),
    ("SheafMemberLags", 'sheaf_mongodb_lag_seconds{member="b"}', ["30x20"]),
]


@pytest.fixture(scope="module")
def served(repository: Path) -> set[str]:
    """Return the names of the metrics that there are."""
    names = set(SERVED.findall((repository / "api" / "observe" / "metrics.py").read_text("utf-8")))
    vitals = re.findall(r'"([a-z_]+)": status', (repository / "documents" / "vitals.py").read_text("utf-8"))
    return names | {f"sheaf_mongodb_{name}" for name in vitals}


@pytest.fixture(scope="module")
def rules(repository: Path) -> list[dict[str, Any]]:
    [group] = yaml.safe_load((repository / "deploy" / "prometheus" / "alerts.yaml").read_text("utf-8"))["groups"]
    return group["rules"]


def base(name: str) -> str:
    for suffix in SUFFIXES:
        name = name.removesuffix(suffix)
    return name


def test_rules_have_what_prometheus_wants(rules: list[dict[str, Any]], served: set[str]) -> None:
    assert len({rule["alert"] for rule in rules}) == len(rules)
    for rule in rules:
        assert set(rule) <= {"alert", "expr", "for", "labels", "annotations"}
        assert re.fullmatch(r"\d+[smh]", rule.get("for", "0s"))
        assert rule["labels"]["severity"] in ("critical", "warning")
        assert rule["annotations"]["summary"]
        assert {base(name) for name in ASKED.findall(rule["expr"])} <= served, rule["alert"]
        assert rule["expr"].count("(") == rule["expr"].count(")")


def test_the_dashboard_asks_for_what_there_is(repository: Path, served: set[str]) -> None:
    dashboard = json.loads((repository / "deploy" / "grafana" / "sheaf.json").read_text("utf-8"))
    expressions = [target["expr"] for panel in dashboard["panels"] for target in panel["targets"]]
    assert {base(name) for text in expressions for name in ASKED.findall(text)} <= served
    assert len({panel["id"] for panel in dashboard["panels"]}) == len(dashboard["panels"])


@pytest.mark.skipif(PROMTOOL is None, reason="promtool is not installed; it comes with Prometheus")
@pytest.mark.parametrize(("alert", "series", "values"), CASES)
def test_an_alert_fires(repository: Path, tmp_path: Path, alert: str, series: str, values: list[str]) -> None:
    assert PROMTOOL is not None
    requests = {"series": "sheaf_requests_total", "values": "0+600x120"}
    test = {
        "interval": "1m",
        "input_series": [requests, *({"series": series, "values": value} for value in values)],
        "promql_expr_test": [
            {
                "expr": f'count(ALERTS{{alertname="{alert}",alertstate="firing"}})',
                "eval_time": "20m",
                "exp_samples": [{"labels": "{}", "value": 1}],
            }
        ],
    }
    rules = str(repository / "deploy" / "prometheus" / "alerts.yaml")
    file = tmp_path / "test.yaml"
    file.write_text(yaml.safe_dump({"rule_files": [rules], "evaluation_interval": "1m", "tests": [test]}))
    done = subprocess.run([PROMTOOL, "test", "rules", str(file)], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
