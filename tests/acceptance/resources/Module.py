# SPDX-License-Identifier: GPL-3.0-or-later
"""The suites' keywords: the module, its tasks, and the mailboxes on both sides."""

import json
import socket
import threading
import time

import Mail
import Node
from robot.api import SkipExecution, logger
from robot.libraries.BuiltIn import BuiltIn

# How long a condition is waited for, and how often it is looked at.
CONDITION_TIMEOUT_SECONDS = 300
PAUSE = 0.05


class Module:
    ROBOT_LIBRARY_SCOPE = "GLOBAL"

    def __init__(self):
        self.node = None
        self.runs = {}
        self.gates = []

    # Installation

    def install_the_module(self):
        """Adds the module; without NODE_ADDR the node is the sandbox's."""
        variables = BuiltIn().get_variables(no_decoration=True)
        self.node = Node.RealNode(variables) if variables["NODE_ADDR"] else Node.Sandbox()
        self.node.install()

    def remove_the_module(self):
        for gate in self.gates:
            gate.close()
        if self.node is not None:
            self.node.remove()

    def update_the_module(self):
        """Updates the instance to the image that it has."""
        self.node.update()

    def nothing_should_be_left(self):
        left = self.node.leftovers()
        if left:
            raise AssertionError(f"left behind: {left}")

    def needs_the_sandbox(self, reason):
        """Skips on a real node what only the sandbox can play."""
        if not self.node.is_sandbox:
            raise SkipExecution(f"Only in the sandbox: {reason}")

    def needs_a_remote_account(self):
        if not self.node.is_sandbox and not BuiltIn().get_variable_value("${TASK_FILE}"):
            raise SkipExecution("No remote account is given: --variable TASK_FILE:account.json")

    def needs_mailboxes_that_may_be_emptied(self):
        self.needs_a_remote_account()
        if not self.node.is_sandbox and not BuiltIn().get_variable_value("${LOCAL_PASSWORD}"):
            raise SkipExecution(
                "This case empties both mailboxes; if they may be: --variable LOCAL_PASSWORD:… of TASK_FILE's localuser"
            )

    # Actions, helpers, events

    def run_action(self, name, data=None, rc=0):
        """Runs an action, which must end with the exit code rc, and gives its output as an object."""
        logger.debug(f"{name} {json.dumps({**(data or {}), 'remotepassword': '…'})}")
        outcome = self.node.action(name, json.dumps(data or {}))
        self._should_end(name, outcome, rc)
        return outcome.output

    def run_helper(self, *command, text="", rc=0):
        """Runs a program with the module's environment in its state folder, and gives what it printed."""
        outcome = self.node.runagent(command, text)
        self._should_end(command[0], outcome, rc)
        return outcome.stdout

    def send_event(self, name, data):
        self._should_end(name, self.node.event(name, json.dumps(data)), 0)

    @staticmethod
    def _should_end(name, outcome, rc):
        if outcome.rc != int(rc):
            raise AssertionError(f"{name} should end with {rc}: {outcome}")

    def run_action_refused(self, name, data, key, rc):
        """Runs an action, which must refuse its input with this key and exit code, and show no password."""
        outcome = self.node.action(name, json.dumps(data))
        self._should_end(name, outcome, rc)
        # Whether the node's command-line client shows the output of an action that failed is its own affair.
        shown = self.node.is_sandbox or isinstance(outcome.output, list)
        if shown and key not in [refusal["error"] for refusal in outcome.output or []]:
            raise AssertionError(f"{name} should be refused with {key}: {outcome}")
        secret = data.get("remotepassword")
        if secret and secret in outcome.stdout + outcome.stderr:
            raise AssertionError(f"{name} shows the password")

    def granted_actions(self, role):
        return self.node.redis("SMEMBERS", f"module/{self.node.module_id}/roles/{role}").split()

    def change_mail_module_address(self, host):
        """In the sandbox: the mail module announces itself under another address."""
        self._redis_as_the_module("HSET", "module/mail1/srv/tcp/imap", "host", host)

    def take_the_grants_back(self, role):
        """In the sandbox: as an older version of the module left them."""
        self._redis_as_the_module("DEL", f"module/{self.node.module_id}/roles/{role}")

    def _redis_as_the_module(self, *words):
        place, port = self.node.info["redis"].rsplit(":", 1)
        environment = self.module_environment()
        fixed = ["redis-cli", "-h", place, "-p", port, "--no-auth-warning", "--user", environment["REDIS_USER"]]
        Node.checked([*fixed, "--pass", environment["REDIS_PASSWORD"], *words])

    def module_environment(self):
        lines = self.run_helper("env").splitlines()
        return dict(line.split("=", 1) for line in lines if "=" in line)

    # Files

    def state_files(self):
        """{path: content} of the tasks' settings and schedules, of which an edit changes all or nothing."""
        names = self.run_helper("find", "imapsync", "cron", "-type", "f").splitlines()
        # What is known of the local mail server belongs to no task.
        known = "imapsync/.local-server.json"
        names = sorted(name for name in names if name.endswith((".env", ".pwd", ".cron", ".json")) and name != known)
        return {name: self.run_helper("cat", name) for name in names}

    def file_mode(self, path):
        return self.run_helper("stat", "-c", "%a", path).strip()

    def files_of(self, task):
        name = f"{task['localuser']}_{task['task_id']}"
        return self.run_helper("find", "imapsync", "cron", "-name", f"{name}.*").split()

    def write_state_file(self, path, text):
        self.run_helper("tee", path, text=text)

    # Tasks

    def a_task(self, **changes):
        """The input of create-task: everything of the remote account, no schedule, with these changes."""
        return {**self.node.task(), **changes}

    def reference(self, task):
        return {"localuser": task["localuser"], "task_id": task["task_id"]}

    def references(self, *ids):
        """The input of actions on several tasks of the suite's user."""
        user = self.node.task()["localuser"]
        return {"tasks": [{"localuser": user, "task_id": ident} for ident in ids]}

    def delete_all_tasks(self):
        for user in {task["localuser"] for task in self._listed()}:
            self.run_action("delete-task", {"localuser": user})

    def _listed(self):
        return self.run_action("list-tasks")["user_properties"]

    def listed_task(self, task):
        """What list-tasks says of a task."""
        for entry in self._listed():
            if (entry["localuser"], entry["task_id"]) == (task["localuser"], task["task_id"]):
                return entry
        raise AssertionError(f"list-tasks does not know {task['task_id']}")

    def listed_ids(self):
        return sorted(entry["task_id"] for entry in self._listed())

    def create_and_run(self, task):
        """Creates or edits a task and waits for the end of the run that this starts."""
        self.mark_the_run(task)
        self.run_action("create-task", task)
        self.wait_for_the_run(task)

    def start_and_run(self, task):
        self.mark_the_run(task)
        self.run_action("start-task", self.reference(task))
        self.wait_for_the_run(task)

    def start_several_and_run(self, *tasks):
        """Starts tasks with one call and waits for the end of their runs."""
        for task in tasks:
            self.mark_the_run(task)
        results = self.run_action("start-task", {"tasks": [self.reference(task) for task in tasks]})["results"]
        for task in tasks:
            self.wait_for_the_run(task)
        return results

    def wait_until_running(self, task):
        self._wait(lambda: self.listed_task(task)["service_running"], "the run to start")

    def wait_until_idle(self, task):
        self._wait(lambda: not self.listed_task(task)["service_running"], "the run to end")

    def _status(self, task):
        name = f"imapsync/{task['localuser']}_{task['task_id']}.status"
        # A new status file has another inode or time, whatever is in it.
        return self.node.runagent(["stat", "-c", "%i %y", name], "").stdout

    def mark_the_run(self, task):
        """Remembers which run was the last."""
        self.runs[task["localuser"], task["task_id"]] = self._status(task)

    def wait_for_the_run(self, task):
        """Waits for the end of a run that was not over at the mark; it must have been a success."""
        mark = self.runs[task["localuser"], task["task_id"]]
        self._wait(lambda: self._status(task) != mark, "the end of the run")
        self.wait_until_idle(task)
        entry = self.listed_task(task)
        if entry["last_sync_exit_code"] != 0:
            log = self.run_action("get-log", self.reference(task))["log_content"]
            raise AssertionError(f"the run ended with {entry['last_sync_exit_code']}:\n{log}")

    @staticmethod
    def _wait(condition, what):
        deadline = time.monotonic() + CONDITION_TIMEOUT_SECONDS
        while not condition():
            if time.monotonic() > deadline:
                raise AssertionError(f"waited in vain for {what}")
            time.sleep(PAUSE)

    # Mailboxes

    def deliver_mail(self, side, prefix, count=1, folder="INBOX", flags="", days_old=0):
        """Puts messages `<prefix-0@suite.test>` … into a folder."""
        Mail.deliver(self.node.account(side), prefix, int(count), folder, flags, int(days_old))

    def mailbox(self, side):
        """{folder: {message id: flags}} without empty folders."""
        mailbox = Mail.read(self.node.account(side))
        return {folder: messages for folder, messages in sorted(mailbox.items()) if messages}

    def folder_should_hold(self, side, folder, *idents):
        found = sorted(self.mailbox(side).get(folder, {}))
        wanted = sorted(f"<{ident}@suite.test>" for ident in idents)
        if found != wanted:
            raise AssertionError(f"{folder} of the {side} side holds {found}, not {wanted}")

    def flags_of(self, side, folder, ident):
        return self.mailbox(side)[folder][f"<{ident}@suite.test>"]

    def both_sides_should_agree(self):
        remote, local = self.mailbox("remote"), self.mailbox("local")
        if remote != local:
            raise AssertionError(f"remote: {remote}\nlocal: {local}")

    def remove_mail(self, side, folder, ident):
        Mail.expunge(self.node.account(side), folder, f"<{ident}@suite.test>")

    def empty_the_mailboxes(self):
        for side in ("remote", "local"):
            Mail.empty(self.node.account(side))

    def install_sieve_script(self, script):
        self.node.set_sieve(script)

    # A server that does not answer

    def a_silent_server(self):
        """A port on loopback where connections are taken, and nothing is ever said."""
        gate = socket.create_server(("127.0.0.1", 0))
        self.gates.append(gate)
        taken = []

        def take():
            while True:
                try:
                    taken.append(gate.accept())
                except OSError:
                    return

        threading.Thread(target=take, daemon=True).start()
        return gate.getsockname()[1]

    def a_free_port(self):
        """A port where no one listens."""
        with socket.create_server(("127.0.0.1", 0)) as server:
            return server.getsockname()[1]
