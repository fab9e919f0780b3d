"""The command line: `aiqleads up`, `down`, `status` and the rest."""


def main() -> None:
    """Entry point of the `aiqleads` program."""
    from serve_apps.cli.app import app

    app()
