import json
import re
from itertools import pairwise
from typing import Any, cast
from urllib.parse import parse_qs, urlsplit

import bson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from benchmarks import goals, install
from benchmarks.__main__ import parse
from benchmarks.client import Client
from benchmarks.contender import CONTENDERS, RESTHEART_JAR, SHEAF
from benchmarks.database import find_mongod
from benchmarks.dataset import category_of, id_of, insert_body, make_documents, make_fields
from benchmarks.deep_page import is_indexed, list_stages
from benchmarks.install import PEERS, Environment
from benchmarks.load import SCRIPT, Load, Order, parse_wrk, script_arguments
from benchmarks.machine import describe_machine, read_busy_seconds
from benchmarks.process import BenchError, run
from benchmarks.report import format_rate, render, render_table
from benchmarks.request import PLACEHOLDER, Request
from benchmarks.result import Named, Outcome, Report, Sample, percentile, read_report, summarise, write_report
from benchmarks.rounds import rotate
from benchmarks.turn import Costs, choose, make_sample
from benchmarks.walk import walk
from benchmarks.workload import MIX, WORKLOADS, Action

SPEAKING = [each for each in CONTENDERS if each.dialect]


def make_run(rate: float = 100.0, **changes: Any) -> Sample:
    values: dict[str, Any] = {
        "requests": 500,
        "seconds": 5.0,
        "requests_per_second": rate,
        "p50_ms": 10.0,
        "p99_ms": 20.0,
        "server_cpu_us": 300.0,
        "mongod_cpu_us": 100.0,
        "load_cpu_us": 20.0,
        "busy_share": 0.9,
        "others_share": 0.01,
        "idle_rss_bytes": 80_000_000,
        "peak_rss_bytes": 120_000_000,
        "errors": 0,
    }
    return Sample(**values | changes)


def make_report(**runs: list[Sample]) -> Report:
    """Return a report of the workload get-64."""
    return Report(
        date="2026-11-23T00:00:00+00:00",
        machine={"processor": "one", "cores": 2},
        settings={"rounds": 3},
        versions={"mongod": "6.0.5"},
        contenders=tuple(Named(name=name, title=name.title(), note="As is.") for name in runs),
        workloads=(Named(name="get-64", title="get by id"),),
        outcomes=tuple(Outcome(contender=name, workload="get-64", samples=tuple(each)) for name, each in runs.items()),
    )


# Statistics


@given(st.lists(st.floats(0, 1e6), min_size=1), st.integers(1, 100))
def test_a_percentile_is_the_smallest_value_that_covers_the_percentage(values: list[float], percent: int) -> None:
    found = percentile(sorted(values), percent)
    assert sum(value <= found for value in values) * 100 >= percent * len(values)
    assert sum(value < found for value in values) * 100 < percent * len(values)


def test_a_percentile_of_nothing_is_zero() -> None:
    assert percentile([], 50) == 0


def test_each_number_has_its_own_median() -> None:
    found = summarise([make_run(10, p50_ms=3), make_run(30, p50_ms=1), make_run(20, p50_ms=2)])
    assert found == make_run(20, p50_ms=2)


def test_a_run_with_errors_does_not_count() -> None:
    outcome = Outcome(
        contender=SHEAF, workload="get-64", samples=(make_run(9000, errors=1), make_run(10), make_run(12))
    )
    assert outcome.median
    assert outcome.median.requests_per_second == 11


def test_there_is_no_median_where_every_run_had_errors() -> None:
    assert Outcome(contender=SHEAF, workload="get-64", samples=(make_run(errors=3),)).median is None


def test_a_sample_spreads_the_cost_over_the_requests() -> None:
    sample = make_sample(
        Load(requests=1000, seconds=2.0, p50_ms=1, p99_ms=2, cpu_seconds=0.1),
        Costs(server_seconds=0.5, mongod_seconds=0.2, machine_seconds=0.9, idle_rss_bytes=1_000, peak_rss_bytes=2_000),
    )
    assert (sample.requests_per_second, sample.server_cpu_us, sample.mongod_cpu_us) == (500, 500, 200)
    assert sample.others_share / sample.busy_share == pytest.approx(0.1 / 0.8)


def test_a_load_without_answers_is_a_failure() -> None:
    costs = Costs(server_seconds=0, mongod_seconds=0, machine_seconds=0, idle_rss_bytes=0, peak_rss_bytes=0)
    with pytest.raises(BenchError, match="No request"):
        make_sample(Load(requests=0, seconds=2.0, p50_ms=0, p99_ms=0), costs)


