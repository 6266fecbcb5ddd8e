"""``tracekeeper completion``: the script that makes a shell complete commands and job names.

Names of jobs may hold blanks, colons and brackets, which are special to every shell. So the shells
pass what was typed as it is, and get whole words back to quote by their own rules. Only bash gets
its words quoted: it can do that for file names alone.
"""

import click

from tracekeeper.errors import UsageError

BASH = r"""
_tracekeeper() {
  local IFS=$'\n'
  COMPREPLY=($(tracekeeper _complete --bash -- "${COMP_LINE:0:COMP_POINT}" "$2" 2>/dev/null))
  [[ ${COMPREPLY[0]} != *= ]] || compopt -o nospace
  [[ ${#COMPREPLY[@]} != 0 ]] || compopt -o default
}
complete -F _tracekeeper tracekeeper
"""

ZSH = r"""
#compdef tracekeeper
_tracekeeper() {
  local line
  local -a typed described
  typed=("${(@Q)words[2,CURRENT-1]}" "${(Q)PREFIX}")
  for line in "${(@f)$(tracekeeper _complete -- "${typed[@]}" 2>/dev/null)}"; do
    [[ -z $line ]] || described+=("${${line%%$'\t'*}//:/\\:}:${line#*$'\t'}")
  done
  if (( $#described )); then _describe -V tracekeeper described; else _files; fi
}
if [[ $funcstack[1] == _tracekeeper ]]; then
  _tracekeeper "$@"
else
  compdef _tracekeeper tracekeeper
fi
"""

FISH = r"""
function _tracekeeper
  set -l words (commandline -opc) (commandline -ct | string unescape)
  set -l found (tracekeeper _complete -- $words[2..] 2>/dev/null)
  if test (count $found) -gt 0
    printf '%s\n' $found
  else
    __fish_complete_path (commandline -ct)
  end
end
complete -c tracekeeper -f -a '(_tracekeeper)'
"""

SCRIPTS = {"bash": BASH, "zsh": ZSH, "fish": FISH}


@click.command(name="completion")
@click.argument("shell", type=click.Choice(tuple(SCRIPTS)), required=False, metavar="SHELL")
def command(shell: str | None) -> None:
    """Print the completion script of SHELL.

    \b
    bash: eval "$(tracekeeper completion bash)"     in ~/.bashrc
    zsh:  eval "$(tracekeeper completion zsh)"      in ~/.zshrc, after compinit
    fish: tracekeeper completion fish | source      in ~/.config/fish/config.fish
    """
    if shell is None:
        raise UsageError(
            "for which shell? name bash, zsh or fish",
            hint="`tracekeeper completion --help` has a line for the configuration of each",
        )
    click.echo(SCRIPTS[shell].strip())
