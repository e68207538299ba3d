"""`gradcli cache`: what is kept from run to run, in the user's own cache directory."""

from __future__ import annotations

import click

from gradcli.cli import options
from gradcli.cli.printing import note, write_text
from gradcli.errors import counted, escaped, unable_to

HELP = """Show or clear the cache.

The cache holds the tables of the parser and the machine code of native passes, in your own cache folder. It saves time;
what is missing or damaged is made again. Files that another user may have written are never read.

\b
Examples:
  gradcli cache
  gradcli cache --clear
"""


@click.command("cache", help=HELP)
@options.flag("--clear", "Remove everything in the cache.")
@options.json()
def cache_command(clear: bool, as_json: bool) -> None:
    from gradcli.machine import own_cache
    from gradcli.machine.limits import show_bytes
    from gradcli.render.json import to_json

    folder = own_cache.cache_folder()
    shown = escaped(folder or "")
    if clear:
        with unable_to(f"clear the cache {shown}"):
            own_cache.clear()
    with unable_to(f"read the cache {shown}"):
        sizes = [kept.size for kept in own_cache.kept_files()]
    if not own_cache.is_trusted():
        note(f"{shown} is not used: it belongs to another user, or others can write to it")
    if as_json:
        write_text(to_json({"folder": folder, "files": len(sizes), "bytes": sum(sizes)}))
    elif folder is None:
        write_text("there is no folder for the cache: neither HOME nor XDG_CACHE_HOME names one")
    else:
        write_text(f"{shown}: {counted(len(sizes), 'file')}, {show_bytes(sum(sizes))}")
