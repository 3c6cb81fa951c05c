"""The command ``labs``."""

from __future__ import annotations

import os
import shlex
import shutil
import sys
import webbrowser
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from enum import StrEnum
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Annotated

import typer
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from lab_helpers import doctor as examination
from lab_helpers import workspace
from lab_helpers.cluster import lifecycle
from lab_helpers.cluster.status import ClusterStatus, NodeState
from lab_helpers.errors import LabsError
from lab_helpers.settings import ROOT, load_settings

app = typer.Typer(
    help="RabbitMQ Labs: a three-node cluster and the labs that teach on it.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
console = Console()
errors = Console(stderr=True)


class EngineChoice(StrEnum):
    """The engines by the names that the command line takes."""

    COMPOSE = "compose"
    NATIVE = "native"
    EXTERNAL = "external"


LabNames = Annotated[list[str] | None, typer.Argument(help="Labs by number or name; all if none is given.")]


@contextmanager
def progress(first: str) -> Iterator[Callable[[str], None]]:
    """Show what is going on: a spinner in a terminal, plain lines elsewhere."""
    if not console.is_terminal:
        yield lambda line: console.print(f"  {escape(line)}", highlight=False, soft_wrap=True)
        return
    with console.status(first) as status:

        def report(line: str) -> None:
            console.print(f"[dim]  {escape(line)}[/dim]", highlight=False, soft_wrap=True)
            status.update(escape(line))

        yield report


@app.command()
def up(
    engine: Annotated[EngineChoice | None, typer.Option(help="How to run the cluster; chosen if not given.")] = None,
    cluster_only: Annotated[bool, typer.Option("--cluster-only", help="Do not start JupyterLab.")] = False,
    browser: Annotated[bool, typer.Option(help="Open the first lab in a browser, where there is one.")] = True,
) -> None:
    """Bring the cluster and JupyterLab up."""
    with progress("Bringing the cluster up") as report:
        lifecycle.up(engine.value if engine else None, report)
        link = ""
        if not cluster_only:
            settings = load_settings()
            added = workspace.fill(settings.workspace_dir)
            if added:
                report(f"New in {settings.workspace_dir.name}/: {', '.join(added)}")
            jupyterlab = workspace.JupyterLab(settings)
            was_running = bool(jupyterlab.link())
            report("Starting JupyterLab")
            link = jupyterlab.start()
    show_card(lifecycle.current().status(), link)
    if link and browser and not was_running and can_open_browser():
        webbrowser.open(link)


@app.command()
def down() -> None:
    """End the cluster and JupyterLab; the workspace and your progress stay."""
    settings = load_settings()
    with progress("Ending everything") as report:
        jupyterlab = workspace.JupyterLab(settings).stop()
        cluster = lifecycle.down(report)
    console.print("Everything has ended." if jupyterlab or cluster else "Nothing was running.")


@app.command()
def status(
    progress: Annotated[bool, typer.Option("--progress", help="Show how far you are in the course instead.")] = False,
) -> None:
    """Show the cluster, its nodes and where to find what."""
    if progress:
        show_progress()
        return
    found = lifecycle.status()
    if found is None:
        console.print(as_typed("No cluster is running. `labs up` starts it."))
        raise typer.Exit(1)
    show_card(found, workspace.JupyterLab(load_settings()).link())
    if not found.is_whole:
        raise typer.Exit(1)


@app.command()
def doctor() -> None:
    """Look for what could be wrong here, and say what to do."""
    wrong = False
    table = Table(show_header=False, box=None, padding=(0, 1))
    for finding in examination.examine():
        wrong |= finding.ok is False
        mark = {True: "[green]ok[/green]", False: "[red]no[/red]", None: "[dim]--[/dim]"}[finding.ok]
        table.add_row(mark, finding.topic, escape(as_typed(finding.text)))
    console.print(table)
    if wrong:
        raise typer.Exit(1)


@app.command()
def reset(lab: Annotated[str, typer.Argument(help="The lab's number or name.")]) -> None:
    """Give a lab back as it was at first; your copy is kept beside it."""
    fresh, kept = workspace.reset(load_settings().workspace_dir, lab)
    console.print(f"{fresh.name} is as it was at first." + (f" Your copy is kept as {kept.name}." if kept else ""))


@app.command()
def build(
    labs: LabNames = None,
    check: Annotated[bool, typer.Option("--check", help="Only tell what is out of date.")] = False,
    rerun: Annotated[bool, typer.Option("--rerun", help="Run solutions again that have not changed.")] = False,
) -> None:
    """Generate notebooks, solutions and pages from labs/src; solutions run on the cluster."""
    from lab_helpers import build as lab_build  # takes a second, which the other commands need not wait

    if check:
        drift = lab_build.check(ROOT)
        for sentence in drift:
            errors.print(escape(sentence), soft_wrap=True)
        if drift:
            raise typer.Exit(1)
        console.print("Everything generated is up to date.")
        return
    with progress("Building") as report:
        lab_build.build(ROOT, tuple(labs or ()), rerun=rerun, report=report)


@app.command()
def verify(labs: LabNames = None) -> None:
    """Prove labs on the running cluster: they run, solutions pass, wrong answers are refused."""
    from lab_helpers import build as lab_build  # takes a second, which the other commands need not wait

    failed = False
    for source in lab_build.select(ROOT, tuple(labs or ())):
        with progress(f"Verifying {source.slug}"), TemporaryDirectory() as cwd:
            findings = lab_build.verify(source, Path(cwd))
        for finding in findings:
            failed |= not finding.ok
            mark = "[green]ok[/green]" if finding.ok else "[red]no[/red]"
            console.print(f"{mark} {source.slug}: {escape(finding.text)}", highlight=False, soft_wrap=True)
    if failed:
        raise typer.Exit(1)


def show_card(found: ClusterStatus, link: str) -> None:
    """Print the one card that says what runs and where; each line stays one line, so that links can be clicked."""
    console.print("\n[bold]RabbitMQ Labs[/bold]")
    for name, text in card_rows(found, link):
        console.print(f"  [dim]{name:<11}[/dim] {text}", highlight=False, soft_wrap=True)
    console.print()


def show_progress() -> None:
    """Print the course as a small map; needs no cluster."""
    from lab_helpers.exercises.course import course  # takes a moment, which the other commands need not wait
    from lab_helpers.exercises.progress import Progress

    settings = load_settings()
    labs = course(ROOT, Progress(settings.progress_file or settings.state_dir / "progress.json"))
    table = Table(show_header=False, box=None, padding=(0, 1))
    for lab in labs:
        table.add_row(escape(lab.name), lab.words)
    console.print(table)


def card_rows(found: ClusterStatus, link: str) -> Iterator[tuple[str, str]]:
    """The card's lines: what it is about, and the text in rich's markup."""
    yield "Cluster", f"RabbitMQ {found.version or '(version unknown)'}, engine {found.engine}"
    for node in found.nodes:
        colour = "green" if node.state is NodeState.READY else "red"
        own = "" if node.amqp == found.amqp else f"   AMQP {node.amqp}   management {node.management}"
        yield "", f"{node.name} [{colour}]{node.state}[/{colour}]{own}"
    yield "Front door", f"AMQP {found.amqp}"
    login = "" if found.engine == "external" else f"   user {load_settings().user}   password {console_password()}"
    yield "Console", f"{found.management}{login}"
    if found.statistics:
        yield "HAProxy", found.statistics
    yield "JupyterLab", escape(link) or "not running"
    yield "To stop", "make stop"


def console_password() -> str:
    """The management console's password, or where it stands where a log would keep it."""
    password = load_settings().password.get_secret_value()
    if not password:
        return escape(as_typed("(.env has none: `labs up` makes a new one)"))
    return password if "CI" not in os.environ else "(in .env)"


def can_open_browser() -> bool:
    """Whether somebody sits in front of this machine: a terminal, and a screen on systems that may lack one."""
    has_screen = os.name == "nt" or os.uname().sysname == "Darwin" or bool(os.environ.get("DISPLAY"))
    return console.is_terminal and has_screen


def as_typed(text: str) -> str:
    """A message with the commands in it as they can be typed in this shell, where `labs` may not be on PATH."""
    if shutil.which("labs"):
        return text
    program = shlex.quote(os.path.relpath(Path(sys.executable).parent / "labs"))
    return text.replace("`labs ", f"`{program} ")


def main() -> None:
    """Run the command; what a user can cause ends in sentences, never in a traceback."""
    try:
        app()
    except LabsError as error:
        for part in (error.what, error.meaning, error.remedy):
            if part:
                errors.print(escape(as_typed(part)), highlight=False, soft_wrap=True)
        raise SystemExit(1) from None
