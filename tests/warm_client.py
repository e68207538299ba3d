"""Ask the warm process of tests/warm.py for a command; as a program, from a shell: `python -IS FILE ADDRESS WORDS...`.

Only what the interpreter has built in is imported: the start of this program is what is to be saved.
"""

import _socket
import os
import sys


def ask(address, words, folder, variables, streams):
    """Have a command run in a folder with these variables and streams, all of it bytes; the connection that holds it.

    Whoever closes the connection ends the command.
    """
    connection = _socket.socket(_socket.AF_UNIX)
    connection.connect(address)
    pairs = [name + b"=" + value for name, value in variables.items()]
    data = b"\0".join([b"%d" % len(words), folder, *words, *pairs])
    data = b"%d\0" % len(data) + data
    rights = b"".join(number.to_bytes(4, sys.byteorder) for number in streams)
    sent = connection.sendmsg([data], [(_socket.SOL_SOCKET, _socket.SCM_RIGHTS, rights)])
    while sent < len(data):
        sent += connection.send(data[sent:])
    return connection


def status(connection):
    """How the command ended, once it has, in the words of `os.wait`."""
    answer = b""
    while not answer.endswith(b"\n"):
        more = connection.recv(64)
        assert more, "the warm process is gone"
        answer += more
    connection.close()
    return int(answer)


def main():
    """Be the command: run it, and end as it did."""
    words = [os.fsencode(word) for word in sys.argv[2:]]
    if any(b"/dev/fd/" in word for word in words):
        # Descriptors that only this process has.
        os.execv(sys.executable, [sys.executable, "-m", "gradcli", *sys.argv[2:]])
    ended = status(ask(sys.argv[1], words, os.getcwdb(), os.environb, (0, 1, 2)))
    if os.WIFSIGNALED(ended):
        from signal import SIG_DFL, signal

        signal(os.WTERMSIG(ended), SIG_DFL)
        os.kill(os.getpid(), os.WTERMSIG(ended))
    os._exit(os.waitstatus_to_exitcode(ended))


if __name__ == "__main__":
    main()
