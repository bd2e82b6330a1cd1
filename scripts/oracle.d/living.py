"""A node and cqlite that work on one directory in turn."""

import os
import subprocess
import sys
import time

from golden import Jvm, Node

CQLITE = os.environ["CQLITE"]


class Live(Node):
    """A node on a directory that is there, with the time of day."""

    def __init__(self, version, home):
        Jvm.__init__(self, version, "golden.Node", int(time.time()) + 1, home=home, keep=True)
        self.answer()
        self.version = version
        self.statements = 0

    def run(self, q):
        now = time.time()
        return [row[0] for row in self.cql(q, timestamp=int(now * 1_000_000), now=int(now)) if row]

    def kill(self):
        self.process.kill()
        self.process.wait()
        self.log.close()


def cqlite(*args, text=None):
    done = subprocess.run([CQLITE, *args], input=text, stdout=subprocess.PIPE, text=True)
    if done.returncode:
        sys.exit(f"cqlite {' '.join(args)} ended with {done.returncode}")
    return done.stdout
