"""`gradcli completion`: what makes a shell complete gradcli's commands, options, files and names."""

from __future__ import annotations

import click

from gradcli.cli.command_kinds import HelpfulCommand
from gradcli.cli.printing import write_text

#: The variable by which a shell asks for completions instead of running a command.
VARIABLE = "_GRADCLI_COMPLETE"

HELP = """Print the completion script for SHELL: bash, zsh or fish.

It completes commands and options, files after NAME=, NAME=@ and TARGET=, names of columns and arrays after FILE:, and
functions and inputs within an expression.

\b
Add one line to the start-up file of the shell, where gradcli must be on the PATH:
  bash, ~/.bashrc:                     eval "$(gradcli completion bash)"
  zsh, ~/.zshrc, after compinit:       eval "$(gradcli completion zsh)"
  fish, ~/.config/fish/config.fish:    gradcli completion fish | source
"""

# The shell hands over the line up to the cursor, quotes and all: bash and fish split it in their own ways.
BASH = """\
_gradcli_completion() {
    local word
    COMPREPLY=()
    while IFS= read -r word; do
        COMPREPLY+=("$word")
    done < <(COMP_LINE="${COMP_LINE:0:COMP_POINT}" COMP_WORDBREAKS="$COMP_WORDBREAKS" \\
        _GRADCLI_COMPLETE=bash_complete "$1" 2>/dev/null)
}
complete -o nospace -F _gradcli_completion gradcli
"""
ZSH = """\
#compdef gradcli

_gradcli() {
    local line word
    # Where it is not 0, zsh beeps and tries its other completers.
    local found=1
    local -a closed closed_told open open_told
    while IFS= read -r line; do
        word="${line%%$'\\t'*}"
        if [[ "$word" == *[=:/,@\\(] ]]; then
            open+=("$word")
            open_told+=("${line/$'\\t'/  -- }")
        else
            closed+=("$word")
            closed_told+=("${line/$'\\t'/  -- }")
        fi
    done < <(COMP_LINE="${(j: :)words[1,CURRENT-1]} $QIPREFIX$PREFIX" _GRADCLI_COMPLETE=zsh_complete \\
        ${(Q)words[1]} 2>/dev/null)
    (( $#closed )) && compadd -d closed_told -- "${closed[@]}" && found=0
    (( $#open )) && compadd -S '' -d open_told -- "${open[@]}" && found=0
    return found
}

if [[ "$zsh_eval_context[-1]" == loadautofunc ]]; then
    _gradcli "$@"
else
    compdef _gradcli gradcli
fi
"""
FISH = """\
function __gradcli_complete
    set -lx COMP_LINE (commandline -cp | string collect)
    set -lx _GRADCLI_COMPLETE fish_complete
    set -l words (commandline -opc)
    command $words[1] 2>/dev/null
end
complete -c gradcli -f -a '(__gradcli_complete)'
"""
#: What each shell has to read.
SCRIPTS = {"bash": BASH, "zsh": ZSH, "fish": FISH}


@click.command("completion", cls=HelpfulCommand, help=HELP)
@click.argument("shell", metavar="SHELL", type=click.Choice(list(SCRIPTS)))
def completion_command(shell: str) -> None:
    write_text(SCRIPTS[shell].removesuffix("\n"))
