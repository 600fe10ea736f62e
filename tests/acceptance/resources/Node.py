# SPDX-License-Identifier: GPL-3.0-or-later
"""Where the module runs: in the sandbox, or on a real node over SSH. Both have the same face."""

import ast
import json
import os
import shlex
import shutil
import subprocess
import tempfile
from pathlib import Path

# No single command of the suite takes longer; one that does is a failure, not a suite that hangs.
COMMAND_TIMEOUT_SECONDS = 600


class Outcome:
    """What came out of an action, an event or a helper."""

    def __init__(self, done):
        self.rc = done.returncode
        self.stdout = done.stdout
        self.stderr = done.stderr
        try:
            self.output = json.loads(done.stdout)
        except ValueError:
            self.output = None

    def __str__(self):
        return f"exit code {self.rc}\n{self.stdout}\n{self.stderr}"


def run(command, text=""):
    return Outcome(
        subprocess.run(
            command,
            input=text,
            capture_output=True,
            text=True,
            errors="replace",
            timeout=COMMAND_TIMEOUT_SECONDS,
            check=False,
        )
    )


def checked(command, text=""):
    outcome = run(command, text)
    if outcome.rc != 0:
        raise AssertionError(f"{shlex.join(map(str, command[:4]))} … failed: {outcome}")
    return outcome.stdout


class Sandbox:
    """A node in a box, of the program that SANDBOX_PROGRAM names."""

    is_sandbox = True
    module_id = "imapsync1"
    mail_module_id = "mail1"

    def __init__(self):
        self.program = os.environ.get("SANDBOX_PROGRAM", "target/debug/sandbox")
        self.process = None
        self.info = None

    def install(self):
        self.process = subprocess.Popen(
            [self.program, "run", "--unconfigured"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        text = ""
        for line in self.process.stdout:
            if line.startswith("sandbox is ready"):
                self.info = json.loads(text)
                return
            text += line
        raise AssertionError("the sandbox did not start; its messages are on standard error")

    def remove(self):
        if self.process is None:
            return
        self.process.stdin.close()
        self.process.wait(COMMAND_TIMEOUT_SECONDS)
        self.process = None

    def update(self):
        """What the platform does with update-module.d once the new image is unpacked."""
        for program in sorted((Path(self.info["state"]).parent / "update-module.d").iterdir()):
            checked(self._verb("runagent", "--", program))

    def leftovers(self):
        """Processes of the module and its node, and their folder: what must be gone after the removal."""
        base = self.info["sandbox"]
        mark = f"NS8_SANDBOX={base}".encode()
        left = [base] if Path(base).exists() else []
        for process in Path("/proc").glob("[0-9]*"):
            try:
                if mark in (process / "environ").read_bytes().split(b"\0"):
                    left.append((process / "cmdline").read_bytes().replace(b"\0", b" ").decode())
            except OSError:
                continue
        return left

    def _verb(self, *words):
        return [self.program, "--sandbox", self.info["sandbox"], *words]

    def action(self, name, text):
        return run(self._verb("action", name), text)

    def event(self, name, text):
        return run(self._verb("event", name), text)

    def runagent(self, words, text):
        return run(self._verb("runagent", "--", *words), text)

    def redis(self, *words):
        host, port = self.info["redis"].rsplit(":", 1)
        fixed = ["redis-cli", "-h", host, "-p", port, "--no-auth-warning"]
        return checked([*fixed, "--user", "default", "--pass", "nopass", "--raw", *words])

    def account(self, side):
        place = self.info[side]
        user, password = {"remote": ("r1@example.com", "Pw-r1!"), "local": ("u1", "Pw-u1")}[side]
        return {**place, "security": "tls", "user": user, "password": password, "verify": False}

    def task(self):
        return dict(self.info["task"])

    def mail_host(self):
        return self.info["local"]["host"]

    def set_sieve(self, script):
        home = Path(self.info["sandbox"]) / "local/mail/u1"
        path = home / ".dovecot.sieve"
        path.write_text(script)
        shutil.chown(path, home.stat().st_uid, home.stat().st_gid)


class RealNode:
    """A node of a cluster, reached as root over SSH."""

    is_sandbox = False

    def __init__(self, variables):
        self.variables = variables
        self.module_id = None
        self.mail_module_id = variables["MAIL_MODULE"]
        self.gone = None
        # A short path: those of sockets are limited.
        self.sockets = tempfile.TemporaryDirectory(prefix="ns8-")

    def _ssh(self, command):
        options = ["BatchMode=yes", "ControlMaster=auto", "ControlPersist=60", f"ControlPath={self.sockets.name}/%C"]
        words = ["ssh", "-i", self.variables["SSH_KEYFILE"]]
        for option in options:
            words += ["-o", option]
        return [*words, f"root@{self.variables['NODE_ADDR']}", command]

    def install(self):
        command = shlex.join(["add-module", self.variables["IMAGE_URL"], "1"])
        text = checked(self._ssh(command)).strip()
        # The program prints a literal of Python, later versions JSON.
        try:
            self.module_id = json.loads(text)["module_id"]
        except ValueError:
            self.module_id = ast.literal_eval(text)["module_id"]

    def remove(self):
        if self.module_id is not None:
            checked(self._ssh(f"remove-module --no-preserve {shlex.quote(self.module_id)}"))
            self.gone, self.module_id = self.module_id, None

    def update(self):
        request = {"module_url": self.variables["IMAGE_URL"], "instances": [self.module_id], "force": True}
        checked(self._ssh("api-cli run update-module --data -"), json.dumps(request))

    def leftovers(self):
        found = run(self._ssh(f"getent passwd {shlex.quote(self.gone)}"))
        return found.stdout.splitlines()

    def action(self, name, text):
        # On standard input, for passwords must not show in the lists of processes.
        place = shlex.quote(f"module/{self.module_id}/{name}")
        return run(self._ssh(f"api-cli run {place} --data -"), text)

    def event(self, name, text):
        raise AssertionError("events are not faked on a real node")

    def runagent(self, words, text):
        return run(self._ssh(shlex.join(["runagent", "-m", self.module_id, *words])), text)

    def redis(self, *words):
        return checked(self._ssh(shlex.join(["redis-cli", "--raw", *words])))

    def account(self, side):
        task = self.task()
        if side == "remote":
            return {
                "host": task["remotehostname"],
                "port": task["remoteport"],
                "security": task["security"],
                "user": task["remoteusername"],
                "password": task["remotepassword"],
                "verify": False,
            }
        return {
            "host": self.variables["LOCAL_HOST"] or self.variables["NODE_ADDR"],
            "port": int(self.variables["LOCAL_PORT"]),
            "security": "tls",
            "user": task["localuser"],
            "password": self.variables["LOCAL_PASSWORD"],
            "verify": False,
        }

    def task(self):
        """The input of create-task that the node's owner gave: an account to pull mail from."""
        return json.loads(Path(self.variables["TASK_FILE"]).read_text())

    def mail_host(self):
        return self.redis("HGET", f"module/{self.mail_module_id}/srv/tcp/imap", "host").strip()
