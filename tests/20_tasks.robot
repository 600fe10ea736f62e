*** Comments ***
SPDX-License-Identifier: GPL-3.0-or-later

*** Settings ***
Documentation    The life of a task.
Resource         module.resource
Suite Setup      Needs A Remote Account

*** Test Cases ***
A Wrong Password Creates No Task
    ${wrong}    Copy Dictionary    ${TASK}
    Set To Dictionary    ${wrong}    remotepassword=Not-the-one
    ${errors}    Run Action    create-task    ${wrong}    rc=2
    IF    not $NODE_ADDR    Should Be Equal    ${errors}[0][error]    bad_user_credentials
    ${listed}    Run Action    list-tasks
    Should Be Empty    ${listed}[user_properties]

A Task Is Created And Brings The Mail
    Run Action    create-task    ${TASK}
    Wait Until Keyword Succeeds    5 min    500ms    The Task Should Have Ended    0
    ${input}    Create Dictionary    localuser=${TASK}[localuser]    task_id=${TASK}[task_id]
    ${sides}    Run Action    list-informations    ${input}
    Should Be True    ${sides}[status]
    Should Be Equal    ${sides}[host1Messages]    ${sides}[host2Messages]

A Second Run Copies Nothing
    ${input}    Create Dictionary    localuser=${TASK}[localuser]    task_id=${TASK}[task_id]
    Run Action    start-task    ${input}
    Wait Until Keyword Succeeds    5 min    500ms    The Log Should Tell Of Nothing Copied    ${input}

A Task Is Deleted With Its Files
    ${input}    Create Dictionary    localuser=${TASK}[localuser]    task_id=${TASK}[task_id]
    Run Action    delete-task    ${input}
    ${listed}    Run Action    list-tasks
    Should Be Empty    ${listed}[user_properties]
    ${files}    Run In The Module    find    imapsync    cron    -name    ${TASK}[localuser]_*
    Should Be Empty    ${files}

*** Keywords ***
The Log Should Tell Of Nothing Copied
    [Arguments]    ${input}
    ${log}    Run Action    get-log    ${input}
    Should Match Regexp    ${log}[log_content]    (?m)^Messages transferred\\s+: 0\\b
