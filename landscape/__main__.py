"""`python -m landscape`: the command line, where the script is not on the path."""

from landscape.cli import main

main(prog_name="landscape")
