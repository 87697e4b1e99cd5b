from landscape.cli import main

main(prog_name="landscape")
