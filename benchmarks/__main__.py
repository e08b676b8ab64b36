"""`python -m benchmarks`: measure Sheaf beside its peers, on this machine, in one run."""

import argparse
import signal
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Never

from benchmarks.contender import CONTENDERS, RESTHEART_JAR, Contender, find_contenders
from benchmarks.load import require_wrk
from benchmarks.process import BenchError
from benchmarks.publish import publish
from benchmarks.rounds import Bench
from benchmarks.turn import Plan
from benchmarks.workload import WORKLOADS, Workload

RESULTS: Final = Path(__file__).parent / "results"
EPILOG: Final = f"""\
What happens: the peers are installed into benchmarks/.cache at pinned versions, a mongod of the benchmark's own is
started there, and then, round by round, each contender in turn: started with one worker, asked one question of each
kind to see that it answers rightly, warmed up, measured, stopped. The order rotates from round to round. Everything
listens on 127.0.0.1 only, and everything is stopped at the end.

contenders: {", ".join(each.name for each in CONTENDERS)}
  (restheart only where {RESTHEART_JAR} names its jar)
workloads:  {", ".join(each.name for each in WORKLOADS)}

examples:
  python -m benchmarks                                          all of it: about half an hour
  python -m benchmarks --quick                                  the essentials, in three minutes
  python -m benchmarks --peers eve --workloads get-64 insert-64 Sheaf beside Eve on two workloads
  python -m benchmarks.goals                                    what was promised, and whether it was kept
"""


@dataclass(frozen=True, kw_only=True)
class Choice:
    """What was asked for."""

    name: str
    contenders: tuple[Contender, ...]
    workloads: tuple[Workload, ...]
    rounds: int
    plan: Plan


def parse(arguments: list[str] | None = None) -> Choice:
    """Return what the command line asks for."""
    options = _make_parser().parse_args(arguments)
    quick: bool = options.quick
    return Choice(
        name=options.name or ("quick" if quick else "full"),
        contenders=_choose_contenders(options.peers, is_quick=quick),
        workloads=tuple(
            each
            for each in WORKLOADS
            if (each.name in options.workloads if options.workloads else each.is_essential or not quick)
        ),
        rounds=options.rounds or (1 if quick else 3),
        plan=Plan(seconds=options.seconds or (2 if quick else 3), warmup_seconds=1 if quick else 2),
    )


def _make_parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks",
        description=__doc__,
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    peers = [each.name for each in find_contenders()]
    add = parser.add_argument
    add("--quick", action="store_true", help="the essential contenders and workloads, one short round")
    add("--peers", nargs="+", choices=peers, metavar="NAME", help="only these, beside Sheaf")
    add("--workloads", nargs="+", choices=[each.name for each in WORKLOADS], metavar="NAME", help="only these")
    add("--rounds", type=_positive, metavar="N", help="times that each is measured; the median counts (3, quick 1)")
    add("--seconds", type=_positive, metavar="N", help="how long each is measured for (3, quick 2)")
    add("--name", metavar="NAME", help="name of the files in benchmarks/results (full, quick)")
    return parser


def _positive(text: str) -> int:
    number = int(text)
    if number < 1:
        raise argparse.ArgumentTypeError("must be 1 or more")
    return number


def _choose_contenders(names: list[str] | None, *, is_quick: bool) -> tuple[Contender, ...]:
    if names:
        return tuple(each for each in find_contenders() if each.name in {"sheaf", *names})
    return tuple(each for each in find_contenders() if each.is_essential or not is_quick)


def _stop(number: int, _: object) -> Never:
    # Unwinds, so that every process is stopped on the way out.
    sys.exit(128 + number)


def main() -> int:
    """Measure, and write the results."""
    choice = parse()
    signal.signal(signal.SIGTERM, _stop)
    signal.signal(signal.SIGHUP, _stop)
    try:
        wrk = require_wrk()
        bench = Bench(contenders=choice.contenders, workloads=choice.workloads, rounds=choice.rounds, plan=choice.plan)
        print(publish(bench.measure({"wrk": wrk}), RESULTS / choice.name))
    except BenchError as error:
        print(error, file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("Stopped; nothing was written.", file=sys.stderr)
        return 130
    return 0


if __name__ == "__main__":
    sys.exit(main())
