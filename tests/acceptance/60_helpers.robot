*** Comments ***
SPDX-License-Identifier: GPL-3.0-or-later

*** Settings ***
Documentation     The programs of the service and of the shell.
Resource          resources/module.resource
Suite Setup       Needs A Remote Account
Test Teardown     Delete All Tasks

*** Test Cases ***
A Task Is Run From The Shell
    ${task}    A Task    start=${False}
    Run Action    create-task    ${task}
    ${name}    Set Variable    ${task}[localuser]_${task}[task_id]
    Run Helper    run-imapsync    stop    ${name}
    FOR    ${verb}    IN    start    restart
        Mark The Run    ${task}
        Run Helper    run-imapsync    ${verb}    ${name}
        Wait For The Run    ${task}
    END
    Run Helper    run-imapsync    start    u1_nosuch    rc=1

The Schedules Are Rebuilt, And What Is The Administrators Stays
    ${scheduled}    A Task    task_id=sched1    cron=2h    start=${False}
    ${by hand}    A Task    task_id=sched2    start=${False}
    Run Action    create-task    ${scheduled}
    Run Action    create-task    ${by hand}
    ${before}    State Files
    Write State File    cron/own.custom    \# mine\n
    Write State File    cron/${scheduled}[localuser]_sched2.cron    stale\n
    Run Helper    rm    cron/${scheduled}[localuser]_sched1.cron
    Run Helper    expand-cron
    ${after}    State Files
    Should Be Equal    ${after}    ${before}
    ${own}    Run Helper    cat    cron/own.custom
    Should Be Equal    ${own}    \# mine\n
    [Teardown]    Run Keywords    Run Helper    rm    -f    cron/own.custom    AND    Delete All Tasks

The Secret Of The Master User Is Fetched Again
    ${before}    Run Helper    sha256sum    imapsync/vmail.pwd
    Run Helper    rm    imapsync/vmail.pwd
    Run Helper    reveal-master-secret
    ${after}    Run Helper    sha256sum    imapsync/vmail.pwd
    Should Be Equal    ${after}    ${before}
    ${mode}    File Mode    imapsync/vmail.pwd
    Should Be Equal    ${mode}    600
