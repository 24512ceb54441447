"""`pilotlight generate-event`: an event to call a function with, as a source of it would send it.

Each source's flags are the keyword arguments of the function in `samples` that makes its event.
"""

from __future__ import annotations

import inspect
from typing import TYPE_CHECKING, Any

import click

from ..groups import SuggestingGroup
from ..options import output_option
from ..output import Format, emit_json
from ..samples import SAMPLES, Setting

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["command"]


class _Text(click.ParamType[str]):
    """What JSON can hold: a shell hands on any bytes."""

    name = "text"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> str:
        try:
            str(value).encode()
        except UnicodeEncodeError:
            self.fail("text in UTF-8 is expected", param, ctx)
        return str(value)


_SHARED = (
    click.option(
        "--account", default="000000000000", type=_Text(), show_default=True, help="12 digits."
    ),
    click.option(
        "--region",
        default="us-east-1",
        type=_Text(),
        envvar=["AWS_REGION", "AWS_DEFAULT_REGION"],
        show_default=True,
    ),
    output_option,
)

_REPEATED = {
    "header": "NAME:VALUE; may be repeated.",
    "query": "NAME=VALUE; may be repeated.",
}


@click.group("generate-event", cls=SuggestingGroup)
def command() -> None:
    """Print an event as a service of AWS sends it.

    Such as: pilotlight generate-event sqs --body hello | pilotlight invoke NAME --payload-file -
    """


def _source(name: str, sample: Callable[..., dict[str, Any]]) -> click.Command:
    """Make a source's command; `-o json` prints one line."""

    def run(account: str, region: str, output: Format, **flags: Any) -> None:
        event = sample(Setting(account, region), **flags)
        emit_json(event, indent=None if output == "json" else 2)

    options = list(inspect.signature(sample).parameters.values())[1:]
    decorated: Any = run
    for shared in reversed(_SHARED):
        decorated = shared(decorated)
    for option in reversed(options):
        decorated = _flag(option)(decorated)
    return click.command(name, help=inspect.getdoc(sample))(decorated)


def _flag(parameter: inspect.Parameter) -> Callable[[Any], Any]:
    default, repeated = parameter.default, isinstance(parameter.default, tuple)
    return click.option(
        f"--{parameter.name.replace('_', '-')}",
        parameter.name,
        default=default,
        type=click.IntRange(min=0) if isinstance(default, int) else _Text(),
        multiple=repeated,
        show_default=bool(default),
        help=_REPEATED.get(parameter.name, "May be repeated.") if repeated else None,
    )


for _name, _sample in SAMPLES.items():
    command.add_command(_source(_name, _sample))
