"""`python -m scripts` is the `sheaf` command, where it is not installed as one."""

from scripts.cli import main

main()
