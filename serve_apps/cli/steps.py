"""What a long command shows: one line per step, moving on a terminal, plain in a log."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Iterator
from pathlib import Path

from rich.console import Console
from rich.markup import escape


class StepFailed(Exception):
    """A step that failed: what, why, where its log is and what to do."""

    def __init__(self, step: str, reason: str, *, log: Path | str | None, remedy: str) -> None:
        super().__init__(f"{step}: {reason}")
        self.step = step
        self.reason = reason
        self.log = log
        self.remedy = remedy


class Step:
    """One step under way. `detail` ends up on its line."""

    def __init__(self) -> None:
        self.detail = ""


class Steps:
    """Shows steps on standard error, so that `--json` answers stay alone on standard output."""

    def __init__(self, console: Console | None = None) -> None:
        self.console = console or Console(stderr=True, highlight=False)

    @contextlib.contextmanager
    def step(
        self,
        name: str,
        *,
        log: Path | str | None = None,
        remedy: str = "",
        still: bool = False,
    ) -> Iterator[Step]:
        """Run one step. Whatever it raises becomes a StepFailed that names it.

        `still`: the step moves the terminal itself.
        """
        step = Step()
        started = time.monotonic()
        moving: contextlib.AbstractContextManager[object] = (
            self.console.status(f"{name} …")
            if self.console.is_terminal and not still
            else contextlib.nullcontext()
        )
        try:
            with moving:
                yield step
        except StepFailed:
            raise
        except Exception as error:
            reason = str(error) or type(error).__name__
            raise StepFailed(name, reason, log=log, remedy=remedy) from error
        took = time.monotonic() - started
        detail = f"  {step.detail}" if step.detail else ""
        self.console.print(
            f"[green]✓[/green] {name}{escape(detail)} [dim]({took:.1f} s)[/dim]", soft_wrap=True
        )

    def say(self, words: str) -> None:
        self.console.print(escape(words), soft_wrap=True)

    def failed(self, failure: StepFailed) -> None:
        self.console.print(f"[red]✗ {escape(failure.step)}[/red]: {escape(failure.reason)}")
        if failure.log is not None:
            self.console.print(f"  log: {escape(str(failure.log))}", soft_wrap=True)
        if failure.remedy:
            self.console.print(f"  what to do: {escape(failure.remedy)}", soft_wrap=True)