# The result and what is made of it


def test_a_report_survives_its_file(tmp_path: Any) -> None:
    report = make_report(sheaf=[make_run(400), make_run(420)], eve=[make_run(100)])
    write_report(report, tmp_path / "results" / "full.json")
    assert read_report(tmp_path / "results" / "full.json") == report


def test_the_file_holds_the_medians_for_whoever_reads_it(tmp_path: Any) -> None:
    write_report(make_report(sheaf=[make_run(400), make_run(420)]), tmp_path / "full.json")
    raw = json.loads((tmp_path / "full.json").read_text())
    assert raw["outcomes"][0]["median"]["requests_per_second"] == 410


def test_the_page_shows_ratios_and_what_failed() -> None:
    report = make_report(sheaf=[make_run(400)], eve=[make_run(100)], parse_server=[])
    report = report.model_copy(
        update={
            "outcomes": (
                *report.outcomes[:2],
                Outcome(contender="parse_server", workload="get-64", failures=("It ended\nat once.",)),
            )
        }
    )
    page = render(report)
    assert re.search(r"\| Eve +\| 100 +\| 4.00 x ", page)
    assert re.search(r"\| Parse_Server +\| failed ", page)
    assert "- parse_server, get-64: It ended at once." in page


def test_a_table_is_aligned() -> None:
    lines = render_table(("a", "long header"), [["some text", "b"]]).splitlines()
    assert len({len(line) for line in lines}) == 1


@pytest.mark.parametrize(("rate", "text"), [(1234.5, "1,234"), (12.3, "12"), (3.25, "3.25")])
def test_a_rate_keeps_the_digits_that_matter(rate: float, text: str) -> None:
    assert format_rate(rate) == text


# Goals


def test_a_goal_is_judged_by_the_medians() -> None:
    report = make_report(sheaf=[make_run(400)], textbook_beanie=[make_run(99)], eve=[make_run(101)])
    verdicts = {each.goal.title: each.holds for each in goals.judge(report)}
    assert verdicts["get-64: requests/s over textbook_beanie"] is True
    assert verdicts["get-64: requests/s over eve"] is False
    assert verdicts["get-64: requests/s over raw_driver"] is None


def test_a_ceiling_is_a_goal_too() -> None:
    report = make_report(sheaf=[make_run(p99_ms=9, idle_rss_bytes=130_000_000)], textbook_beanie=[make_run(p50_ms=10)])
    verdicts = {each.goal.title: each for each in goals.judge(report)}
    assert verdicts["get-64: p99 over p50 of textbook_beanie"].holds is True
    assert verdicts["memory of an idle worker"].holds is False
    assert verdicts["memory of an idle worker"].value == 130


def test_two_workers_are_held_against_one() -> None:
    report = make_report(sheaf=[make_run(100)], sheaf_two_workers=[make_run(170)])
    verdict = next(each for each in goals.judge(report) if each.goal.title.startswith("get-64: requests/s of two"))
    assert verdict.value == pytest.approx(1.7)


def test_every_goal_is_about_something_measured() -> None:
    names = {each.name for each in CONTENDERS}
    workloads = {each.name for each in WORKLOADS}
    assert all(workload in workloads and peer in names for workload, peer, _ in goals.RATIOS)
    assert "MISSED" in goals.render(goals.judge(make_report(sheaf=[make_run(1)], eve=[make_run(1)])))


# Requests and load


def test_a_request_is_filled_where_values_are_known() -> None:
    request = Request("GET", "/items/@id@?c=@cursor@").fill({"id": "7"})
    assert request.path == "/items/7?c=@cursor@"


@pytest.mark.parametrize("contender", SPEAKING, ids=lambda each: each.name)
def test_a_dialect_says_every_action(contender: Any) -> None:
    for action in Action:
        templates = contender.dialect.templates(action)
        assert sum(share for share, _ in templates) == 100
        assert all(request.path.startswith("/") for _, request in templates)


def test_the_script_knows_every_placeholder_but_those_filled_beforehand() -> None:
    known = set(re.findall(r"^   (\w+) = function", SCRIPT.read_text(), re.MULTILINE))
    used = {
        name
        for contender in SPEAKING
        if contender.dialect
        for request in contender.dialect.requests.values()
        for name in PLACEHOLDER.findall(request.path + request.body)
    }
    assert used - {"cursor"} <= known


