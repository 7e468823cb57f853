"""The command line: what it takes, what it shows, and the commands."""
