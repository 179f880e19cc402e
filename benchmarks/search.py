"""Searches compared: ``python -m benchmarks.search record``, ``replay`` and ``real``."""

from __future__ import annotations

import argparse
import os
from collections.abc import Iterator, Mapping
from concurrent.futures import Executor, ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path

from benchmarks import search_real
from benchmarks.measure import ROOT, rewrite_section
from benchmarks.search_oracles import Surrogate, networks
from benchmarks.search_record import TABLE, read_table, record
from benchmarks.search_replay import ENOUGH, FEWEST, TIMES, Replayed, halves, replay_all, winner
from brainage.system.tasks import count_cores

_TITLE = "Replayed searches"


def main() -> None:
    """Record pieces of the table, replay strategies on it, or run real searches."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.search", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    recording = commands.add_parser("record", help="train random networks, and add them to the table")
    recording.add_argument("--folder", type=Path, default=Path("outputs/bench/search"), help="where they are trained")
    recording.add_argument("--pieces", type=int, nargs="+", default=list(range(20)), help="pieces (default: 0 to 19)")
    replaying = commands.add_parser("replay", help="replay strategies, and rewrite the section of the docs")
    replaying.add_argument("--replays", type=int, default=200, help="replays of each strategy (default: 200)")
    replaying.add_argument("--table", type=Path, default=TABLE, help="the recorded trainings")
    replaying.add_argument("--processes", type=int, default=count_cores(), help="processes (default: one a core)")
    replaying.add_argument("--print", action="store_true", help="print the section, and leave the docs as they are")
    running = commands.add_parser("real", help="run searches of limited time, and rewrite the section of the docs")
    running.add_argument("--folder", type=Path, default=Path("outputs/bench/real"), help="where they are run")
    running.add_argument("--table", type=Path, default=search_real.TABLE, help="where finished ones are kept")
    running.add_argument("--warm", action="store_true", help="100 components, from a study of 25 and from nothing")
    running.add_argument("--seeds", type=int, nargs="+", help="seeds (default: 1 to 5; 1 and 2 with --warm)")
    running.add_argument("--minutes", type=float, help="duration of each (default: 15; 45 with --warm)")
    running.add_argument("--strategy", nargs="+", metavar=("NAME", "OVERRIDE"), help="another strategy to run")
    running.add_argument("--print", action="store_true", help="print the section, and leave the docs as they are")
    options = parser.parse_args()
    if options.command == "record":
        for piece in options.pieces:
            record(options.folder, piece)
        return
    text = "\n".join(_replayed(options) if options.command == "replay" else _real(options))
    print(text)
    if not options.print:
        rewrite_section(_TITLE if options.command == "replay" else search_real.TITLE, text)


def _replayed(options: argparse.Namespace) -> list[str]:
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    with ProcessPoolExecutor(options.processes, mp_context=get_context("spawn")) as executor:
        return list(section(options.table, options.replays, executor=executor))


def _real(options: argparse.Namespace) -> list[str]:
    """Run the searches that the table lacks; return the lines of the section."""
    arms, folder, table = list(search_real.ARMS), options.folder.resolve(), options.table
    if options.strategy:
        name, *words = options.strategy
        arms.append(search_real.Arm(name, (str(ROOT / "train.py"), *words)))
    if options.warm:
        seeds = options.seeds or [1, 2]
        search_real.warm_and_cold(folder, seeds, options.minutes or 45, table)
    else:
        search_real.search_all(folder, arms, options.seeds or [1, 2, 3, 4, 5], options.minutes or 15, table)
    return list(search_real.section(search_real.read_searches(table)))


def section(table: Path, n_replays: int, fewest: int = FEWEST, executor: Executor | None = None) -> Iterator[str]:
    """Yield the lines of the section of the docs; strategies are replayed from `fewest` recorded networks on."""
    rows = read_table(table)
    recorded = networks(rows)
    yield from (f"## {_TITLE}", "", "`python -m benchmarks.search replay` repeats this.", "")
    made = rows[["date", "commit", "machine"]].astype(str).agg(", ".join, axis=1).value_counts().index
    yield f"Recorded: {len(recorded)} random feasible networks of the published space, at all and at a third of the"
    yield f"training participants ({'; '.join(made)})."
    if len(recorded) < fewest:
        yield f"Not measured enough: {len(recorded)} of {ENOUGH} networks are recorded, so the default stays."
        return
    oracles = halves(recorded)
    replayed = {half: [replay_all(one, n_replays, executor=executor) for one in both] for half, both in oracles.items()}
    yield f"{n_replays} replays of 15 minutes for each strategy."
    for half, (_, surrogate) in oracles.items():
        assert isinstance(surrogate, Surrogate)
        yield (
            f"The surrogate of the half for the {half} has a cross-validated error of {surrogate.error:.2f} in log MSE "
            f"(rank correlation {surrogate.rank_correlation:.2f})."
        )
    yield from ("", verdict(len(recorded), winner(*replayed["choice"]), replayed["report"]), "")
    yield "Share of 15 minutes until the median final best of the published search is reached: median, 95 % interval,"
    yield from ("and how many replays reached it.", "")
    yield from _shares(replayed)
    yield from ("", "Regret (validation MSE above the best found) by time, on the pool of the half for the report:", "")
    yield f"| strategy | {' | '.join(f'{at} s' for at in TIMES)} |"
    yield f"|---|{'---|' * len(TIMES)}"
    for name, values in replayed["report"][0].regrets.items():
        yield f"| {name} | {' | '.join(f'{value:.2f}' for value in values)} |"


def _shares(replayed: Mapping[str, list[Replayed]]) -> Iterator[str]:
    columns = [f"{kind}, {half}" for half in replayed for kind in ("pool", "surrogate")]
    yield f"| strategy | {' | '.join(columns)} |"
    yield f"|---|{'---|' * len(columns)}"
    for name in replayed["report"][0].shares:
        yield f"| {name} | {' | '.join(str(one.shares[name]) for each in replayed.values() for one in each)} |"


def verdict(n_networks: int, chosen: str | None, report: list[Replayed]) -> str:
    """Return what the replays support, as a sentence."""
    if n_networks < ENOUGH:
        return f"Not measured enough: {n_networks} of {ENOUGH} networks are recorded, so the default stays."
    if chosen is None:
        return "No strategy is faster than today's on both oracles of the half for the choice, so the default stays."
    met = all(one.shares[chosen].median <= 1 / 3 and one.shares[chosen].high < 1 / 2 for one in report)
    return (
        f"Chosen: {chosen}. The goal, a median share of 1/3 with its interval below 1/2, is {'' if met else 'not '}met."
    )


if __name__ == "__main__":
    main()