def test_the_mix_adds_up() -> None:
    assert sum(share for share, _ in MIX) == 100


def test_the_script_is_given_five_words_a_template() -> None:
    templates = [(80, Request("GET", "/a")), (20, Request("POST", "/b", "{}", {"A": "1", "B": "2"}))]
    words = script_arguments(templates, Order(WORKLOADS[0], seconds=1, seed=3))
    assert words[:2] == ["3", "1000"]
    assert words[4:] == ["80", "GET", "/a", "", "", "20", "POST", "/b", "A: 1\nB: 2", "{}"]


RESULT = {
    "requests": 900,
    "microseconds": 2_000_000,
    "p50_microseconds": 1500,
    "p99_microseconds": 2500,
    "connect": 0,
    "read": 1,
    "write": 0,
    "status": 2,
    "timeout": 3,
}


def test_what_wrk_prints_is_read() -> None:
    load = parse_wrk(f"Running 2s test\nRESULT {json.dumps(RESULT)}\n", cpu_seconds=0.5)
    assert load == Load(requests=900, seconds=2.0, p50_ms=1.5, p99_ms=2.5, errors=6, cpu_seconds=0.5)


def test_wrk_without_a_result_is_a_failure() -> None:
    with pytest.raises(BenchError, match="unable to connect"):
        parse_wrk("unable to connect to 127.0.0.1:1")


# Documents, peers, plans


def test_documents_are_of_about_400_bytes_and_in_the_order_of_their_ids() -> None:
    sizes = [len(bson.encode(document)) for document in make_documents(range(50))]
    assert make_documents(range(7, 9)) == make_documents(range(50))[7:9], "the same, whoever asks for them"
    assert all(380 <= size <= 480 for size in sizes)
    assert all(before < after for before, after in pairwise(map(id_of, range(500))))


def test_an_insert_is_a_document_with_a_number_to_be_filled_in() -> None:
    body = json.loads(Request("POST", "/", insert_body()).fill({"n": "12"}).body)
    assert body == make_fields(0) | {"name": "Item 12", "sku": "SKU-12"}
    assert body["category"] == category_of(0)


@pytest.mark.parametrize("name", sorted(each.name for each in PEERS.iterdir()))
def test_a_peer_is_pinned_with_hashes_and_without_addresses(name: str) -> None:
    (contender,) = [each for each in CONTENDERS if each.name == name]
    lock = {Environment.PYTHON: "requirements.txt", Environment.NODE: "package-lock.json"}[contender.environment]
    pins = (PEERS / name / lock).read_text()
    assert not re.search(r'"resolved":|-index-url|@ https?:', pins)
    assert "sha512-" in pins or "--hash=sha256:" in pins
    assert contender.versions()


def test_every_peer_that_is_installed_has_a_folder() -> None:
    installed = {each.name for each in CONTENDERS if each.environment in {Environment.PYTHON, Environment.NODE}}
    assert installed == {each.name for each in PEERS.iterdir()}


def test_pins_are_read_with_their_markers_and_hashes_left_out() -> None:
    text = "uvloop==0.23.0 ; sys_platform != 'win32' \\\n    --hash=sha256:00\n# via x\npymongo==4.20.0 \\\n"
    assert install.read_pins(text) == {"uvloop": "0.23.0", "pymongo": "4.20.0"}


PLAN = {"stage": "LIMIT", "inputStage": {"stage": "FETCH", "inputStage": {"stage": "IXSCAN"}}}


def test_the_stages_of_a_plan_are_listed_from_outside() -> None:
    assert list_stages(PLAN) == ["LIMIT", "FETCH", "IXSCAN"]
    assert list_stages({"queryPlan": PLAN, "slotBasedPlan": {}}) == ["LIMIT", "FETCH", "IXSCAN"]


@pytest.mark.parametrize(
    ("stages", "keys", "holds"),
    [
        (["LIMIT", "FETCH", "IXSCAN"], 101, True),
        (["LIMIT", "FETCH", "IXSCAN"], 1_000_000, False),
        (["SORT", "FETCH", "IXSCAN"], 100, False),
        (["LIMIT", "COLLSCAN"], 0, False),
    ],
)
def test_a_plan_is_indexed_where_it_looks_at_what_it_returns(stages: list[str], keys: int, *, holds: bool) -> None:
    assert is_indexed({"stages": stages, "keys_examined": keys, "returned": 100}) is holds


