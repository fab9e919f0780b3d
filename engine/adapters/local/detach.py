"""Run a command as a daemon: `python detach.py LOG ACCOUNT COMMAND...` prints its process id.

ACCOUNT is `-` or `uid:gid`, to be taken on before the command starts: this
interpreter and the log may lie where that account can't enter. A script of its
own, because forking inside a process that may have threads is not safe. The
daemon leads its own session, so closing the terminal or pressing Ctrl-C there
does not reach it. Only the standard library is imported, which keeps it quick.
"""

import os
import sys


def detach(log: str, account: str, command: list[str]) -> int:
    """Start `command` with its output appended to `log`; the process id, or exits with 127."""
    reader, writer = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            os.setsid()
            os.close(reader)
            output = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o640)
            nothing = os.open(os.devnull, os.O_RDONLY)
            os.dup2(nothing, 0)
            os.dup2(output, 1)
            os.dup2(output, 2)
            if account != "-":
                user, group = map(int, account.split(":"))
                os.setgroups([])
                os.setgid(group)
                os.setuid(user)
            os.execvp(command[0], command)
        except OSError as error:
            os.write(writer, f"{error.filename or command[0]}: {error.strerror}".encode())
        finally:
            os._exit(127)
    # A successful exec closes the pipe: an empty read means the daemon runs.
    os.close(writer)
    with os.fdopen(reader, "rb") as problem:
        message = problem.read(2000).decode(errors="replace")
    if message:
        os.waitpid(child, 0)
        sys.exit(message)
    return child


if __name__ == "__main__":
    print(detach(sys.argv[1], sys.argv[2], sys.argv[3:]))
