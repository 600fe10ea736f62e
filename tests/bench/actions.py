# SPDX-License-Identifier: GPL-3.0-or-later
"""Median time and peak memory of every action, compared with what was recorded of the module in Python."""

import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import Mail
import Node

# Milliseconds, on the recording machine.
RECORDED = {
    "get-configuration": 280,
    "list-tasks, 1 task": 340,
    "list-tasks, 5,000 tasks": 1_100,
    "get-facts, 1 task": 260,
    "create-task": 1_740,
    "start-all-tasks, 50 tasks": 31_000,
    # Of ten rows.
    "import-csv-tasks, 9 rows": 22_000,
}
# How long the end of a run is waited for.
RUN_TIMEOUT_SECONDS = 120


class Bench:
    def __init__(self, node, rounds):
        self.node = node
        self.rounds = rounds
        self.state = Path(node.info["state"])
        self.install = self.state.parent
        description = json.loads((Path(node.info["sandbox"]) / "node.json").read_text())
        self.base_environment = description["environment"]
        self.task = {**node.task(), "start": False}
        self.reference = {"localuser": self.task["localuser"], "task_id": self.task["task_id"]}

    def environment(self, action):
        lines = (self.state / "environment").read_text().splitlines()
        own = dict(line.split("=", 1) for line in lines)
        return {**self.base_environment, **own, "AGENT_TASK_ID": "bench", "AGENT_TASK_ACTION": action}

    def once(self, action, command, text):
        """Milliseconds and KiB; the memory from its own run, for /usr/bin/time rounds times."""
        environment = self.environment(action)

        def run(words):
            started = time.perf_counter()
            done = subprocess.run(
                words, input=text.encode(), env=environment, cwd=self.state, capture_output=True, check=False
            )
            took = (time.perf_counter() - started) * 1000
            if done.returncode != 0:
                sys.exit(f"{action} failed with {done.returncode}: {done.stdout.decode()} {done.stderr.decode()}")
            if action == "import-csv-tasks" and (b"skipped" in done.stdout or b"refused" in done.stdout):
                sys.exit(f"{action} did not do all of it: {done.stdout.decode()}")
            return took

        with tempfile.NamedTemporaryFile() as file:
            yield run(command)
            yield run(["/usr/bin/time", "-q", "-f", "%M", "-o", file.name, *command])
            yield int(Path(file.name).read_text())

    def measure(self, label, data=None, before=lambda: None, after=lambda: None, rounds=None, helper=None, text=None):
        action = label.split(",")[0]
        if helper:
            command = [str(self.install / "bin" / helper)]
        else:
            (step,) = (self.install / "actions" / action).glob("[0-9]*")
            command = [str(step)]
        text = json.dumps(data or {}) if text is None else text
        times, sizes = [], []
        for _ in range(rounds or self.rounds):
            steps = self.once(action, command, text)
            before()
            times.append(next(steps))
            after()
            before()
            next(steps)
            sizes.append(next(steps))
            after()
        recorded = RECORDED.get(label)
        print(
            f"{label:<28} {statistics.median(times):>9,.1f} ms {max(sizes) / 1024:>7.1f} MiB"
            + (f" {recorded:>9,} ms {recorded / statistics.median(times):>7,.0f} x" if recorded else ""),
            flush=True,
        )

    def act(self, action, data=None):
        outcome = self.node.action(action, json.dumps(data or {}))
        if outcome.rc != 0:
            sys.exit(f"{action}: {outcome}")
        return outcome.output

    def settle(self):
        """Until no run is going on."""
        deadline = time.monotonic() + RUN_TIMEOUT_SECONDS
        while any(task["service_running"] for task in self.act("list-tasks")["user_properties"]):
            if time.monotonic() > deadline:
                sys.exit("waited in vain for the runs to end")
            time.sleep(0.05)

    def stop(self):
        self.act("stop-all-tasks")

    def remove_tasks(self):
        for user in {task["localuser"] for task in self.act("list-tasks")["user_properties"]}:
            self.act("delete-task", {"localuser": user})

    def multiply(self, count):
        """So many tasks, the one that exists included, made as files."""
        name = f"{self.task['localuser']}_{self.task['task_id']}"
        folder = self.state / "imapsync"
        sources = {ending: (folder / f"{name}.{ending}").read_text() for ending in ("env", "pwd", "json")}
        for number in range(1, count):
            task_id = f"b{number:05}"
            for ending, text in sources.items():
                path = folder / f"{self.task['localuser']}_{task_id}.{ending}"
                text = text.replace(f"TASK_ID={self.task['task_id']}", f"TASK_ID={task_id}")
                with open(os.open(path, os.O_WRONLY | os.O_CREAT, 0o600), "w") as file:
                    file.write(text)

    def run(self):
        Mail.deliver(self.node.account("remote"), "bench", 20, "INBOX", "", 0)
        offered = self.act("get-configuration")["mail_server_URL"][0]["value"].split(",")
        configuration = {"mail_server": offered[0], "mail_host": offered[1]}
        print(f"{'':<28} {'median':>12} {'peak':>11} {'Python':>12}")
        self.measure("configure-module", configuration)
        self.measure("get-configuration")
        self.measure("create-task", self.task, after=self.remove_tasks)
        self.act("create-task", self.task)
        self.measure("create-task, an edit", self.task)
        self.measure("validate-task", {**self.task, "start": True})
        self.measure("browse-folders", self.reference)
        self.measure("start-task", self.reference, after=self.settle)
        self.measure("stop-task", self.reference, before=lambda: self.act("start-task", self.reference))
        self.act("start-task", self.reference)
        self.settle()
        self.measure("list-informations", self.reference)
        self.measure("preview-task", self.reference)
        self.measure("verify-task", self.reference)
        self.measure("get-log", self.reference)
        self.measure("list-tasks, 1 task")
        self.measure("get-facts, 1 task")
        self.measure("get-progress, 1 task")
        self.multiply(50)
        few = min(3, self.rounds)
        self.measure("start-all-tasks, 50 tasks", after=self.stop, rounds=few)
        self.measure("stop-all-tasks, 50 tasks", before=lambda: self.act("start-all-tasks"), rounds=few)
        self.multiply(5_000)
        self.measure("list-tasks, 5,000 tasks")
        self.measure("get-facts, 5,000 tasks")
        self.measure("get-progress, 5,000 tasks")
        self.measure("expand-cron, 5,000 tasks", helper="expand-cron")
        self.measure(
            "delete-task, 5,000 tasks",
            {"localuser": self.task["localuser"]},
            before=lambda: (self.act("create-task", self.task), self.multiply(5_000)),
            rounds=1,
        )
        self.measure(
            "import-csv-tasks, 9 rows",
            helper="import-csv-tasks",
            text=self.rows(),
            after=lambda: (self.stop(), self.remove_tasks()),
            rounds=few,
        )

    def rows(self):
        """Every remote user for every local one."""
        columns = "localusername,remoteusername,remotepassword,remotehostname,remoteport,security"
        host, port = self.task["remotehostname"], self.task["remoteport"]
        rows = [
            f"u{local},r{remote}@example.com,Pw-r{remote}!,{host},{port},tls"
            for local in (1, 2, 3)
            for remote in (1, 2, 3)
        ]
        return "\n".join([columns, *rows, ""])


def main():
    node = Node.Sandbox()
    real = os.environ.get("MAKE_REAL")
    try:
        node.install()
        if real:
            subprocess.run([real, node.info["sandbox"], str(node.info["local"]["port"])], check=True)
        offered = json.loads(node.action("get-configuration", "{}").stdout)["mail_server_URL"][0]["value"].split(",")
        configured = node.action("configure-module", json.dumps(dict(zip(("mail_server", "mail_host"), offered))))
        if configured.rc != 0:
            sys.exit(f"configure-module: {configured}")
        Bench(node, int(sys.argv[1]) if len(sys.argv) > 1 else 9).run()
    finally:
        if real and node.info:
            # The sandbox ends processes; a container has to be taken down.
            node.runagent(["systemctl", "--user", "stop", "imapsync.service"], "")
        node.remove()


main()
