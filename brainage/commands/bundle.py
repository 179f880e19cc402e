"""Export a trained network as a bundle, or import one: ``brainage bundle export | import``."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

from brainage.system.invocation import command_text
from brainage.system.session import exit_code_of


def main(arguments: Sequence[str] | None = None) -> int:
    """Export or import.

    Parameters
    ----------
    arguments : sequence of str or None, default=None
        The command line without the program's name; None takes the process's own.

    Returns
    -------
    int
        The exit code: 0 if done, 2 for a user's mistake, 130 or 143 if interrupted.
    """
    options = parse(arguments)
    return exit_code_of(lambda: _export(options) if options.verb == "export" else _import(options), "try again")


def parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    """Parse the command line."""
    parser = argparse.ArgumentParser(prog="brainage bundle", description=__doc__)
    verbs = parser.add_subparsers(dest="verb", required=True, metavar="export|import")
    exporting = verbs.add_parser("export", help="make a bundle of a finished run, or of a stack of runs")
    source = exporting.add_mutually_exclusive_group(required=True)
    source.add_argument("--run", type=Path, metavar="DIR", help="the run's folder")
    source.add_argument("--stack", type=Path, metavar="DIR", help="folder that compare ensemble=stack wrote")
    exporting.add_argument("code", nargs="?", metavar="code=FILE", help="your Python code, if it defines the network")
    importing = verbs.add_parser("import", help="make a bundle of a published Lightning checkpoint")
    importing.add_argument("--checkpoint", type=Path, required=True, metavar="FILE", help="the checkpoint")
    importing.add_argument("--modality", required=True, help="series that it was trained on: ica25, ica100 or parcels")
    importing.add_argument("--n-times", type=int, metavar="N", help="time points, of parcels")
    importing.add_argument("--t-r", type=float, metavar="SECONDS", help="repetition time, of parcels")
    for verb in (exporting, importing):
        verb.add_argument("--out", type=Path, required=True, metavar="DIR", help="a new folder for the bundle")
    options = parser.parse_args(arguments)
    if options.verb == "export" and options.code is not None and not options.code.startswith("code="):
        exporting.error(f"unrecognized argument: {options.code}; did you mean code={options.code}?")
    return options


def _export(options: argparse.Namespace) -> int:
    from brainage.config.code import load_code
    from brainage.system.reading import yaml_values
    from brainage.trained import bundle, compared, load, stack

    if options.code is not None:
        load_code(options.code.removeprefix("code=").strip("[]").split(","), [options.code])
    if options.stack is not None:
        stack.write_stack(options.out, *compared.read_compared_stack(options.stack))
    else:
        trained = load.read_network_of_run(options.run, "--run")
        assert trained.run is not None
        bundle.write_bundle(options.out, trained, yaml_values(trained.run.config_text))
    return _show(options.out)


def _import(options: argparse.Namespace) -> int:
    from brainage.trained import bundle, published

    given = {"n_times": options.n_times, "t_r": options.t_r}
    bundle.write_bundle(options.out, *published.read_published(options.checkpoint, options.modality, given))
    return _show(options.out)


def _show(folder: Path) -> int:
    use = f"{command_text('predict', f'bundle={folder}')} cohort=..."
    print(f"Bundle: {folder} (its README.md is the model card). Use it with: {use}")
    return 0
