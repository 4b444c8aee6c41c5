"""The command line of ``train/train.py``."""

import sys
from pathlib import Path
from typing import Annotated

import typer

from common.cli import failures
from common.cli.quiet import quiet
from common.cli.run import run

EXAMPLES = """[bold]Examples[/bold]

  python train/train.py --config resnet50.yaml

  python train/train.py --config resnet50.yaml --gpus 0,1 --set head.margin=0.4 --set data.batch=256

  python train/train.py --config resnet50.yaml --resume

Exit codes: 0 done; 2 an error; 130 or 143 stopped by a signal, the state saved."""

app = typer.Typer(rich_markup_mode="rich", pretty_exceptions_enable=False, add_completion=False)


@app.command(epilog=EXAMPLES, context_settings={"help_option_names": ["-h", "--help"]})
@failures.reported
def train(
    config: Annotated[str, typer.Option("--config", "-c", help="A YAML file: its path, or a name of configs/.")],
    set: Annotated[
        list[str] | None,
        typer.Option("--set", metavar="KEY=VALUE", help="Change a key, such as head.margin=0.4; repeatable."),
    ] = None,
    output: Annotated[
        Path | None, typer.Option(help="The run's folder.", show_default="runs/NAME, NAME as the configuration says")
    ] = None,
    resume: Annotated[bool, typer.Option("--resume", help="Go on from the last checkpoint in the folder.")] = False,
    gpus: Annotated[
        str | None, typer.Option(help="GPUs by number, such as 0,1, or none.", show_default="all that are visible")
    ] = None,
    virtual_cpus: Annotated[
        int, typer.Option(min=1, help="Without a GPU: mirror over so many parts of the CPU, to try mirroring out.")
    ] = 1,
    check: Annotated[bool, typer.Option("--check", help="Print the whole configuration, checked, and stop.")] = False,
    debug: Annotated[bool, typer.Option("--debug", help="Show the traceback of an unexpected error.")] = False,
) -> None:
    """Train a network as a configuration says, and end in a bundle that the recognizer takes.

    Several machines: set TF_CONFIG on each, as TensorFlow describes it, and start the same command on all.
    """
    failures.show_tracebacks(debug)
    with quiet():
        import tensorflow  # noqa: F401
    from train import config as configuration

    settings = configuration.load(config, set or [])
    if check:
        _print_checked(settings)
        return
    from train import distribution

    with quiet():
        devices = distribution.find(gpus, virtual_cpus)
    from train import trainer

    folder = output or Path(settings.output or Path("runs") / settings.name)
    print(f"{settings.name}: training on {devices.name} into {folder}", file=sys.stderr)
    result = trainer.train(settings, devices, folder, resume)
    if result.bundle:
        print(result.bundle)
    if result.exit_code:
        raise typer.Exit(result.exit_code)


def _print_checked(settings) -> None:
    import yaml

    from train import config, parts

    parts.check(settings)
    print(yaml.safe_dump(config.to_mapping(settings), sort_keys=False, allow_unicode=True), end="")


def main() -> None:
    """Run on ``sys.argv`` and exit with a code."""
    run(app, "train.py")
