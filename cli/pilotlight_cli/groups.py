"""Groups of commands that tell which was probably meant."""

from __future__ import annotations

import click

from pilotlight.suggestion import did_you_mean

__all__ = ["SuggestingGroup"]


class SuggestingGroup(click.Group):
    """A group whose error names the nearest command."""

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Find the command; a UsageError where there is none."""
        try:
            return super().resolve_command(ctx, args)
        except click.UsageError as error:
            near = did_you_mean(args[0], self.list_commands(ctx))
            raise click.UsageError(error.message.rstrip(".") + near, ctx) from error
