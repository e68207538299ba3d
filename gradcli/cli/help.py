"""`gradcli help`, and what is said where there is no such command."""

from __future__ import annotations

import click

from gradcli.cli.command_kinds import HelpfulCommand, help_text
from gradcli.cli.options import completed
from gradcli.cli.printing import write_pages
from gradcli.errors import GradcliError, did_you_mean, quoted

#: Options of the command as a whole.
NEVER_EVAL = ("-h", "--help", "-V", "--version")

#: The commands under the headings of the help.
GROUPS = {
    "Compute": ("eval", "minimize", "fit", "repl"),
    "Many inputs": ("batch", "stream"),
    "Formulas and checks": ("derive", "steps", "check"),
    "Pictures and plans": ("graph", "plot", "report", "explain"),
    "Reference and setup": ("ops", "completion", "cache", "help"),
}

HELP = """Show the help of COMMAND, or of gradcli.

\b
Examples:
  gradcli help
  gradcli help eval
"""


class Commands(HelpfulCommand, click.Group):
    """The group of all commands, which tells what was meant where one does not exist."""

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        if args[0] not in self.commands and not ctx.resilient_parsing and not args[0].startswith("-"):
            raise self.unknown(args)
        return super().resolve_command(ctx, args)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """The commands in their groups, all descriptions in one column."""
        width = max(map(len, self.commands))
        for heading, names in GROUPS.items():
            with formatter.section(heading):
                formatter.write_dl([(f"{n:{width}}", self.commands[n].get_short_help_str(100)) for n in names])

    def unknown(self, args: list[str]) -> GradcliError:
        """The error for a command that does not exist, with its arguments."""
        name, *rest = args
        if any(word.partition("=")[0].strip() == name for word in rest if "=" in word):
            # A name alone is a command; here it is that of an input.
            hint = f"to evaluate it as an expression, write gradcli eval {name} ..."
        else:
            # Imported here: a command that exists needs no operations.
            from gradcli.ops.homes import HOMES

            if not name.startswith("_") and any(name in names.split() for names in HOMES.values()):
                hint = f"`gradcli ops {name}` explains the operation"
            else:
                hint = did_you_mean(name, list(self.commands)) or "`gradcli --help` lists the commands"
        return GradcliError(f"no such command {quoted(name)}", hint=hint)


@click.command("help", cls=HelpfulCommand, help=HELP)
@click.argument("command", metavar="[COMMAND]", required=False, shell_complete=completed("commands"))
@click.pass_context
def help_command(ctx: click.Context, command: str | None) -> None:
    above = ctx.find_root()
    group = above.command
    assert isinstance(group, Commands)
    if command is None:
        write_pages(help_text(above))
        return
    found = group.get_command(above, command)
    if found is None:
        raise group.unknown([command])
    # As if it were asked itself, so that its help is shown in the same way.
    found.make_context(command, ["--help"], parent=above)