class Shelf:
    """Answers as Sheaf does to a walk: pages of at most `limit`, cursors that are numbers."""

    def __init__(self, size: int, limit: int) -> None:
        self.size, self.limit = size, limit

    def send(self, request: Request) -> dict[str, Any]:
        query = {name: value[0] for name, value in parse_qs(urlsplit(request.path).query).items()}
        limit, start = int(query["limit"]), int(query.get("cursor", 0))
        if limit > self.limit:
            raise BenchError("limit is too large")
        end = min(start + limit, self.size)
        return {"items": list(range(start, end)), "next": str(end) if end < self.size else None}


@pytest.mark.parametrize("limit", [100, 1000])
def test_the_walk_ends_where_the_deep_page_begins(limit: int) -> None:
    assert walk(cast(Client, Shelf(10_000, limit)), documents=9_900) == "9900"


def test_a_walk_past_the_end_is_a_failure() -> None:
    with pytest.raises(BenchError, match="ends 400 documents before"):
        walk(cast(Client, Shelf(600, 1000)), documents=1000)


# The command


def test_quick_takes_the_essentials() -> None:
    choice = parse(["--quick"])
    assert {each.name for each in choice.contenders} == {"sheaf", "textbook_beanie", "eve", "raw_driver"}
    assert choice.name == "quick"
    assert all(each.is_essential for each in choice.workloads)
    assert (choice.rounds, choice.plan.seconds) == (1, 2)


def test_all_of_it_is_the_default(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(RESTHEART_JAR, raising=False)
    choice = parse([])
    assert {each.name for each in choice.contenders} == {each.name for each in CONTENDERS} - {"restheart"}
    assert choice.workloads == WORKLOADS
    monkeypatch.setenv(RESTHEART_JAR, "/opt/restheart.jar")
    assert len(parse([]).contenders) == len(CONTENDERS)


def test_sheaf_is_always_there() -> None:
    choice = parse(["--peers", "eve", "--workloads", "get-64", "--rounds", "2", "--seconds", "7"])
    assert [each.name for each in choice.contenders] == ["sheaf", "eve"]
    assert (choice.rounds, choice.plan.seconds, len(choice.workloads)) == (2, 7, 1)


def test_a_contender_runs_only_what_it_can() -> None:
    raw = next(each for each in CONTENDERS if each.name == "raw_driver")
    two = next(each for each in CONTENDERS if each.name == "sheaf_two_workers")
    assert Action.DEEP not in {each.action for each in choose(raw, WORKLOADS)}
    assert [each.name for each in choose(two, WORKLOADS)] == ["get-64", "insert-64"]


def test_rounds_rotate() -> None:
    assert [rotate("abc", by) for by in range(4)] == [list("abc"), list("bca"), list("cab"), list("abc")]
    assert rotate([], 1) == []


# Processes


def test_a_process_and_its_children_are_measured_and_stopped(tmp_path: Any) -> None:
    script = "sleep 60 & i=0; while [ $i -lt 20000 ]; do i=$((i+1)); done; echo up; wait"
    with run("shell", ["sh", "-c", script], log=tmp_path / "shell.log") as child:
        child.wait_until(lambda: child.tail() == "up", seconds=20)
        child.wait_until(lambda: len(child.find_pids()) == 2, seconds=20)
        assert child.cpu_seconds() > 0
        child.reset_peak()
        assert 0 < child.rss_bytes() <= child.peak_rss_bytes()
    assert child.process.returncode is not None


def test_a_process_that_ends_early_is_reported_with_its_last_words(tmp_path: Any) -> None:
    with (
        pytest.raises(BenchError, match="no such thing"),
        run("shell", ["sh", "-c", "echo no such thing; exit 3"], log=tmp_path / "shell.log") as child,
    ):
        child.wait_until(lambda: False, seconds=20)


def test_a_contender_sees_no_setting_of_ours(tmp_path: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SHEAF_PORT", "1")
    with run("env", ["env"], log=tmp_path / "env.log", environment={"SHEAF_DATABASE": "bench"}) as child:
        child.process.wait(20)
    assert re.findall(r"^SHEAF_\w+=.*", (tmp_path / "env.log").read_text(), re.MULTILINE) == ["SHEAF_DATABASE=bench"]


def test_the_machine_is_described() -> None:
    assert describe_machine()["cores"]
    assert read_busy_seconds() > 0
    assert find_mongod().name == "mongod"
