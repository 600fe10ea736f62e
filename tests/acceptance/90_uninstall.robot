*** Comments ***
SPDX-License-Identifier: GPL-3.0-or-later

*** Settings ***
Documentation    The removal, while tasks exist.
Resource         resources/module.resource

*** Test Cases ***
Nothing Of The Module Stays
    IF    not $NODE_ADDR or $TASK_FILE
        ${task}    A Task    cron=5m
        Run Action    create-task    ${task}
    END
    Remove The Module
    Nothing Should Be Left
